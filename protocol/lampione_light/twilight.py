"""Whether a photocell says that it is dark: with a hysteresis of light and of time."""

_HOLD_S = 60  # headlights pass, and a lamp beside it may blink
_SILENT_S = 600


class Twilight:
    """Attributes: `dark`, True or False, and None while the photocell has said nothing of late.

    Args:
        dark_lx: dark below it.
        bright_lx: not dark above it.
    """

    def __init__(self, dark_lx: int, bright_lx: int) -> None:
        self._dark_lx = dark_lx
        self._bright_lx = max(dark_lx, bright_lx)
        self.dark: "bool | None" = None
        self._against_s = self._silent_s = 0

    def step(self, lux: "int | None", seconds: int) -> None:
        """Take what the photocell says, `seconds` after the last time; None: nothing."""
        if lux is None:
            self._silent_s += seconds
            self._against_s = 0
            if self._silent_s > _SILENT_S:
                self.dark = None
            return
        self._silent_s = 0
        if self.dark is None:
            self.dark = lux < self._bright_lx  # between the two it may be dusk as well as dawn
        elif lux > self._bright_lx if self.dark else lux < self._dark_lx:
            self._against_s += seconds
            if self._against_s > _HOLD_S:
                self.dark = not self.dark
                self._against_s = 0
        else:
            self._against_s = 0
