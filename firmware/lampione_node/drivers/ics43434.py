"""TDK ICS-43434, an I2S microphone: 24 bits left-justified in 32, -26 dBFS at 94 dB SPL.

The INMP441 answers alike.
"""

import asyncio

from micropython import const

# 19 ms, whole blocks of the sound meter: one wake-up for three blocks, 3.6 kB
BUFFER_BYTES = const(3600)
_RATE_HZ = const(48000)
# The chip's DMA takes stereo frames of 8 bytes, 256 to a buffer. Ten buffers hold 53 ms: the erase
# of a flash sector (45 ms) loses nothing, a TLS handshake does and shows in the share of valid
# sound. More would cost memory that the connection needs.
_DMA_BYTES = const(20480)
_ETIMEDOUT = const(110)


def open_i2s(machine, part):
    """Return the receiver on the pins of the settings' `sound` part ("i2s", "sck", "ws", "sd")."""
    return machine.I2S(
        part["i2s"],
        sck=machine.Pin(part["sck"]),
        ws=machine.Pin(part["ws"]),
        sd=machine.Pin(part["sd"]),
        mode=machine.I2S.RX,
        bits=32,
        format=machine.I2S.MONO,
        rate=_RATE_HZ,
        ibuf=_DMA_BYTES,
    )


def _readable(stream):
    # as asyncio.StreamReader does, which would cost another kilobyte
    yield asyncio.core._io_queue.queue_read(stream)


class Ics43434:
    """A stream of samples from a ready-made I2S receiver.

    The receiver does not say when its DMA ran over: samples lost so are seen by who counts blocks
    against the clock (SoundMeter.snapshot).

    Attributes:
        timeouts: how often nothing came in time.
    """

    def __init__(self, i2s, timeout_ms=1000):
        self._i2s = i2s
        self._timeout_ms = timeout_ms
        self.timeouts = 0

    async def read_into(self, buf):
        """Fill `buf`, a memoryview of whole words.

        Raises OSError(ETIMEDOUT) when it is not full in time; what came is thrown away, and the
        next call starts on a word again.
        """
        try:
            await asyncio.wait_for_ms(self._fill(buf), self._timeout_ms)
        except asyncio.TimeoutError:
            self.timeouts += 1
            raise OSError(_ETIMEDOUT)

    async def _fill(self, buf):
        got = 0
        size = len(buf)
        while got < size:
            await _readable(self._i2s)
            n = self._i2s.readinto(buf[got:] if got else buf)
            if n:
                got += n
            else:
                await asyncio.sleep_ms(2)  # woken for nothing
