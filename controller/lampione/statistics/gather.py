"""Roll-ups of many buckets, made into the hours, days, months or years that are asked for."""

import math
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione.rollup import BLOCK, MEASURES, calendar
from lampione.rollup.block import Array, adding, blank
from lampione.store import RollupTable, TelemetryReader

By = Literal["5min", "hour", "day", "month", "year"]
HOUR_S = 3600
_CELLS = 4_000_000  # numbers of one array that are in memory at once


class Grid(NamedTuple):
    """The spans that are asked for: span n is from edges[n] to edges[n + 1], Unix seconds."""

    edges: NDArray[np.int64]
    level: int  # of the buckets that they are made of

    @property
    def starts(self) -> NDArray[np.int64]:
        """When each span begins."""
        return self.edges[:-1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How long each is, seconds."""
        return np.diff(self.edges)


class Who(NamedTuple):
    """Whose figures: names by rising id. `together`: as if they were one.

    everybody: these are all nodes there were when the question was asked.
    """

    names: list[str]
    together: bool
    everybody: bool

    @property
    def columns(self) -> int:
        """How many figures a span has."""
        return 1 if self.together else len(self.names)


def grid(since: float, until: float, by: By, zone: zoneinfo.ZoneInfo) -> Grid:
    """Return whole spans that hold a time. Raises CalendarError where buckets do not fit."""
    if by == "5min" or by == "hour":
        step = 300 if by == "5min" else HOUR_S
        begin = int(since // step) * step
        return Grid(np.arange(begin, max(math.ceil(until), begin + 1) + step, step), step)
    first, last = (datetime.fromtimestamp(at, zone).date().toordinal() for at in (since, until))
    edges: list[int] = []
    day = calendar.first_day(first, by)
    while day <= last:
        begin = calendar.instant(day, 0, zone)
        if edges and begin >= until:
            break
        edges.append(begin)
        day = calendar.days_of(day, by).stop
    edges.append(calendar.instant(day, 0, zone))
    made = Grid(np.array(edges, np.int64), HOUR_S)
    calendar.local(made.edges, HOUR_S, zone)
    return made


def windows(made: Grid, width: int) -> Iterator[tuple[int, int]]:
    """Yield times that together are the grid's, so short that `width` numbers a bucket fit."""
    step = max(1, _CELLS // max(width, 1)) * made.level
    for begin in range(int(made.edges[0]), int(made.edges[-1]), step):
        yield begin, min(begin + step, int(made.edges[-1]))


def tables(
    reader: TelemetryReader, who: Who, made: Grid, measure: str
) -> Iterator[tuple[RollupTable, NDArray[np.int64]]]:
    """Yield a measure's buckets piece by piece, with the span that each belongs to."""
    width = len(who.names) * max(MEASURES[measure].bins, 1)
    for since, until in windows(made, width):
        named = None if who.everybody else who.names
        table = reader.rollups(made.level, since, until, measure, named)
        if len(table.nodes) > len(who.names):  # of which the last are new since
            arrays = {name: a[:, : len(who.names)] for name, a in table.arrays.items()}
            table = table._replace(arrays=arrays, nodes=table.nodes[: len(who.names)])
        if len(table.starts):
            yield table, np.searchsorted(made.edges, table.starts, "right") - 1


class Gathered(NamedTuple):
    """A measure's arrays as a block has them, [span, node]."""

    arrays: dict[str, Array]
    nodes: NDArray[np.int64]  # of each column, how many nodes had something to say at all


def gather(reader: TelemetryReader, who: Who, made: Grid, measure: str) -> Gathered:
    """Return a measure's spans, instead of buckets.

    A measure that has no buckets of the grid's level has nothing in any span.
    """
    rule = MEASURES[measure]
    found = blank(rule.kind, (len(made.starts), who.columns), rule.bins)
    seen = np.zeros(len(who.names), np.bool_)
    if made.level not in rule.levels:
        return Gathered(found, np.ones(who.columns, np.int64))
    for table, spans in tables(reader, who, made, measure):
        here, first = np.unique(spans, return_index=True)
        if who.together:
            said = table.arrays["bins"].any(axis=2) if rule.bins else table.arrays["n"] > 0
            seen |= said.any(axis=0)
        for name, array in found.items():
            add, piece = adding(name), table.arrays[name]
            if who.together:
                piece = add.reduce(piece, axis=1, keepdims=True, dtype=array.dtype)
            array[here] = add(array[here], add.reduceat(piece, first, axis=0, dtype=array.dtype))
    count = [max(int(seen.sum()), 1)] if who.together else np.ones(who.columns)
    return Gathered(found, np.array(count, np.int64))


def groups(names: Sequence[str], *, together: bool, everybody: bool) -> Iterator[Who]:
    """Yield nodes by as many as share their blocks: hours of a year of all do not fit at once."""
    if together or len(names) <= BLOCK:
        yield Who(list(names), together, everybody)
        return
    for n in range(0, len(names), BLOCK):
        yield Who(list(names[n : n + BLOCK]), together, everybody=False)
