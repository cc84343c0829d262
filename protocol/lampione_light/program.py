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
from lampione_light.tonight import BY_CELL, BY_EITHER, BY_SUN, DEEP_S, Tonight, on_ramp

__all__ = ["BY_CELL", "BY_EITHER", "BY_SUN", "CLOCK", "DEEP_S", "SUNRISE", "SUNSET", "Program"]

# What a step's minutes count from
CLOCK = 0
SUNSET = 1
SUNRISE = 2

NIGHT_LOSS_MIN = 120

_NOON_S = 43200


def spread(node: bytes, most: int) -> int:
    """Return a number from 0 to `most` that is the node's own: FNV-1a of its name, in 24 bits."""
    found = 0x9DC5
    for byte in node:
        found = ((found ^ byte) * 0x193) & 0xFFFFFF
    return found % (most + 1)


class Program(Tonight):
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
        for section, content in sections(blob) if blob else ():
            if section == PLAN and content:
                self._plans[content[0]] = rows(PLAN, content[1:])
            elif section == RULES:
                self._rules = rows(RULES, content)
            elif section == UPKEEP:
                self.upkeep = tuple(sorted(rows(UPKEEP, content)))
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
                level = on_ramp(found[-1], when)
            found.append((when, which, ramp_s, target, level))
        return found

    def sun_day(self, now: int) -> tuple:
        """See Tonight."""
        day = (now + self._east_s - _NOON_S) // civil.DAY_S
        # That was the mean sun, which is never 17 minutes off.
        day += now >= sun.noon(day + 1, self._longitude)
        day -= now < sun.noon(day, self._longitude)
        return self._night(day)

    def lighting_day(self, now: int) -> tuple:
        """See Tonight."""
        day = self.day(now + self.delay_s)
        return (
            self.noon(day),
            self.noon(day + 1),
            self.plan(day) << 5,
            self.first(day),
            self.effective(day),
        )
