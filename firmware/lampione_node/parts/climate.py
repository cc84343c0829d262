"""Temperature and humidity of the air."""

import asyncio

from micropython import const

from ..buses import i2c
from ..drivers import health
from ..sensing.mean import Mean

_TEMPERATURE = const(8)
_HUMIDITY = const(9)
_EVERY_MS = const(10000)


class Climate:
    """An SHT45 or, as kind "bme280", a BME280. Every reading goes to the others too, by `air`."""

    sensor = 3
    period_s = 30

    def __init__(self, machine, part, _post, air) -> None:  # type: ignore[no-untyped-def]
        if part.get("kind") == "bme280":
            from ..drivers.bme280 import Bme280 as Driver
        else:
            from ..drivers.sht45 import Sht45 as Driver
        self._driver = Driver(i2c(machine, part))
        self._air = air
        self._temperature = Mean(_EVERY_MS)
        self._humidity = Mean(_EVERY_MS)
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure every 10 s, for the supervisor."""
        while True:
            check_in()
            found = await self._driver.measure()
            if found:
                self._air.put(found[0], found[1])
                self._temperature.add(found[0])
                self._humidity.add(found[1])
            await asyncio.sleep_ms(_EVERY_MS)

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the means into a Report."""
        values[_TEMPERATURE] = self._temperature.take(duration_ms)
        values[_HUMIDITY] = self._humidity.take(duration_ms)
        self.states[0] = self._driver.watch.state()
