"""A program as far as a night needs it: a board holds no more from one noon to the next."""

BY_SUN = 0
BY_CELL = 1
BY_EITHER = 2

DEEP_S = 3600

_NO_STEP = 31


class Tonight:
    """When it is night and what a night asks for, for `lampione_light.level`; see `program`.

    What holds for a day is worked out by `sun_day(now)`, which returns (begin, on, off, end), and
    `lighting_day(now)`, which returns (begin, end, plan << 5, first level, effective steps); `now`
    is without the delay.

    Attributes:
        configured: whether there is a config.
        lamp, traffic, presence: the values of those sections.
        upkeep: rows, in order.
        source, dark_lx, bright_lx: of the section NIGHT.
        placed: whether the sun can be known.
        delay_s: how late everything happens.
    """

    configured = placed = False
    lamp: tuple = ()
    traffic: tuple = ()
    presence: tuple = ()
    upkeep: tuple = ()
    source = dark_lx = bright_lx = delay_s = 0
    sun: tuple = (0, 0, 0, 0)
    lighting: tuple = (0, 0, 0, 0, ())

    def sun_day(self, now: int) -> tuple:
        """See the class."""
        raise NotImplementedError

    def lighting_day(self, now: int) -> tuple:
        """See the class."""
        raise NotImplementedError

    def take(self, other: "Tonight") -> None:
        """Become what another one is."""
        self.configured, self.placed = other.configured, other.placed
        self.lamp, self.traffic, self.presence = other.lamp, other.traffic, other.presence
        self.upkeep, self.source, self.delay_s = other.upkeep, other.source, other.delay_s
        self.dark_lx, self.bright_lx = other.dark_lx, other.bright_lx
        self.sun, self.lighting = other.sun, other.lighting

    def is_night(self, now: "int | None", dark: "bool | None") -> "bool | None":
        """Say whether the lamp should be lit; None: nothing tells.

        Args:
            now: seconds since 2020-01-01 UTC, None while the clock is unset.
            dark: what the photocell says, None when it says nothing.
        """
        if now is None or not self.placed:
            return dark
        now -= self.delay_s
        if not self.sun[0] <= now < self.sun[3]:
            self.sun = self.sun_day(now)
        _, on, off, _ = self.sun
        if self.source == BY_CELL and dark is not None:
            return dark or on + DEEP_S <= now < off - DEEP_S
        return on <= now < off or (self.source != BY_SUN and bool(dark))

    def at(self, now: int) -> tuple:
        """Return (level, author) that the plan asks for: plan << 5 | step in force, 31 for none."""
        now -= self.delay_s
        if not self.lighting[0] <= now < self.lighting[1]:
            self.lighting = self.lighting_day(now)
        _, _, plan, first, steps = self.lighting
        found = None
        for step in steps:
            if step[0] > now:
                break
            found = step
        if found:
            return on_ramp(found, now), plan | min(found[1], _NO_STEP)
        return first, plan | _NO_STEP


def on_ramp(step: tuple, now: int) -> int:
    """Return the level at an instant since a step took effect, when no later one did."""
    when, _, ramp_s, target, before = step
    if now - when >= ramp_s:
        return target
    return before + (target - before) * (now - when) // ramp_s
