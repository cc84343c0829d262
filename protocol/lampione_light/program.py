"""A lighting program: when it is night, and which level a night asks for at an instant.

It is night by the sun from sunset to sunrise, with the config's minutes after each. A night lies
between two of the sun's own noons, wherever the place is in its zone: minutes that reach past a
noon end there. No more than NIGHT_LOSS_MIN are taken from either end of a night, and none where
nothing of it would be left. A photocell alone decides when it is told to, but DEEP_S after the
night has begun until DEEP_S before it ends by the sun no photocell makes it day: one that says so
is broken, or lit by a lamp. Without a place or a clock the photocell alone tells; without a
photocell's word the sun alone.

The calendar knows lighting days, from one local noon to the next, named by the first date. The
first rule that fits that date and its weekday chooses the plan, plan 0 without one; a plan that is
not there has no steps. A plan's steps lie on the clock, or minutes after sunset or sunrise, below 0
before it; one whose anchor is not known, or does not happen that night, is left out. In order of
their times they take effect, those before noon at noon; of some at one instant only the one written
last. Before the first of them the level is that of the first one written down, without any the
design level. A step to a lower level than the last one's waits until `dwell_s` after that one took
effect, and is left out where the next step comes before it is its turn, or with it. A ramp begins
with its step, from the level of that moment. At noon a new lighting day begins with a clean slate.

Everything happens `delay_s` late, a part of the node's own, so that a district does not switch as
one. Levels are 0.01 %.
"""

from lampione_light import civil, sun
from lampione_light.layout import (
    DEFAULTS,
    LAMP,
    NIGHT,
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

DEEP_S = 3600
NIGHT_LOSS_MIN = 120

_NOON_S = 43200
_NO_STEP = 31


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
        self._plans: dict = {}
        self._rules: list = []
        self.upkeep: list = []
        for section, content in sections(blob) if blob else ():
            if section == PLAN and content:
                self._plans[content[0]] = rows(PLAN, content[1:])
            elif section == RULES:
                self._rules = rows(RULES, content)
            elif section == UPKEEP:
                self.upkeep = sorted(rows(UPKEEP, content))
            elif section in found:
                found[section] = fields(section, content)
        self.lamp = found[LAMP]
        self.traffic = found[TRAFFIC]
        self.presence = found[PRESENCE]
        self._latitude, self._longitude, self._offset_min, self._summer = found[SITE]
        self.source, on_min, off_min, self.dark_lx, self.bright_lx = found[NIGHT]
        self._on_s = min(on_min, NIGHT_LOSS_MIN) * 60
        self._off_s = max(off_min, -NIGHT_LOSS_MIN) * 60
        self.placed = abs(self._latitude) <= 9000000 and abs(self._longitude) <= 18000000
        # The sun's day whose noon is nearest to a local noon: another by the date line.
        self._east_s = self._longitude * 3 // 1250
        self._shift = (self._east_s - self._offset_min * 60 + _NOON_S) // civil.DAY_S
        self.delay_s = spread(node, self.lamp[8])
        self._dwell_s = self.lamp[9]
        # Of the lighting day, and of the sun's, for which the rest was computed last.
        self._begin = self._end = self._sun_begin = self._sun_end = 0
        self._on = self._off = self._plan = self._first = 0
        self._steps: list = []

    def day(self, now: int) -> int:
        """Return the lighting day of an instant."""
        now -= self.delay_s
        local = now + civil.offset_s(now, self._offset_min, self._summer)
        day = (local - _NOON_S) // civil.DAY_S
        # Where the clock is changed at noon, the first noon counts.
        return day + (now >= self.noon(day + 1)) - (now < self.noon(day))

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

        Where the sun stays down the night begins, or ends, at the sun's noon; where it has set and
        then stays up the night ends at noon too: lit rather than dark. Only for a place that is
        known.
        """
        return self._night(day + self._shift)[1:3]

    def _night(self, day: int) -> tuple:
        """Return (noon, on, off, next noon), of a day of the sun's own."""
        noon = sun.noon(day, self._longitude)
        end = sun.noon(day + 1, self._longitude)
        sunset, what = self._event(day, False)
        if what == sun.ALWAYS_UP:
            return noon, noon, noon, end
        on = noon if what else min(max(noon, sunset + self._on_s), end)
        sunrise, up = self._event(day, True)
        off = end if up else max(noon, min(sunrise + self._off_s, end))
        if off <= on:
            on = noon if what else sunset
            off = end if up else max(on, sunrise)
        return noon, on, off, end

    def _event(self, day: int, rises: bool) -> tuple:
        """Return the sunset of a day of the sun's, or the sunrise that ends its night."""
        return sun.event(day + rises, self._latitude, self._longitude, rises)

    def steps(self, day: int) -> list:
        """Return [(when, which, ramp s, level), ...] of a lighting day in order, without the delay.

        Of all steps written down that have a time; which is the step's place in its plan.
        """
        found = []
        events: dict = {}
        which = 0
        for anchor, minutes, percent, ramp_s in self._plans.get(self.plan(day), ()):
            when = None
            if anchor == CLOCK:
                minutes %= 1440
                when = civil.to_utc(day + (minutes < 720), minutes, self._offset_min, self._summer)
            elif self.placed and anchor <= SUNRISE:
                if anchor not in events:
                    events[anchor] = self._event(day + self._shift, anchor == SUNRISE)
                when, what = events[anchor]
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

    def is_night(self, now: "int | None", dark: "bool | None") -> "bool | None":
        """Say whether the lamp should be lit; None: nothing tells.

        Args:
            now: seconds since 2020-01-01 UTC, None while the clock is unset.
            dark: what the photocell says, None when it says nothing.
        """
        if now is None or not self.placed:
            return dark
        now -= self.delay_s
        if not self._sun_begin <= now < self._sun_end:
            day = (now + self._east_s - _NOON_S) // civil.DAY_S
            # That was the mean sun, which is never 17 minutes off.
            day += now >= sun.noon(day + 1, self._longitude)
            day -= now < sun.noon(day, self._longitude)
            self._sun_begin, self._on, self._off, self._sun_end = self._night(day)
        if self.source == BY_CELL and dark is not None:
            return dark or self._on + DEEP_S <= now < self._off - DEEP_S
        return self._on <= now < self._off or (self.source != BY_SUN and bool(dark))

    def at(self, now: int) -> tuple:
        """Return (level, author) that the plan asks for: plan << 5 | step in force, 31 for none."""
        if not self._begin <= now - self.delay_s < self._end:
            day = self.day(now)
            self._steps = self.effective(day)
            self._plan = self.plan(day) << 5
            self._first = self.first(day)
            self._begin, self._end = self.noon(day), self.noon(day + 1)
        now -= self.delay_s
        found = None
        for step in self._steps:
            if step[0] > now:
                break
            found = step
        if found:
            return _on_ramp(found, now), self._plan | min(found[1], _NO_STEP)
        return self._first, self._plan | _NO_STEP


def _on_ramp(step: tuple, now: int) -> int:
    """Return the level at an instant since a step took effect, when no later one did."""
    when, _, ramp_s, target, before = step
    if now - when >= ramp_s:
        return target
    return before + (target - before) * (now - when) // ramp_s
