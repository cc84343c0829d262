"""The light of sky and street at the lamp's head, from a VEML7700.

A reading every 10 s, the mean of an interval, in 1/20 lx. What the lamp itself adds is in it.
"""

import asyncio

from micropython import const

from ..buses import i2c
from ..drivers import health
from ..drivers.veml7700 import Veml7700
from ..sensing.mean import Mean

_LIGHT = const(22)
_EVERY_MS = const(10000)


class Ambient:
    """Illuminance."""

    sensor = 6
    period_s = 30

    def __init__(self, machine, part, _post, _air) -> None:  # type: ignore[no-untyped-def]
        self._driver = Veml7700(i2c(machine, part))
        self._mean = Mean(_EVERY_MS)
        self._latest = None
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure, for the supervisor."""
        while True:
            check_in()
            found = await self._driver.measure()
            if found is not None:
                self._mean.add(found)
                self._latest = found
            await asyncio.sleep_ms(_EVERY_MS)

    def latest(self):
        """Return the illuminance in 1/20 lx of some seconds ago; None: unknown."""
        return self._latest if self._driver.watch.fresh() else None

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the mean into a Report."""
        values[_LIGHT] = self._mean.take(duration_ms)
        self.states[0] = self._driver.watch.state()
