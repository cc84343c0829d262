"""Every night of a year: the level, the hours, the energy, and what is saved against full-on.

Nothing is stepped through: the level of a night is a few straight lines, whose areas add up. By
the sun alone, without photocell, walkers and orders. A lamp's power is taken as
proportional to its level; full-on is 100 % from sunset to sunrise.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from lampione_light import civil
from lampione_light.level import limit, upkeep_percent
from lampione_light.program import Program

from lampione.program import nights
from lampione.program.nights import Night


class Line(NamedTuple):
    """The level between two instants, a straight line; 0.01 %."""

    start: float
    end: float
    first: float
    last: float


class Totals(NamedTuple):
    """Of a night, or of several.

    full_load_s: the time that the lamp at 100 % would take for the same energy.
    full_on_s: from sunset to sunrise.
    rated_w: 0: unknown, and so is the energy.
    """

    nights: int
    lit_s: float
    full_load_s: float
    full_on_s: float
    rated_w: int

    @property
    def level_percent(self) -> float | None:
        """The mean while the lamp is lit."""
        return self.full_load_s / self.lit_s * 100 if self.lit_s else None

    @property
    def kwh(self) -> float | None:
        """What the lamp takes."""
        return self._kwh(self.full_load_s)

    @property
    def full_on_kwh(self) -> float | None:
        """What it would take full-on."""
        return self._kwh(self.full_on_s)

    @property
    def saved_kwh(self) -> float | None:
        """What is saved against full-on; below zero: it takes more."""
        return self._kwh(self.full_on_s - self.full_load_s)

    @property
    def saved_percent(self) -> float | None:
        """What is saved of full-on; None where the sun never sets."""
        return (1 - self.full_load_s / self.full_on_s) * 100 if self.full_on_s else None

    def _kwh(self, seconds: float) -> float | None:
        return self.rated_w * seconds / 3.6e6 if self.rated_w else None


class Lit(NamedTuple):
    """A night and its level; instants with the node's delay in them."""

    night: Night
    on: int
    off: int
    lines: tuple[Line, ...]
    totals: Totals

    def at(self, when: float) -> float:
        """Return the level at an instant, 0.01 %; 0 when it is not lit."""
        for line in self.lines:
            if line.start <= when < line.end:
                part = (when - line.start) / (line.end - line.start)
                return line.first + (line.last - line.first) * part
        return 0.0


class Year(NamedTuple):
    """A year of nights, in order."""

    year: int
    nights: tuple[Lit, ...]
    totals: Totals

    def months(self) -> Iterator[tuple[int, Totals]]:
        """Yield (month, totals), January to December."""
        for month, found in groupby(self.nights, lambda lit: civil.date_of(lit.night.day)[1]):
            yield month, together(lit.totals for lit in found)


def together(parts: Iterable[Totals]) -> Totals:
    """Add up."""
    found = list(parts)
    return Totals(
        sum(p.nights for p in found),
        sum(p.lit_s for p in found),
        sum(p.full_load_s for p in found),
        sum(p.full_on_s for p in found),
        found[0].rated_w if found else 0,
    )


def _clamped(line: Line, least: float, most: float) -> Iterator[Line]:
    """Cut a line where it crosses a limit, and keep the parts within."""
    start, end, first, last = line
    cuts = [start]
    if first != last:
        crossings = (start + (end - start) * (x - first) / (last - first) for x in (least, most))
        cuts += sorted(when for when in crossings if start < when < end)
    cuts.append(end)

    def level(when: float) -> float:
        part = (when - start) / (end - start)
        return max(least, min(first + (last - first) * part, most))

    for begins, ends in pairwise(cuts):
        if begins < ends:
            yield Line(begins, ends, level(begins), level(ends))


def _lines(night: Night, share: float, least: float, most: float) -> Iterator[Line]:
    for on, off in night.spans:
        for held in night.lit:
            start, end = max(held.start, on), min(held.end, off)
            there = min(max(held.start + held.ramp_s, start), end)
            for begins, ends in ((start, there), (there, end)):
                if begins < ends:
                    # At its end a ramp is there, also where the next step is about to take over.
                    line = Line(begins, ends, held.at(begins) * share, held.at(ends) * share)
                    yield from _clamped(line, least, most)


class Lamp:
    """How a node's lamp burns at night.

    Args:
        blob: its config; the place has to be in it.
        node: its name, which its delay is drawn from.
        burn_h: the lamp's age, for its upkeep curve; None: unknown, as if it had none.
        reduction: lighting classes that the traffic allows to go down, all night, 0 to 2.

    Raises ConfigError.
    """

    def __init__(
        self, blob: bytes, node: str, *, burn_h: int | None = None, reduction: int = 0
    ) -> None:
        program = Program(blob, node.encode())
        _, minimum, maximum, self.rated_w = program.lamp[:4]
        self._least = max(1, min(minimum, 100)) * 100
        self._most = max(self._least, min(limit(program, None), maximum * 100))
        self._share = upkeep_percent(program.upkeep, burn_h) / 100
        if reduction:
            self._share *= min(program.traffic[reduction], 100) / 100
        self.delay_s = program.delay_s

    def lit(self, night: Night) -> Lit:
        """Return a night and its level."""
        lines = tuple(_lines(night, self._share, self._least, self._most))
        full_load = sum((x.first + x.last) * (x.end - x.start) for x in lines) / 20000
        totals = Totals(1, night.lit_s, full_load, night.dark_s, self.rated_w)
        delay = self.delay_s
        late = tuple(Line(x.start + delay, x.end + delay, x.first, x.last) for x in lines)
        return Lit(night, night.on + delay, night.off + delay, late, totals)


def year(blob: bytes, node: str, of: int, *, burn_h: int | None = None, reduction: int = 0) -> Year:
    """Return a node's year, 2001 to 2099; see `Lamp`.

    Raises ValueError for a config without a place, ConfigError.
    """
    lamp = Lamp(blob, node, burn_h=burn_h, reduction=reduction)
    found = tuple(lamp.lit(night) for night in nights.of(blob, node, of))
    return Year(of, found, together(lit.totals for lit in found))
