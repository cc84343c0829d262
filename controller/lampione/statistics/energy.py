"""Energy used and hours burnt, by counters."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione.rollup import energy as rule
from lampione.statistics.gather import Grid, Who, tables
from lampione.statistics.rows import Row, rounded, table
from lampione.store import TelemetryReader

_BEFORE_S = 86400  # a node says its counters every quarter of an hour

TABLE = table(
    {"energy": "kWh", "burn_hours": "h", "resets": "", "nodes": ""},
    "what a counter rose by while nothing was heard counts when it is heard again",
    "resets: how often a counter did not go on from where it was",
)


class _Sum(NamedTuple):
    steps: NDArray[np.int64]  # [span, column]
    resets: NDArray[np.int64]
    nodes: NDArray[np.int64]  # that are known


def rows(reader: TelemetryReader, who: Who, made: Grid, labels: Sequence[str]) -> Iterator[Row]:
    """Yield a row a span and node whose counters are known."""
    energy, burnt = (_sum(reader, who, made, name) for name in ("energy", "burn_hours"))
    for span, column in np.argwhere((energy.nodes > 0) | (burnt.nodes > 0)).tolist():
        kwh = energy.steps[span, column] * rule.ENERGY_WH / 1000
        yield [
            int(made.starts[span]),
            labels[column],
            rounded(kwh, 2) if energy.nodes[span, column] else None,
            int(burnt.steps[span, column]) if burnt.nodes[span, column] else None,
            int(energy.resets[span, column] + burnt.resets[span, column]),
            int(max(energy.nodes[span, column], burnt.nodes[span, column])),
        ]


def _sum(reader: TelemetryReader, who: Who, made: Grid, name: str) -> _Sum:
    meter = rule.Meter(len(who.names), rule.FASTEST[name])
    shape = len(made.starts), len(who.names)
    steps, resets, known = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    begin = int(made.edges[0])
    before = made._replace(edges=np.array([begin - _BEFORE_S // made.level * made.level, begin]))
    for part in (before, made):
        for piece, spans in tables(reader, who, part, name):
            used = meter.read(*(piece.arrays[key] for key in ("first", "last", "n")))
            if part is made:
                np.add.at(steps, spans, used.steps)
                np.add.at(resets, spans, used.resets)
                np.add.at(known, spans, used.known)
    found = _Sum(steps, resets, (known > 0).astype(np.int64))
    if who.together:
        found = _Sum(*(array.sum(axis=1, keepdims=True) for array in found))
    return found
