"""Particulate matter: an SPS30 or, as kind "pms5003" or "sds011", one of those.

Optical counters see particles as the air's water has swollen them; limits are for dry ones. So the
means of a Report are divided by the growth of kappa-Koehler theory (Petters and Kreidenweis 2007,
doi 10.5194/acp-7-1961-2007) in the form that Crilley et al. 2018 (doi 10.5194/amt-11-709-2018) use
for such counters:

    C = 1 + (kappa / 1.65) / (1 / aw - 1)        aw: relative humidity / 100

with kappa 0.4, about the mean of European cities, and dry particles of 1.65 g/cm³. Humidity counts
up to 95 %, the SPS30's limit, where C is 5.6: above it C grows without bound. C is 1.2 at 50 %,
2.0 at 80 % and 3.2 at 90 %. In fog all this is worth little. Without humidity nothing is sent in a
Report, and the state is STALE; the hour's raw means are as the part gave them, always.
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from ..drivers import health
from ..sensing.mean import Mean

CORRECTION = 1

_PM1 = const(3)  # and PM2.5, PM10 after it: in a Report as in a Raw
_EVERY_MS = const(3000)
_MOST_HUMID = const(95)


def dry(mass: int, humidity: int) -> int:
    """Return the mass of the particles without their water; any unit, up to 100000.

    0.4 / 1.65 is 8 / 33.
    """
    humidity = min(_MOST_HUMID, max(0, humidity))
    solid = 33 * (100 - humidity)
    all_of_it = solid + 8 * humidity
    return (mass * solid + all_of_it // 2) // all_of_it


def _steps(mass):
    """Return 0.1 µg/m³ in steps of the wire."""
    return (mass + 2) // 5


class Particulates:
    """The part. `clean` starts a fan cleaning, where it has one."""

    sensor = 0
    period_s = 30

    def __init__(self, machine, part, _post, air) -> None:  # type: ignore[no-untyped-def]
        kind = part.get("kind", "sps30")
        if kind == "sps30":
            from ..buses import i2c
            from ..drivers.sps30 import Sps30

            self._driver = Sps30(i2c(machine, part))
        else:
            from ..buses import uart

            if kind == "sds011":
                from ..drivers.sds011 import Sds011 as Driver
            else:
                from ..drivers.pms5003 import Pms5003 as Driver
            self._driver = Driver(uart(machine, part, 9600))
        self._air = air
        self._means = [Mean(_EVERY_MS) for _ in range(3)]
        self._raw = [Mean(_EVERY_MS) for _ in range(3)]
        self._hour_ms = ticks_ms()
        self.raw = [None] * 3
        self._clean = getattr(self._driver, "clean", None)
        self.cleans = self._clean is not None
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure every 3 s, for the supervisor."""
        while True:
            check_in()
            began_ms = ticks_ms()
            found = await self._driver.measure()
            if found:
                for i in range(3):
                    if found[i] is not None:
                        self._means[i].add(found[i])
                        self._raw[i].add(found[i])
            await asyncio.sleep_ms(max(0, _EVERY_MS - ticks_diff(ticks_ms(), began_ms)))

    async def clean(self) -> bool:
        """Start a fan cleaning, where the part `cleans`; return whether it took the command."""
        return await self._clean()

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the corrected means into a Report."""
        humidity = self._air.get()[1]
        for i in range(3):
            mean = self._means[i].take(duration_ms)
            if mean is not None and humidity is not None:
                values[_PM1 + i] = _steps(dry(mean, humidity))
        state = self._driver.watch.state()
        if not state and humidity is None:
            state = health.STALE
        self.states[0] = state

    def fill_raw(self, values: list) -> None:
        """Put the hour's means, uncorrected, into a Raw and begin the next hour.

        `raw` has them from then on, in 0.1 µg/m³.
        """
        now = ticks_ms()
        for i in range(3):
            mean = self.raw[i] = self._raw[i].take(ticks_diff(now, self._hour_ms))
            if mean is not None:
                values[_PM1 + i] = _steps(mean)
        self._hour_ms = now
