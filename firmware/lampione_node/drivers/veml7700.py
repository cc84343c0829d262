"""Vishay VEML7700: illuminance over I2C (datasheet 84286, application note 84323 of March 2025).

0.0042 lx a count at gain 2 and 800 ms; less gain and time give coarser counts in proportion. Three
ranges reach from 0.0042 lx to the sun. Above 1,000 lx the maker's polynomial corrects the part's
curve; it begins 7.5 % above the uncorrected value, so 1,000 to 1,075 lx are never given.

The part has no checksum: its settings are read back before each value, and the value is read
twice. Where they are lost (brown-out) they are written again, which takes two integration times.
Silence and damage show when the last value is 35 s old. The same count 60 times, ten minutes at
one every 10 s, is stuck; fewer than 1000 counts in the finest range (4 lx), a lamp's steady light
by night, may stay. More than 25,000 lx uncorrected, brighter than the sun, is implausible.
"""

import asyncio

from micropython import const

from . import health
from .watch import Watch

_ADDRESS = const(0x10)
_CONFIG = const(0)
_ALS = const(4)

# From coarse to fine: settings (gain in bits 12:11, integration time in bits 9:6), two integration
# times in ms, binary logarithm of a count in steps of 0.0042 lx
_RANGES = (
    (0x1300, 60, 9),  # gain 1/8, 25 ms: 2.1504 lx
    (0x1080, 810, 5),  # gain 1/8, 400 ms: 0.1344 lx
    (0x08C0, 1610, 0),  # gain 2, 800 ms: 0.0042 lx
)
_FINEST = const(2)
_LOW = const(1000)  # fewer counts: the next finer range has 32,000 at most
_HIGH = const(50000)
_DARK = const(1000)
_MOST_LX = const(25000)

_FRESH_MS = const(35000)
_SAME = const(60)


def corrected(lux: int) -> int:
    """Return the true illuminance in lx for 0 to 25,000 lx as the part sees it, within 0.2 %.

    Horner's rule for 6.0135e-13 x^4 - 9.3924e-9 x^3 + 8.1488e-5 x^2 + 1.0023 x; the scales keep
    everything below 2^30.
    """
    a = 10833 * lux - 169_198_000  # 2^-54
    a = (a >> 13) * lux + 179_194_000  # 2^-41
    a = (a >> 14) * lux + 134_526_000  # 2^-27
    return (a >> 15) * lux >> 12


class Veml7700:
    """The sensor on a ready-made bus."""

    def __init__(self, i2c, address=_ADDRESS):
        self._i2c = i2c
        self._address = address
        self._two = bytearray(2)
        self._range = 0
        self.watch = Watch(_FRESH_MS, _SAME)

    async def measure(self):
        """Return the illuminance in 1/20 lx (0 to 3.3 million), or None. Takes 4 s at most."""
        try:
            raw = await self._counts()
        except OSError:
            self.watch.lost()
            return None
        if raw is None:
            self.watch.lost(health.STALE)
            return None
        value = ((raw * 21 << _RANGES[self._range][2]) + 125) // 250
        plausible = value <= _MOST_LX * 20
        if plausible and value > 20000:
            value = corrected(value // 20) * 20
        if raw < _DARK and self._range == _FINEST:
            self.watch.restart()  # the dark may repeat itself
        return value if self.watch.seen(raw, plausible) else None

    async def _counts(self):
        for _ in range(4):
            setting = _RANGES[self._range]
            if self._get(_CONFIG) != setting[0]:
                self._put(setting[0] | 1)  # off: the next integration starts with what is new
                self._put(setting[0])
                await asyncio.sleep_ms(setting[1])
                if self._get(_CONFIG) != setting[0]:
                    return None
            raw = self._get(_ALS)
            if self._get(_ALS) != raw:  # a new value has come in between, or it is damaged
                raw = self._get(_ALS)
                if self._get(_ALS) != raw:
                    return None
            if raw > _HIGH and self._range:
                self._range -= 1
            elif raw < _LOW and self._range < _FINEST:
                self._range += 1
            else:
                return raw
        return None  # the light flickers between two ranges; the next call has better luck

    def _get(self, command: int) -> int:
        buf = self._two
        self._i2c.readfrom_mem_into(self._address, command, buf)
        return buf[0] | buf[1] << 8

    def _put(self, setting: int) -> None:
        buf = self._two
        buf[0] = setting & 255
        buf[1] = setting >> 8
        self._i2c.writeto_mem(self._address, _CONFIG, buf)
