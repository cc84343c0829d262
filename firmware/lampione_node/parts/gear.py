"""What the lamp draws, by the meter of its DALI-2 gear (D4i), where nothing else measures it."""

from micropython import const

_LAMP_POWER = const(25)
_H_ENERGY = const(3)


class Gear:
    """An energy meter's face over a drivers.dali_output.DaliOutput, whose task does the work."""

    sensor = 7

    def __init__(self, output) -> None:  # type: ignore[no-untyped-def]
        self._output = output
        self.states = [output.watch.state()]

    @property
    def power_dw(self):  # type: ignore[no-untyped-def]
        """The power in 0.1 W, None: unknown."""
        return self._output.power_dw if self._output.watch.fresh() else None

    @property
    def metered(self) -> bool:
        """Whether the gear counts its energy."""
        return self._output.energy_wh is not None

    def fill(self, values: list, _duration_ms: int) -> None:
        """Put the power into a Report (0.5 W)."""
        power = self.power_dw
        if power is not None:
            values[_LAMP_POWER] = (power + 2) // 5
        self.states[0] = self._output.watch.state()

    def fill_health(self, values: list) -> None:
        """Put the energy (10 Wh) into a Health."""
        if self.metered:
            values[_H_ENERGY] = self._output.energy_wh // 10
