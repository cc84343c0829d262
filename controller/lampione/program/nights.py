"""A year's nights of a program: when the lamp is lit, and which step is in force when."""

from collections.abc import Iterator
from typing import NamedTuple

from lampione_light import civil
from lampione_light.layout import FORMAT, SITE, sections
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
    on, off: lit from, and until; the same: not at all.
    sunset, sunrise: the same where the sun stays up, noon and noon where it stays down.
    steps: those that have a time, (when, which, ramp s, level), in order.
    held: what is in force, from noon or earlier on, whether it is lit or not.
    """

    day: int
    plan: int
    noon: int
    end: int
    on: int
    off: int
    sunset: int
    sunrise: int
    steps: list[tuple[int, int, int, int]]
    held: list[Held]

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


def _held(program: Program, day: int, noon: int, end: int) -> list[Held]:
    steps = program.effective(day)
    level = program.first(day)
    starts = [step[0] for step in steps] + [end]
    found = [Held(NO_STEP, noon, starts[0], 0, level, level)]
    for (when, which, ramp_s, target, before), until in zip(steps, starts[1:], strict=True):
        found.append(Held(which, when, until, ramp_s, target, before))
    return found


def of(blob: bytes, node: str, year: int) -> Iterator[Night]:
    """Yield the nights of a year. Raises ValueError for a config without a place, ConfigError."""
    program = Program(blob, node.encode())
    if not program.placed:
        raise ValueError("a config without a place has no nights")
    sun = Program(place_alone(blob), b"")
    for day in days(year):
        noon, end = program.noon(day), program.noon(day + 1)

        def inside(window: tuple[int, int], noon: int = noon, end: int = end) -> tuple[int, int]:
            on, off = max(window[0], noon), min(window[1], end)
            return on, max(on, off)

        on, off = inside(program.window(day))
        sunset, sunrise = inside(sun.window(day))
        held = _held(program, day, noon, end)
        yield Night(
            day, program.plan(day), noon, end, on, off, sunset, sunrise, program.steps(day), held
        )
