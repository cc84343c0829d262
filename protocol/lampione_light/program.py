"""A lighting program: when it is night, and which level a night asks for at an instant.

A night belongs to a lighting day, from one local noon to the next, named by its first date. The
first rule that fits that date and its weekday chooses the plan, plan 0 without one. A plan's steps
lie on the clock, or minutes after sunset or before and after sunrise. In order of their times they
take effect; before the first of them the level is that of the first one written down. A step that
lowers the level sooner than `dwell_s` after the last change waits, and is left out where the next
step comes before it is its turn. A ramp begins with its step, from the level of that moment.

Everything happens `delay_s` late, a part of the node's own, so that a district does not switch as
one. Levels are 0.01 %.
"""

from lampione_light import civil, sun
from lampione_light.layout import (
    DEFAULTS,
    LAMP,
    NIGHT,
    NOWHERE,
    PLAN,
    PRESENCE,
    RULES,
    SITE,
    TRAFFIC,
    UPKEEP,
    fields,
    rows,
    sections,
)

# What says that it is night
BY_SUN = 0
BY_CELL = 1
BY_EITHER = 2

# What a step's minutes count from
CLOCK = 0
SUNSET = 1
SUNRISE = 2

_NOON_S = 43200
_NO_STEP = 31
_NO_DAY = -1 << 29


def spread(node: bytes, most: int) -> int:
    """Return a number from 0 to `most` that is the node's own: FNV-1a of its name, in 24 bits."""
    found = 0x9DC5
    for byte in node:
        found = ((found ^ byte) * 0x193) & 0xFFFFFF
    return found % (most + 1)


class Program:
    """What a config says of the light.

    Args:
        blob: of a config; None or empty: the defaults, which is the design level all the time.
        node: the node's name.

    Raises ConfigError.
    """

    def __init__(self, blob: "bytes | bytearray | memoryview | None", node: bytes) -> None:
        found = dict(DEFAULTS)
        self.configured = bool(blob)
        self._plans: dict = {}
        self._rules: list = []
        self.upkeep: list = []
        for section, content in sections(blob) if blob else ():
            if section == PLAN and content:
                self._plans[content[0]] = rows(PLAN, content[1:])
            elif section == RULES:
                self._rules = rows(RULES, content)
            elif section == UPKEEP:
                self.upkeep = rows(UPKEEP, content)
            elif section in found:
                found[section] = fields(section, content)
        self.lamp = found[LAMP]
        self.traffic = found[TRAFFIC]
        self.presence = found[PRESENCE]
        self.latitude, self._longitude, self._offset_min, self._summer = found[SITE]
        self.source, self._on_min, self._off_min, self.dark_lx, self.bright_lx = found[NIGHT]
        self.placed = self.latitude != NOWHERE and abs(self.latitude) <= 9000000
        self.delay_s = spread(node, self.lamp[8])
        self._dwell_s = self.lamp[9]
        self._day = _NO_DAY
        self._on = self._off = 0
        self._steps: list = []

    def day(self, now: int) -> int:
        """Return the lighting day of an instant."""
        now -= self.delay_s
        local = now + civil.offset_s(now, self._offset_min, self._summer)
        return (local - _NOON_S) // civil.DAY_S

    def plan(self, day: int) -> int:
        """Return the number of a lighting day's plan."""
        _, month, of_month = civil.date_of(day)
        date = month, of_month
        for weekdays, month, of_month, last_month, last_of_month, plan in self._rules:
            if weekdays >> civil.weekday(day) & 1:
                first = month, of_month
                last = last_month, last_of_month
                if first <= last:
                    if first <= date <= last:
                        return plan
                elif date >= first or date <= last:  # over the turn of the year
                    return plan
        return 0

    def noon(self, day: int) -> int:
        """Return the instant of a day's local noon."""
        return civil.to_utc(day, 720, self._offset_min, self._summer)

    def window(self, day: int) -> tuple:
        """Return (on, off) of a lighting day by the sun, without the delay; on == off: no night.

        Where the sun stays down the night begins, or ends, at noon; where it has set and then
        stays up the night ends at noon too: lit rather than dark. Only for a place that is known.
        """
        begins, what = sun.event(day, self.latitude, self._longitude, False)
        if what == sun.ALWAYS_UP:
            return begins, begins
        on = self.noon(day) if what else begins + self._on_min * 60
        ends, what = sun.event(day + 1, self.latitude, self._longitude, True)
        off = self.noon(day + 1) if what else ends + self._off_min * 60
        return on, max(on, off)

    def steps(self, day: int) -> list:
        """Return [(when, which, ramp s, level), ...] of a lighting day in order, without the delay.

        Of all steps written down that have a time; which is the step's place in its plan.
        """
        found = []
        which = 0
        for anchor, minutes, percent, ramp_s in self._plans.get(self.plan(day), ()):
            when = None
            if anchor == CLOCK:
                minutes %= 1440
                when = civil.to_utc(day + (minutes < 720), minutes, self._offset_min, self._summer)
            elif self.placed:
                rises = anchor == SUNRISE
                when, what = sun.event(day + rises, self.latitude, self._longitude, rises)
                when = None if what else when + minutes * 60
            if when is not None:
                found.append((when, which, ramp_s, min(percent, 100) * 100))
            which += 1
        found.sort()
        return found

    def first(self, day: int) -> int:
        """Return the level of a lighting day before its first step; without a plan the design."""
        plan = self._plans.get(self.plan(day))
        return min(plan[0][2] if plan else self.lamp[0], 100) * 100

    def effective(self, day: int) -> list:
        """Return [(when, which, ramp s, level, level before), ...] of those that take effect."""
        steps = self.steps(day)
        found: list = []
        level = self.first(day)
        for n in range(len(steps)):
            when, which, ramp_s, target = steps[n]
            if found and target < found[-1][3]:
                when = max(when, found[-1][0] + self._dwell_s)
                if n + 1 < len(steps) and steps[n + 1][0] <= when:
                    continue
            if found:
                level = _on_ramp(found[-1], when)
            found.append((when, which, ramp_s, target, level))
        return found

    def _prepare(self, now: int) -> None:
        day = self.day(now)
        if day != self._day:
            self._steps = self.effective(day)
            if self.placed:
                self._on, self._off = self.window(day)
            self._day = day

    def is_night(self, now: "int | None", dark: "bool | None") -> "bool | None":
        """Say whether the lamp should be lit; None: nothing tells.

        Args:
            now: seconds since 2020-01-01 UTC, None while the clock is unset.
            dark: what the photocell says, None when it says nothing.
        """
        if now is None or not self.placed or (self.source == BY_CELL and dark is not None):
            return dark
        self._prepare(now)
        by_sun = self._on <= now - self.delay_s < self._off
        return by_sun or (self.source == BY_EITHER and bool(dark))

    def at(self, now: int) -> tuple:
        """Return (level, author) that the plan asks for: plan << 5 | step in force, 31 for none."""
        self._prepare(now)
        now -= self.delay_s
        plan = self.plan(self._day)
        found = None
        for step in self._steps:
            if step[0] > now:
                break
            found = step
        if found:
            return _on_ramp(found, now), plan << 5 | min(found[1], _NO_STEP)
        return self.first(self._day), plan << 5 | _NO_STEP


def _on_ramp(step: tuple, now: int) -> int:
    """Return the level at an instant since a step took effect, when no later one did."""
    when, _, ramp_s, target, before = step
    if now - when >= ramp_s:
        return target
    return before + (target - before) * (now - when) // ramp_s
