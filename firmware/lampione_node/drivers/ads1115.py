"""TI ADS1115: four voltages over I2C, one after the other (datasheet SBAS444D, section 9.6).

Single shots of 8 ms at 128 samples a second, +-2.048 V. The part has no checksum: each result is
read twice, beside the settings that it was made with. Silence and damage show when the last value
is 20 s old. What is plausible or stuck is for who knows what hangs at the inputs: parts/gases.py.

The comparator is off, so its threshold keeps a mark: it tells whether the part, and what shares
its supply, has had power all the time, over restarts of the node too.
"""

import asyncio

from micropython import const

from . import health
from .watch import Watch

_ADDRESS = const(0x48)
_CONFIG = const(1)
_THRESHOLD = const(2)  # the lower one
_SHOT = const(0xC583)  # start, input 0 against ground, +-2.048 V, single shot, 128 a second
_NEXT_INPUT = const(0x1000)
_SHOT_MS = const(9)  # 7.8 ms; the clock is 10 % off at most
_LOOKS = const(4)  # 2 ms apart

_POWER_ON = const(0x8000)  # of the threshold
_COLD = const(0x4C43)
_WARM = const(0x4C57)

_FRESH_MS = const(20000)


class Ads1115:
    """The converter on a ready-made bus.

    Attributes:
        warm: the owner sets it when what is measured has warmed up; kept in the part, so that it
            is known after a restart of the node, and False after one of the part.
        power_ups: how often the part was found to have lost its power.
    """

    def __init__(self, i2c, address=_ADDRESS):
        self._i2c = i2c
        self._address = address
        self._two = bytearray(2)
        self._met = False
        self.warm = False
        self.power_ups = 0
        self.watch = Watch(_FRESH_MS)

    async def measure(self):
        """Return the inputs 0 to 3 in steps of 62.5 µV (-32768 to 32767), or None."""
        try:
            self._remember()
            found = (
                await self._shot(_SHOT),
                await self._shot(_SHOT + _NEXT_INPUT),
                await self._shot(_SHOT + 2 * _NEXT_INPUT),
                await self._shot(_SHOT + 3 * _NEXT_INPUT),
            )
        except OSError:
            self.watch.lost()
            return None
        except ValueError:
            self.watch.lost(health.STALE)
            return None
        return found if self.watch.seen(found) else None

    def _get(self, register: int) -> int:
        buf = self._two
        self._i2c.readfrom_mem_into(self._address, register, buf)
        return buf[0] << 8 | buf[1]

    def _put(self, register: int, value: int) -> None:
        buf = self._two
        buf[0] = value >> 8
        buf[1] = value & 255
        self._i2c.writeto_mem(self._address, register, buf)

    def _remember(self) -> None:
        mark = self._get(_THRESHOLD)
        if mark == _POWER_ON:
            self.warm = False
            self.power_ups += 1
        elif mark == _WARM:
            if not self._met:
                self.warm = True
        elif mark != _COLD:
            raise ValueError
        self._met = True
        want = _WARM if self.warm else _COLD
        if mark != want:
            self._put(_THRESHOLD, want)

    async def _shot(self, config: int) -> int:
        self._put(_CONFIG, config)
        await asyncio.sleep_ms(_SHOT_MS)
        for _ in range(_LOOKS):
            if self._get(_CONFIG) == config:  # bit 15 reads 1 again: done
                value = self._get(0)
                if self._get(0) == value:
                    return (value ^ 0x8000) - 0x8000
            await asyncio.sleep_ms(2)
        raise ValueError
