"""The intermediate frequency of a CW Doppler module (CDM324, HB100) through a stereo I2S ADC.

The ADC is one that makes its clocks out of I2S alone (a PCM1822, say), since the board has none
to give; left is the module's signal, right is not used. 24 kHz: the slowest rate of such ADCs from
which halving leaves 12 kHz, which is 134 km/h at 24.125 GHz.

What the signal tells of the part: a module makes noise, an ADC alone hardly any. STUCK: 1 s
without a step of more than -100 dBFS. IMPLAUSIBLE: 1 s of clipping; a lorry beside the pole clips
for less. SILENT, or ABSENT from the start: nothing came for 1 s.
"""

import micropython
from micropython import const

from . import health
from .ics43434 import Ics43434
from .watch import Watch

BUFFER_BYTES = const(4096)  # 512 frames, 21 ms
_RATE_HZ = const(24000)
_DMA_BYTES = const(16384)  # frames of 8 bytes: 85 ms, a flash erase and a garbage collection
_FRESH_MS = const(2000)
_BUFFERS = const(47)  # 1 s
_FLAT = const(84)  # of 24 bits, peak to peak


def open_i2s(machine, part):
    """Return the receiver on the pins of the settings' part ("i2s", "sck", "ws", "sd")."""
    return machine.I2S(
        part["i2s"],
        sck=machine.Pin(part["sck"]),
        ws=machine.Pin(part["ws"]),
        sd=machine.Pin(part["sd"]),
        mode=machine.I2S.RX,
        bits=32,
        format=machine.I2S.STEREO,
        rate=_RATE_HZ,
        ibuf=_DMA_BYTES,
    )


@micropython.viper
def spread(i: int, v: int, end: int, words: ptr32) -> int:  # noqa: F821
    """Return the range of the left words i, i + 2 ... of words[i:end], in steps of 24 bits.

    Called as spread(0, 0, ...).
    """
    low = 16777215
    high = 0
    while i < end:
        v = int(uint(words[i]) >> 8) ^ 8388608  # noqa: F821
        if v < low:
            low = v
        if v > high:
            high = v
        i += 2
    return high - low


class IfAdc:
    """A stream of stereo frames from a ready-made I2S receiver.

    Attributes:
        watch: judges the part.
    """

    def __init__(self, i2s):
        self._stream = Ics43434(i2s)
        self.watch = Watch(_FRESH_MS, _BUFFERS)
        self._count = 0
        self._clipped = 0

    async def measure(self, buf):
        """Fill `buf`, a memoryview of BUFFER_BYTES.

        Returns True when the frames may be used, None when not, False when frames were lost (then
        nothing is in `buf`). It takes 1 s at most.
        """
        try:
            await self._stream.read_into(buf)
        except OSError:
            self.watch.lost(health.SILENT)
            return False
        range_ = spread(0, 0, BUFFER_BYTES // 4, buf)
        self._count = self._count + 1 & 1023
        # both ends of 24 bits in one buffer, but for the last 16 steps
        self._clipped = self._clipped + 1 if range_ > 16777200 else 0
        # what is not flat is never the same
        raw = self._count if range_ > _FLAT else -1
        return self.watch.seen(raw, self._clipped < _BUFFERS) or None
