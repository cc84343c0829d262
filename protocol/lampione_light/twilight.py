"""Whether a photocell says that it is dark: with a hysteresis of light and of time.

Its first word counts at once, and so does the first after it was silent for longer than _SILENT_S.
From then on it turns over when every reading for _HOLD_S, silence none, has been beyond the other
threshold.
"""

_HOLD_S = 60  # headlights pass, and a lamp beside it may blink
_SILENT_S = 600
_NOT = -1


class Twilight:
    """Attributes: `dark`, True or False, and None while the photocell has said nothing of late.

    Args:
        dark_lx: dark below it; 0 counts as 1, which a night can reach.
        bright_lx: not dark above it; `dark_lx` when it is less.
    """

    def __init__(self, dark_lx: int, bright_lx: int) -> None:
        self._dark_lx = max(1, dark_lx)
        self._bright_lx = max(self._dark_lx, bright_lx)
        self.dark: "bool | None" = None
        self._silent_s = 0
        self._against_s = _NOT  # how long it has been beyond the other threshold

    def step(self, lux: "int | None", seconds: int) -> None:
        """Take what the photocell says, `seconds` after the last time; None: nothing."""
        if lux is None:
            self._silent_s += seconds
            self._against_s = _NOT
            if self._silent_s > _SILENT_S:
                self.dark = None
            return
        self._silent_s = 0
        if self.dark is None:
            self.dark = lux < self._bright_lx  # between the two it may be dusk as well as dawn
        elif lux > self._bright_lx if self.dark else lux < self._dark_lx:
            # What lies before the first such reading is not known.
            self._against_s = 0 if self._against_s == _NOT else self._against_s + seconds
            if self._against_s >= _HOLD_S:
                self.dark = not self.dark
                self._against_s = _NOT
        else:
            self._against_s = _NOT
