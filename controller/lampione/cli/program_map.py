"""A year of nights, drawn: a row a night, or one for nights of a week with the same plan.

A cell is a part of an hour, noon to noon by the wall clock; the height of its bar is the level, so
that it can be read without colour too.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from lampione_light import civil

from lampione.program.simulate import Lit, Year

LABEL = 14
SHADES = 8
_BARS = " ▁▂▃▄▅▆▇█"
_DIGITS = " 12345678"
_AFTER = 12  # hours lit, and the mark of a clock change
_PER_HOUR = (6, 4, 3, 2, 1)
_WEEK = "MTWTFSS"
_HOUR_S = 3600
_DAY_S = 86400
MISSING = -1  # the shade of a time that the clock leaves out
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


class Cells(NamedTuple):
    """Neighbouring cells of one shade: MISSING, or 0 dark to SHADES."""

    shade: int
    text: str


class Row(NamedTuple):
    """A row of the map: what stands before the cells, the cells, what stands after them."""

    label: str
    cells: tuple[Cells, ...]
    after: str
    plan: int


def per_hour(columns: int) -> int:
    """Return how many cells of an hour fit into a terminal."""
    return next((n for n in _PER_HOUR if LABEL + 24 * n + _AFTER <= columns), _PER_HOUR[-1])


def shade(level: float) -> int:
    """Return the shade of a level in 0.01 %."""
    return min(SHADES, -int(-level * SHADES // 10000))


def glyph(number: int, ascii_only: bool) -> str:
    """Return the bar of a shade."""
    if number == MISSING:
        return "-"
    return (_DIGITS if ascii_only else _BARS)[number]


def axis(cells: int) -> str:
    """Return the hours above the cells."""
    return "".join(f"{hour % 24:02}".ljust(3 * cells) for hour in range(12, 36, 3))


def _change(lit: Lit) -> int:
    """Return when the clock is changed, 01:00 UTC of one of its dates; the end: not at all."""
    night = lit.night
    if night.end - night.noon == _DAY_S:
        return night.end
    first = night.day * _DAY_S + _HOUR_S
    return first if first > night.noon else first + _DAY_S


def level_at_clock(lit: Lit, after_noon_s: float) -> float | None:
    """Return the level at a time of the wall clock; None: the clock leaves it out.

    Of a time that is there twice, at the first.
    """
    night, change = lit.night, _change(lit)
    when = night.noon + after_noon_s
    if when >= change:
        when = night.end - (_DAY_S - after_noon_s)
        if when < change:
            return None
    return lit.at(when)


def _cells(lit: Lit, count: int, ascii_only: bool) -> tuple[Cells, ...]:
    levels = [level_at_clock(lit, (n + 0.5) * _HOUR_S / count) for n in range(24 * count)]
    shades = [MISSING if level is None else shade(level) for level in levels]
    return tuple(
        Cells(one, glyph(one, ascii_only) * len(list(found))) for one, found in groupby(shades)
    )


def _label(nights: list[Lit]) -> str:
    days = [lit.night.day for lit in nights]
    first, last = (civil.date_of(day)[2] for day in (days[0], days[-1]))
    dates = f"{first:2}" if first == last else f"{first:2}-{last}"
    there = {civil.weekday(day) for day in days}
    week = "".join(name if n in there else "·" for n, name in enumerate(_WEEK))
    return f"{dates:<5} {week}"


def _row(nights: list[Lit], count: int, ascii_only: bool) -> Row:
    middle = nights[len(nights) // 2]
    after = f" {middle.totals.lit_s / _HOUR_S:4.1f} h"
    change_h = (middle.night.end - middle.night.noon - _DAY_S) // _HOUR_S
    if change_h:
        after += " +1 h" if change_h < 0 else " -1 h"  # of the clock
    return Row(_label(nights), _cells(middle, count, ascii_only), after, middle.night.plan)


def rows(
    year: Year, count: int, *, each: bool, ascii_only: bool
) -> Iterator[tuple[int, list[Row]]]:
    """Yield (month, rows).

    Args:
        count: cells of an hour.
        each: a row for every night; else the nights of a week that have the same plan, and the
            middle one of them is drawn. A night when the clock changes has a row of its own.
    """
    for month, nights in groupby(year.nights, lambda lit: civil.date_of(lit.night.day)[1]):
        together: dict[tuple[int, ...], list[Lit]] = {}
        for lit in nights:
            night = lit.night
            monday = night.day - civil.weekday(night.day)
            alone = each or night.end - night.noon != _DAY_S
            summer = night.noon - night.day * _DAY_S
            key = (monday, night.plan, summer, night.day if alone else 0)
            together.setdefault(key, []).append(lit)
        yield month, [_row(found, count, ascii_only) for found in together.values()]
