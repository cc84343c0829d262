"""A year's nights of a program: when the lamp is lit, and which step is in force when."""

from collections.abc import Iterator
from typing import NamedTuple

from lampione_light import civil
from lampione_light.layout import DEFAULTS, FORMAT, NIGHT, SITE, fields, sections
from lampione_light.program import Program

NO_STEP = -1  # before the first one


class Held(NamedTuple):
    """A step while it is in force. Levels are 0.01 %.

    which: the step's place in its plan, or NO_STEP.
    before: the level that its ramp begins with.
    """

    which: int
    start: int
    end: int
    ramp_s: int
    level: int
    before: int

    def at(self, when: int) -> float:
        """Return the level at an instant of its time."""
        if when - self.start >= self.ramp_s:
            return self.level
        return self.before + (self.level - self.before) * (when - self.start) / self.ramp_s


class Night(NamedTuple):
    """A lighting day. Instants are seconds since 2020-01-01 UTC, without the node's delay.

    noon, end: the lighting day's, from noon to noon.
    spans: (from, until) of each time that it is lit: one as a rule, none where the sun stays up,
        two where it comes up for a while around the clock's noon.
    dark_s: from sunset to sunrise.
    asked_s: what the config's minutes would leave of that.
    steps: those that have a time, (when, which, ramp s, level), in order.
    held: what is in force, from noon or earlier on, whether it is lit or not.
    """

    day: int
    plan: int
    noon: int
    end: int
    spans: tuple[tuple[int, int], ...]
    dark_s: int
    asked_s: int
    steps: list[tuple[int, int, int, int]]
    held: list[Held]

    @property
    def on(self) -> int:
        """Lit from here on; where it is not lit at all, noon."""
        return self.spans[0][0] if self.spans else self.noon

    @property
    def off(self) -> int:
        """Lit until here."""
        return self.spans[-1][1] if self.spans else self.noon

    @property
    def lit_s(self) -> int:
        """How long it is lit."""
        return sum(end - start for start, end in self.spans)

    @property
    def lit(self) -> list[Held]:
        """What is in force while the lamp is lit, from and until then."""
        return [h for h in self.held if max(h.start, self.on) < min(h.end, self.off)]


def place_alone(blob: bytes) -> bytes:
    """Return a config that has nothing but the site of another: lit from sunset to sunrise."""
    found = bytes([FORMAT])
    for section, content in sections(blob):
        if section == SITE:
            found += bytes([SITE]) + len(content).to_bytes(2, "big") + bytes(content)
    return found


def days(year: int) -> range:
    """Return the lighting days of a year: those that begin in it."""
    return range(civil.day_of(year, 1, 1), civil.day_of(year + 1, 1, 1))


def _spans(program: Program, day: int, noon: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return what the nights of the sun's own days leave lit of a lighting day."""
    found: list[tuple[int, int]] = []
    for one in (day - 1, day, day + 1):
        on, off = program.window(one)
        on, off = max(on, noon), min(off, end)
        if on < off:
            if found and found[-1][1] >= on:
                on = found.pop()[0]
            found.append((on, off))
    return tuple(found)


def _held(program: Program, day: int, noon: int, end: int) -> list[Held]:
    steps = program.effective(day)
    level = program.first(day)
    starts = [step[0] for step in steps] + [end]
    found = [Held(NO_STEP, noon, starts[0], 0, level, level)]
    for (when, which, ramp_s, target, before), until in zip(steps, starts[1:], strict=True):
        found.append(Held(which, when, until, ramp_s, target, before))
    return found


class Nights:
    """The nights of a node's config. Raises ValueError for one without a place, ConfigError."""

    def __init__(self, blob: bytes, node: str) -> None:
        self._program = Program(blob, node.encode())
        if not self._program.placed:
            raise ValueError("a config without a place has no nights")
        self._sun = Program(place_alone(blob), b"")
        said = [fields(NIGHT, c) for number, c in sections(blob) if number == NIGHT]
        _, on_min, off_min, *_ = said[-1] if said else DEFAULTS[NIGHT]
        self._longer_s = 60 * (off_min - on_min)

    def of(self, day: int) -> Night:
        """Return a lighting day's."""
        program = self._program
        noon, end = program.noon(day), program.noon(day + 1)
        dark_s = sum(until - start for start, until in _spans(self._sun, day, noon, end))
        return Night(
            day,
            program.plan(day),
            noon,
            end,
            _spans(program, day, noon, end),
            dark_s,
            dark_s + self._longer_s,
            program.steps(day),
            _held(program, day, noon, end),
        )

    def at(self, now: int) -> Night:
        """Return that which holds an instant, or that comes next: from noon to noon."""
        program = self._program
        day = next(d for d in range(now // civil.DAY_S - 2, now // civil.DAY_S + 3)
                   if now < program.noon(d + 1))  # fmt: skip
        return self.of(day)


def of(blob: bytes, node: str, year: int) -> Iterator[Night]:
    """Yield the nights of a year. Raises as `Nights` does."""
    nights = Nights(blob, node)
    for day in days(year):
        yield nights.of(day)
