"""What can be set of the light: the lamp, the night, plans, the calendar, traffic, presence.

`lampione_light` says what each of them does.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lampione.config.table import Table, setting

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ANCHORS = ("", "sunset", "sunrise")
STEPS_MAX = 31
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SUN = re.compile(r"(sunset|sunrise)(?:([+-])(?:([0-9]{1,2})h)?(?:([0-9]{1,3})m)?)?")
_OFFSET_MAX_MIN = 720
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE = re.compile(r"([0-9]{2})-([0-9]{2})")

Percent = Annotated[int, Field(ge=1, le=100)]


def minutes_of(at: str) -> tuple[int, int]:
    """Return (anchor, minutes) of "22:30", "sunset", "sunset+30m", "sunrise-1h30m".

    Raises ValueError.
    """
    clock = _CLOCK.fullmatch(at)
    if clock:
        return 0, int(clock[1]) * 60 + int(clock[2])
    sun = _SUN.fullmatch(at)
    if not sun or at.endswith(("+", "-")):
        raise ValueError(f"{at!r} is not a time: write 22:30, sunset, sunset+30m or sunrise-1h30m")
    minutes = int(sun[3] or 0) * 60 + int(sun[4] or 0)
    if minutes > _OFFSET_MAX_MIN:
        raise ValueError(f"{at!r}: 12 hours from the sun at most")
    return ANCHORS.index(sun[1]), -minutes if sun[2] == "-" else minutes


def at_text(anchor: int, minutes: int) -> str:
    """Return what `minutes_of` reads. Raises ValueError for an anchor that is not known."""
    if anchor == 0:
        return f"{minutes % 1440 // 60:02}:{minutes % 60:02}"
    if anchor >= len(ANCHORS):
        raise ValueError(f"anchor {anchor} is not known here")
    hours, rest = divmod(abs(minutes), 60)
    offset = (f"{hours}h" if hours else "") + (f"{rest}m" if rest else "")
    return ANCHORS[anchor] + (("-" if minutes < 0 else "+") + offset if offset else "")


def date_of(text: str) -> tuple[int, int]:
    """Return (month, day) of "12-24". Raises ValueError."""
    found = _DATE.fullmatch(text)
    if found:
        month, day = int(found[1]), int(found[2])
        if 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]:
            return month, day
    raise ValueError(f"{text!r} is not a date: write month-day, as 12-24")


def _same_at(text: str) -> str:
    return at_text(*minutes_of(text))


def _date(text: str) -> str:
    date_of(text)
    return text


def _weekdays(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(day for day in WEEKDAYS if day in given)


At = Annotated[str, AfterValidator(_same_at)]
Date = Annotated[str, AfterValidator(_date)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Weekdays = Annotated[
    tuple[Weekday, ...], Field(min_length=1, max_length=7, strict=False), AfterValidator(_weekdays)
]


class Upkeep(Table):
    """Constant light output: the share of full output that gives the light as planned."""

    hours: int = setting(..., "hours burnt, in tens", "h", ge=0, le=655350, multiple_of=10)
    percent: int = setting(..., "of full output, until the lamp has aged", "%", ge=1, le=100)


class Lamp(Table):
    """The luminaire, and what the post allows it."""

    design_percent: int = setting(
        100, "what the lamp falls back to on any fault: never dark", "%", ge=1, le=100
    )
    min_percent: int = setting(1, "least level of a lamp that is lit", "%", ge=1, le=100)
    max_percent: int = setting(
        100, "greatest level, but for emergency and maintenance", "%", ge=1, le=100
    )
    rated_w: int = setting(0, "what it takes at 100 %; 0: unknown", "W", ge=0, le=1000)
    budget_w: int = setting(0, "what the post may spend on light; 0: no limit", "W", ge=0, le=1000)
    curve: Literal["linear", "logarithmic"] = setting(
        "linear", "how the driver answers its dimming input"
    )
    duty_low: int = setting(0, "PWM duty at the lowest level, as measured", "0.1 %", ge=0, le=1000)
    duty_high: int = setting(1000, "PWM duty at 100 %, as measured", "0.1 %", ge=0, le=1000)
    start_delay_s: int = setting(
        0,
        "everything happens up to so much later, each node at its own moment, so that a district "
        "does not switch as one",
        "s",
        ge=0,
        le=255,
    )
    dwell_s: int = setting(0, "least time before the program dims again", "s", ge=0, le=65535)
    hot_c: int = setting(127, "above it the lamp is dimmed", "°C", ge=-40, le=127)
    hottest_c: int = setting(127, "from here on to `hot_percent`", "°C", ge=-40, le=127)
    hot_percent: int = setting(100, "of the level, when hottest", "%", ge=1, le=100)
    upkeep: tuple[Upkeep, ...] = setting(
        (),
        "constant light output: the share of full output by hours burnt, on a line between the "
        "rows",
        strict=False,
        max_length=16,
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.min_percent > self.max_percent:
            raise ValueError("min_percent is above max_percent")
        if self.duty_low == self.duty_high:
            raise ValueError("duty_low and duty_high are the same: the lamp could not be dimmed")
        if self.hot_c > self.hottest_c:
            raise ValueError("hot_c is above hottest_c")
        hours = [row.hours for row in self.upkeep]
        if hours != sorted(set(hours)):
            raise ValueError("upkeep: the hours rise from row to row")
        return self


class Night(Table):
    """When it is night."""

    source: Literal["sun", "photocell", "either"] = setting(
        "either", "what says that it is dark; either: one of the two is enough"
    )
    on_min: int = setting(0, "minutes after sunset; before it: below 0", "min", ge=-720, le=720)
    off_min: int = setting(0, "minutes after sunrise; before it: below 0", "min", ge=-720, le=720)
    dark_lx: int = setting(20, "dark below it", "lx", ge=1, le=65535)
    bright_lx: int = setting(35, "not dark above it", "lx", ge=1, le=65535)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.dark_lx > self.bright_lx:
            raise ValueError("dark_lx is above bright_lx")
        return self


class Step(Table):
    """A step of a plan."""

    at: At = setting(..., "when: 22:30, sunset, sunset+30m, sunrise-1h30m")
    percent: int = setting(..., "the level from then on", "%", ge=1, le=100)
    ramp_s: int = setting(0, "how long it takes to get there", "s", ge=0, le=65535)


Steps = Annotated[tuple[Step, ...], Field(strict=False, max_length=STEPS_MAX)]


class Plan(Table):
    """What a night's levels are."""

    number: int = setting(..., "what rules call it; 0: of nights that no rule claims", ge=0, le=255)
    steps: Steps = setting((), "in the order of a night", strict=False, max_length=STEPS_MAX)


