"""The lamp's level once more: slow, obvious, out of the docstrings of `lampione_light`.

Values come in as a `Config`, never as a blob. Time is datetime's and zoneinfo's, the sun is
astral's, where a test brings no other. Instants are seconds since 2020-01-01T00:00:00Z, levels
whole 0.01 %.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from astral import Observer
from astral.sun import elevation

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
DAY_S = 86400
HORIZON = -0.833  # of the sun's centre, degrees
BRUSSELS = ZoneInfo("Europe/Brussels")

SUN, CELL, EITHER = range(3)
CLOCK, SUNSET, SUNRISE = range(3)
DESIGN, PROGRAM, SENSOR, OVERRIDE, FAULT, GROUP, EMERGENCY, MAINTENANCE = range(8)
UP, DOWN = "up", "down"

Event = int | str


class Step(NamedTuple):
    anchor: int
    minutes: int
    percent: int
    ramp_s: int


class Rule(NamedTuple):
    weekdays: int
    first: tuple[int, int]
    last: tuple[int, int]
    plan: int


class Order(NamedTuple):
    kind: int
    level: int
    ramp_ms: int
    length_ms: int
    elapsed_ms: int
    start: int
    author: int


@dataclass(frozen=True)
class Config:
    """What a config says; the defaults are the layout's."""

    latitude: int | None = None
    longitude: int = 0
    offset_min: int = 60
    summer_time: int = 1
    design: int = 100
    minimum: int = 1
    maximum: int = 100
    rated_w: int = 0
    budget_w: int = 0
    spread_s: int = 0
    dwell_s: int = 0
    hot_c: int = 127
    hottest_c: int = 127
    hot_percent: int = 100
    upkeep: tuple[tuple[int, int], ...] = ()
    source: int = 2
    on_min: int = 0
    off_min: int = 0
    plans: dict[int, tuple[Step, ...]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    traffic: tuple[int, int, int] = (0, 100, 100)

    @property
    def placed(self) -> bool:
        known = self.latitude is not None and abs(self.latitude) <= 9000000
        return known and abs(self.longitude) <= 18000000


@dataclass(frozen=True)
class Senses:
    dark: bool | None = None
    reduction: int = 0
    fault: bool = False
    burn_h: int | None = None
    celsius: int | None = None


class Sky(Protocol):
    """The sun over a place, by its own days: from a noon on. UP, DOWN: it does not happen."""

    def noon(self, day: int) -> int: ...
    def sunset(self, day: int) -> Event: ...
    def sunrise(self, day: int) -> Event: ...


class AstralSky:
    """The sun as astral's elevations have it, without refraction: found by halving."""

    def __init__(self, latitude: int, longitude: int) -> None:
        self._latitude = latitude / 100000
        self._longitude = longitude / 100000
        self._found: dict[tuple[float, float], Event] = {}

    def height(self, now: float) -> float:
        """Return how high the centre of the sun stands, in degrees."""
        place = Observer(self._latitude, self._longitude)
        return elevation(place, EPOCH + timedelta(seconds=now), with_refraction=False)

    def noon(self, day: int) -> int:
        """The mean sun's: what depends on it is a quarter of an hour's matter."""
        return round(day * DAY_S + DAY_S / 2 - self._longitude * 240)

    def _crossing(self, noon: float, midnight: float) -> Event:
        if (noon, midnight) not in self._found:
            self._found[noon, midnight] = self._search(noon, midnight)
        return self._found[noon, midnight]

    def _search(self, light: float, dark: float) -> Event:
        if self.height(light) <= HORIZON:
            return DOWN
        if self.height(dark) >= HORIZON:
            return UP
        while abs(light - dark) > 0.5:
            middle = (light + dark) / 2
            if self.height(middle) > HORIZON:
                light = middle
            else:
                dark = middle
        return round(light)

    def sunset(self, day: int) -> Event:
        noon = self.noon(day)
        return self._crossing(noon, noon + DAY_S / 2)

    def sunrise(self, day: int) -> Event:
        noon = self.noon(day)
        return self._crossing(noon, noon - DAY_S / 2)


@cache
def summer(now: int) -> bool:
    """Say whether the European Union has summer time."""
    return bool((EPOCH + timedelta(seconds=now)).astimezone(BRUSSELS).dst())


def delay_s(node: bytes, most: int) -> int:
    """Return the node's own part: FNV-1a in 24 bits, from the low 16 bits of its basis."""
    value = 0x811C9DC5 & 0xFFFF
    for byte in node:
        value = (value ^ byte) * 16777619 % 2**24
    return value % (most + 1)


class Reference:
    """A program of a node, answered anew each time."""

    def __init__(self, config: Config, node: bytes, sky: Sky | None = None) -> None:
        self._config = config
        self.delay_s = delay_s(node, config.spread_s)
        self.sky: Sky | None = None
        if config.placed:
            assert config.latitude is not None
            self.sky = sky or AstralSky(config.latitude, config.longitude)

    # The wall clock

    def wall(self, now: int) -> datetime:
        """Return the local time, without a zone."""
        ahead = self._config.offset_min
        if self._config.summer_time == 1 and summer(now):
            ahead += 60
        return (EPOCH + timedelta(seconds=now, minutes=ahead)).replace(tzinfo=None)

    def instant(self, wall: datetime) -> int:
        """Return the first instant with a local time, or where it would be without the change."""
        standard = round((wall.replace(tzinfo=UTC) - EPOCH).total_seconds())
        standard -= self._config.offset_min * 60
        for candidate in (standard - 3600, standard):
            if self.wall(candidate) == wall:
                return candidate
        return standard

    def midnight(self, day: int) -> datetime:
        return datetime(2020, 1, 1) + timedelta(days=day)

    def noon(self, day: int) -> int:
        return self.instant(self.midnight(day) + timedelta(hours=12))

    def day(self, now: int) -> int:
        """Return the lighting day: the last whose noon has been."""
        day = (self.wall(now) - datetime(2020, 1, 1)).days + 2
        while self.noon(day) > now:
            day -= 1
        return day

    # Night

    def suns_day(self, day: int) -> int:
        """Return the sun's day whose mean noon is nearest to a local noon, standard time."""
        noon = day * DAY_S + DAY_S // 2 - self._config.offset_min * 60
        mean = DAY_S / 2 - self._config.longitude * 240 / 100000
        return math.floor((noon - mean) / DAY_S + 0.5)

    def night(self, day: int) -> tuple[int, int] | None:
        """Return when it begins and ends, of a day of the sun's, without the delay."""
        assert self.sky
        noon, end = self.sky.noon(day), self.sky.noon(day + 1)
        sunset, sunrise = self.sky.sunset(day), self.sky.sunrise(day + 1)
        if sunset == UP:
            return None
        begins = ends = None
        if isinstance(sunset, int):
            begins = sunset + min(self._config.on_min, 120) * 60
        if isinstance(sunrise, int):
            ends = sunrise + max(self._config.off_min, -120) * 60
        on = noon if begins is None else sorted((noon, begins, end))[1]
        off = end if ends is None else sorted((noon, ends, end))[1]
        if on >= off:
            on = sunset if isinstance(sunset, int) else noon
            off = sunrise if isinstance(sunrise, int) else end
        return on, off

    def is_night(self, now: int | None, dark: bool | None) -> bool | None:
        if now is None or not self.sky:
            return dark
        now -= self.delay_s
        day = now // DAY_S + 2
        while self.sky.noon(day) > now:
            day -= 1
        night = self.night(day)
        by_sun = night is not None and night[0] <= now < night[1]
        deep = night is not None and night[0] + 3600 <= now < night[1] - 3600
        if self._config.source == SUN or dark is None:
            return by_sun
        if self._config.source == CELL:
            return dark or deep
        return dark or by_sun

    # The plan

    def plan(self, day: int) -> int:
        date = self.midnight(day)
        for rule in self._config.rules:
            if not rule.weekdays & (1 << date.weekday()):
                continue
            today = date.month, date.day
            if rule.first <= rule.last:
                fits = rule.first <= today <= rule.last
            else:
                fits = not rule.last < today < rule.first
            if fits:
                return rule.plan
        return 0

    def times(self, day: int) -> Iterator[tuple[int, int, Step]]:
        """Yield (when, place in the plan, step)."""
        for place, step in enumerate(self._config.plans.get(self.plan(day), ())):
            if step.anchor == CLOCK:
                minutes = step.minutes % 1440
                wall = self.midnight(day) + timedelta(minutes=minutes)
                if minutes < 720:
                    wall += timedelta(days=1)
                yield self.instant(wall), place, step
            elif self.sky and step.anchor in (SUNSET, SUNRISE):
                own = self.suns_day(day)
                sunset = step.anchor == SUNSET
                event = self.sky.sunset(own) if sunset else self.sky.sunrise(own + 1)
                if isinstance(event, int):
                    yield event + step.minutes * 60, place, step

    def planned(self, now: int) -> tuple[int, int]:
        """Return (level, author): go through the night until now, a step waiting at most."""
        now -= self.delay_s
        day = self.day(now)
        number = self.plan(day)
        plan = self._config.plans.get(number, ())
        first = min(plan[0].percent if plan else self._config.design, 100) * 100

        written = {when: (place, step) for when, place, step in sorted(self.times(day))}
        done: list[tuple[int, int, int, int, int]] = []  # when, place, from, to, ramp
        waiting: tuple[int, int, Step] | None = None

        def level(when: int) -> int:
            if not done:
                return first
            begun, _, before, target, ramp_s = done[-1]
            if when - begun >= ramp_s:
                return target
            return math.floor(before + Fraction((target - before) * (when - begun), ramp_s))

        def take(when: int) -> None:
            nonlocal waiting
            if waiting and waiting[0] < when:
                turn, place, step = waiting
                done.append((turn, place, level(turn), min(step.percent, 100) * 100, step.ramp_s))
            waiting = None

        for when in sorted(written):
            take(min(when, now + 1))
            if when > now:
                break
            place, step = written[when]
            waiting = when, place, step
            if done and min(step.percent, 100) * 100 < done[-1][3]:
                waiting = max(when, done[-1][0] + self._config.dwell_s), place, step
        take(now + 1)
        return level(now), number * 32 + (min(done[-1][1], 31) if done else 31)

    # The level

    def upkeep(self, burn_h: int | None) -> int:
        """Return percent."""
        rows = sorted((hours * 10, percent) for hours, percent in self._config.upkeep)
        if burn_h is None or not rows:
            return 100
        before = [row for row in rows if row[0] <= burn_h]
        after = [row for row in rows if row[0] > burn_h]
        if not before:
            return after[0][1]
        if not after:
            return before[-1][1]
        (h1, p1), (h2, p2) = before[-1], after[0]
        return math.floor(p1 + Fraction((p2 - p1) * (burn_h - h1), h2 - h1))

    def limit(self, celsius: int | None) -> int:
        config = self._config
        most = 10000
        if config.rated_w and config.budget_w:
            most = min(most, config.budget_w * 10000 // config.rated_w)
        if celsius is not None and celsius > config.hot_c:
            share = Fraction(min(config.hot_percent, 100))
            if celsius < config.hottest_c:
                way = Fraction(celsius - config.hot_c, config.hottest_c - config.hot_c)
                share = 100 - (100 - config.hot_percent) * way
            most = most * min(math.ceil(share), 100) // 100
        return most

    def level(
        self, now: int | None, sensed: Senses, orders: Sequence[Order]
    ) -> tuple[int, int, int]:
        """Return (level, reason, author)."""
        config = self._config
        by_kind = {order.kind: order for order in orders if in_force(order)}
        least = max(1, min(config.minimum, 100)) * 100
        post = self.limit(sensed.celsius)
        most = min(post, config.maximum * 100)

        def bounded(level: int, most: int) -> int:
            return max(least, min(level, most))

        if order := by_kind.get(MAINTENANCE):
            return min(on_its_way(order), post), MAINTENANCE, order.author
        if order := by_kind.get(EMERGENCY):
            return bounded(on_its_way(order), post), EMERGENCY, order.author
        night = self.is_night(now, sensed.dark)
        design = bounded(config.design * 100, most)
        if sensed.fault:
            return (0 if night is False else design), FAULT, 0
        if order := by_kind.get(OVERRIDE):
            level = on_its_way(order)
            return (bounded(level, most) if level else 0), OVERRIDE, order.author
        if night is False:
            return 0, PROGRAM, 0
        if now is None:
            return design, FAULT, 0
        if night is None:
            return design, DESIGN, 0
        level, author = self.planned(now)
        reason = PROGRAM
        percent = config.traffic[sensed.reduction] if sensed.reduction else 100
        if percent < 100:
            level, reason = level * percent // 100, SENSOR
        for kind in (SENSOR, GROUP):
            order = by_kind.get(kind)
            if order and walked(level, order) > level:
                level, reason, author = walked(level, order), kind, order.author
        return bounded(level * self.upkeep(sensed.burn_h) // 100, most), reason, author


def in_force(order: Order) -> bool:
    length = order.length_ms
    if order.kind in (SENSOR, GROUP):
        length += order.ramp_ms
    return order.elapsed_ms < length


def way(start: int, end: int, part: int, whole: int) -> int:
    """Return what lies on a line."""
    if part >= whole:
        return end
    return math.floor(start + Fraction((end - start) * part, whole))


def on_its_way(order: Order) -> int:
    return way(order.start, order.level, order.elapsed_ms, order.ramp_ms)


def walked(base: int, order: Order) -> int:
    """Return the level with somebody walking."""
    if order.level <= base:
        return base
    top = way(base, order.level, order.elapsed_ms, order.ramp_ms)
    if order.elapsed_ms < order.length_ms:
        return top
    return way(top, base, order.elapsed_ms - order.length_ms, order.ramp_ms)
