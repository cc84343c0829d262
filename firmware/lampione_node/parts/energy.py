"""What the lamp draws from the mains."""

import asyncio

from micropython import const

from ..buses import uart
from ..drivers import health
from ..sensing.mean import Mean

_LAMP_POWER = const(25)
_H_ENERGY = const(3)
_H_VOLTAGE = const(5)
_EVERY_MS = const(5000)


class Energy:
    """A PZEM-004T ("uart", "tx", "rx", and "address" where it is not 1)."""

    sensor = 7
    period_s = 20
    metered = True

    def __init__(self, machine, part, _post, _air) -> None:  # type: ignore[no-untyped-def]
        from ..drivers.pzem import Pzem

        self._driver = Pzem(uart(machine, part, 9600), part.get("address", 1))
        self._power = Mean(_EVERY_MS)
        self._last = None
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure every 5 s, for the supervisor."""
        while True:
            check_in()
            found = await self._driver.measure()
            if found:
                self._last = found
                self._power.add(found[2])
            await asyncio.sleep_ms(_EVERY_MS)

    def _value(self, index: int):  # type: ignore[no-untyped-def]
        return self._last[index] if self._last and self._driver.watch.fresh() else None

    @property
    def power_dw(self):  # type: ignore[no-untyped-def]
        """The power in 0.1 W, as it was at most 20 s ago; None: unknown."""
        return self._value(2)

    @property
    def current_ma(self):  # type: ignore[no-untyped-def]
        """The current in mA; None: unknown."""
        return self._value(1)

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the mean power into a Report (0.5 W)."""
        power = self._power.take(duration_ms)
        if power is not None:
            values[_LAMP_POWER] = (power + 2) // 5
        self.states[0] = self._driver.watch.state()

    def fill_health(self, values: list) -> None:
        """Put the energy (10 Wh) and the voltage (0.5 V) into a Health."""
        if self._value(0) is not None:
            values[_H_ENERGY] = self._last[3] // 10
            values[_H_VOLTAGE] = (self._last[0] + 2) // 5
