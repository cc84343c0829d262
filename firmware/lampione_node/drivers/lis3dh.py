"""ST LIS3DH: acceleration over I2C (datasheet DocID17530 rev 2, application note AN3308).

100 Hz, high resolution, +-2 g, FIFO in stream mode. In this mode the part's own filter passes
11 Hz (a ninth of the rate), so that a shock of 10 ms lasts for several samples and cannot fall
between two; its peak reads a third to a fifth of the true one. The FIFO holds 32 samples, 320 ms,
of 10 bits (4 mg) in whatever mode: a measure() every 250 ms misses none. One block of 25 samples
keeps the bus for 14 ms.

The part has no checksum: the FIFO's settings are read with its level. Where they are lost
(brown-out) all are written again. Silence, damage and a part that makes no samples show after 2 s;
240 equal blocks, a minute, are stuck (the noise of 0.7 mg seldom leaves all three axes on the same
step for long). A mean below 0.3 or above 2.5 g is implausible.
"""

import asyncio
from array import array

import micropython
from micropython import const

from . import health
from .watch import Watch

_ADDRESS = const(0x18)
_WHO_AM_I = const(0x0F)
_FIFO = const(0x80 | 0x2E)  # with the next register, its level
_OUT = const(0x80 | 0x28)
_STREAM = const(0x80)

_FRESH_MS = const(2000)
_SAME = const(240)
_LEAST_2 = const(90_000)  # squared mg
_MOST_2 = const(6_250_000)


def root(n: int) -> int:
    """Return the square root of 0 <= n < 2^30, cut."""
    x = 32767 if n > 4095 else 63  # of a pole at rest it is small
    while x * x > n:
        x = (x + n // x) >> 1
    return x


@micropython.viper
def scan(samples: ptr8, count: int, sums: ptr32):  # noqa: F821
    """Put the sums of the axes of `count` samples into sums[0:3], in mg.

    Into sums[3] goes the largest squared distance to (sums[4], sums[5], sums[6]), 5e7 at most.
    """
    sign = 1
    sign <<= 31
    at = 0
    end = count * 6
    peak = 0
    for i in range(4):
        sums[i] = 0
    while at < end:
        far = 0
        for axis in range(3):
            value = ((int(samples[at]) | int(samples[at + 1]) << 8) ^ 0x8000) - 0x8000 >> 4
            at += 2
            # a load does not extend the sign on 64 bits
            sums[axis] = (int(sums[axis]) ^ sign) - sign + value
            value -= (int(sums[axis + 4]) ^ sign) - sign
            far += value * value
        if far > peak:
            peak = far
    sums[3] = peak


class Lis3dh:
    """The sensor on a ready-made bus."""

    def __init__(self, i2c, address=_ADDRESS):
        self._i2c = i2c
        self._address = address
        self._two = bytearray(2)
        self._samples = bytearray(192)
        self._view = memoryview(self._samples)
        self._sums = array("i", [0] * 7)
        self._steady = False  # sums[4:7] hold the last mean
        self._turn = 0
        self.watch = Watch(_FRESH_MS, _SAME)

    async def measure(self):
        """Return (x, y, z, peak) in mg, or None.

        x, y, z: the mean since the last call, at most 320 ms. peak: the farthest sample from the
        mean before; 0 where there is none.
        """
        two = self._two
        try:
            self._i2c.readfrom_mem_into(self._address, _FIFO, two)
            if two[0] != _STREAM:
                self._steady = False
                self._configure()
                await asyncio.sleep_ms(100)
                self._i2c.readfrom_mem_into(self._address, _FIFO, two)
            count = two[1] & 31
            if two[0] != _STREAM or not count:
                self.watch.lost(health.STALE)
                return None
            self._i2c.readfrom_mem_into(self._address, _OUT, self._view[: count * 6])
        except OSError:
            self._steady = False
            self.watch.lost()
            return None
        return self._judge(count)

    def _judge(self, count: int):
        sums = self._sums
        scan(self._samples, count, sums)
        peak = root(sums[3]) if self._steady else 0
        norm = 0
        still = True
        for i in range(3):
            sums[4 + i] = mean = (2 * sums[i] + count) // (2 * count)
            still = still and mean * count == sums[i]
            norm += mean * mean
        self._steady = _LEAST_2 <= norm <= _MOST_2
        # Blocks of one value are compared by it, since their lengths differ; others live.
        self._turn ^= 1
        raw = (sums[4], sums[5], sums[6]) if still else self._turn
        if self.watch.seen(raw, self._steady):
            return sums[4], sums[5], sums[6], peak
        return None

    def _configure(self) -> None:
        bus = self._i2c
        address = self._address
        bus.readfrom_mem_into(address, _WHO_AM_I, self._two)
        if self._two[0] == 0x33:
            for register, value in (
                b"\x20\x57",
                b"\x23\x88",
                b"\x24\x40",
                b"\x2e\x00",
                b"\x2e\x80",
            ):
                bus.writeto_mem(address, register, bytes((value,)))