class RuleDates(Table):
    """Which nights a rule claims: a night is named by the date of its evening."""

    weekdays: Weekdays = setting(WEEKDAYS, "mon to sun", strict=False)
    first: Date = setting("01-01", "from this date on, month-day")
    last: Date = setting("12-31", "to this date; over the turn of the year where it is earlier")


class Rule(RuleDates):
    """A rule of the calendar: the first that fits chooses the plan."""

    plan: int = setting(..., "the plan's number", ge=0, le=255)


class Traffic(Table):
    """How far the light follows the traffic: UNI 11248:2016, annex D, by the post's own radar."""

    service_vph: int = setting(
        0, "the road's service flow of a lane, vehicles an hour; 0: no reduction", "1/h",
        ge=0, le=65535,
    )  # fmt: skip
    below_half_percent: int = setting(
        100, "of the plan's level, below half of the service flow", "%", ge=1, le=100
    )
    below_quarter_percent: int = setting(
        100, "of the plan's level, below a quarter of it", "%", ge=1, le=100
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.below_quarter_percent > self.below_half_percent:
            raise ValueError("below_quarter_percent is above below_half_percent")
        return self


class Presence(Table):
    """More light where somebody walks. It only raises."""

    percent: int = setting(0, "the level then; 0: no boost", "%", ge=0, le=100)
    hold_s: int = setting(60, "how long after the last step", "s", ge=1, le=510)
    ramp_s: float = setting(2.0, "up, and down again, in tenths", "s", ge=0, le=25.5)
    reach: int = setting(
        0, "neighbours on either side, in the group's order, that brighten too", ge=0, le=255
    )

    @model_validator(mode="after")
    def _tenths(self) -> Self:
        if round(self.ramp_s, 1) != self.ramp_s:
            raise ValueError("ramp_s: in steps of 0.1 s")
        return self
