"""How long the lamp has burnt, and what it took: counted in minutes and Wh, kept once an hour."""

from time import ticks_diff, ticks_ms

from micropython import const

_SAVE_MIN = const(60)
_LIT_DW = const(20)  # 2 W: above a driver's stand-by
_WH = const(360_000)  # of W * 0.01 s


class BurnHours:
    """Counts into `state`; a power cut costs an hour at most, and the flash a write an hour.

    Args:
        state: its `burn_min` and `energy_wh` grow.
        lamp: whose level and rated power count where nobody measures.
        energy: the energy meter's part, which knows better, or None; `metered`: it counts energy.
    """

    def __init__(self, state, lamp, energy):
        self._state = state
        self._lamp = lamp
        self._energy = energy
        self._saved_min = state.burn_min
        self._ms = self._work = 0
        self._last_ms = ticks_ms()

    def step(self) -> None:
        """Take in the time since the last call, which is seconds ago."""
        state = self._state
        now = ticks_ms()
        passed = ticks_diff(now, self._last_ms)
        level = self._lamp.level_percent
        power = self._energy.power_dw if self._energy else None
        if level if power is None else power >= _LIT_DW:
            self._ms += passed
            state.burn_min += self._ms // 60_000
            self._ms %= 60_000
            if not self._energy or not self._energy.metered:
                self._work += self._lamp.rated_w * level // 10 * passed // 100
                state.energy_wh += self._work // _WH
                self._work %= _WH
            if state.burn_min - self._saved_min >= _SAVE_MIN:
                self._saved_min = state.burn_min
                state.save()
        self._last_ms = now
