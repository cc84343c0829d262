"""TDK ICS-43434, an I2S microphone: 24 bits left-justified in 32, -26 dBFS at 94 dB SPL.

The INMP441 answers alike.
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from .line import readable

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
        got = 0
        size = len(buf)
        left_ms = self._timeout_ms
        began_ms = ticks_ms()
        while left_ms > 0 and await readable(self._i2s, left_ms):
            n = self._i2s.readinto(buf[got:] if got else buf)
            if n:
                got += n
                if got == size:
                    return
            else:
                await asyncio.sleep_ms(2)  # woken for nothing
            left_ms = self._timeout_ms - ticks_diff(ticks_ms(), began_ms)
        self.timeouts += 1
        raise OSError(_ETIMEDOUT)
