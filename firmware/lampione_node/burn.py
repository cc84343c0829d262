"""How long the lamp has burnt: counted in minutes, kept on flash once an hour."""

from time import ticks_diff, ticks_ms

from micropython import const

_SAVE_MIN = const(60)
_LIT_DW = const(20)  # 2 W: above a driver's stand-by


class BurnHours:
    """Counts into `state.burn_min`; a power cut costs an hour at most.

    `energy`: the energy meter's part, which knows better than the level, or None.
    """

    def __init__(self, state, lamp, energy):
        self._state = state
        self._lamp = lamp
        self._energy = energy
        self._saved_min = state.burn_min
        self._ms = 0
        self._last_ms = ticks_ms()

    def step(self) -> None:
        """Take in the time since the last call, which is seconds ago."""
        state = self._state
        now = ticks_ms()
        power = self._energy.power_dw if self._energy else None
        if self._lamp.level_percent if power is None else power >= _LIT_DW:
            self._ms += ticks_diff(now, self._last_ms)
            state.burn_min += self._ms // 60_000
            self._ms %= 60_000
            if state.burn_min - self._saved_min >= _SAVE_MIN:
                self._saved_min = state.burn_min
                state.save()
        self._last_ms = now
