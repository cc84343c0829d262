"""Means, sums and extremes of single measures."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from lampione_protocol import hour, schema

from lampione.rollup import MEASURES, Kind
from lampione.rollup.noise import laeq
from lampione.statistics.gather import Gathered, Grid, Who, gather
from lampione.statistics.rows import Row, percent, rounded, table
from lampione.store import TelemetryReader

_FIELDS = {
    message: {field[0]: field for field in fields}
    for message, fields in (
        (schema.REPORT, schema.REPORT_FIELDS),
        (schema.HEALTH, schema.HEALTH_FIELDS),
        (schema.HOUR, hour.HOUR_FIELDS),
    )
}
_PLAIN = (Kind.MEAN, Kind.TOTAL, Kind.SAMPLE, Kind.ENERGY)
NAMES = {
    ("laeq" if rule.kind is Kind.ENERGY else name): name
    for name, rule in MEASURES.items()
    if rule.kind in _PLAIN
}
"""Of what people ask for, to what is stored; histograms and counters have figures of their own."""

TABLE = table(
    {"measure": "", "mean": "", "least": "", "greatest": "", "total": "", "unit": "", "valid": "%"},
    "valid: share of the time with values whose sensor vouched for them",
    "laeq: mean of energy",
)


def rows(
    reader: TelemetryReader,
    who: Who,
    made: Grid,
    labels: Sequence[str],
    measures: Sequence[str] | None,
) -> Iterator[Row]:
    """Yield a row a span, node and measure, of those that there are."""
    for name in measures or NAMES:
        found = gather(reader, who, made, NAMES[name])
        for span, column in np.argwhere(found.arrays["n"] > 0).tolist():
            yield [
                int(made.starts[span]),
                labels[column],
                name,
                *_figures(NAMES[name], found, span, column, int(made.lengths[span])),
            ]


def _figures(name: str, found: Gathered, span: int, column: int, length: int) -> list[Any]:
    rule = MEASURES[name]
    one = {key: array[span, column] for key, array in found.arrays.items()}
    steps, unit = _FIELDS[rule.message][rule.field][5:7]
    scale = 1 / steps if steps > 0 else -steps
    # A digit more than a step: it is a mean of many.
    digits = 0 if steps < 0 else 1 if steps == 1 else 2
    valid = percent(one["seconds"] / (length * found.nodes[column])) if "seconds" in one else None
    if rule.kind is Kind.ENERGY:
        level = laeq(np.array(one["sum"]), np.array(one["seconds"]))
        return [rounded(level, 1), None, None, None, unit, valid]
    weight = one["seconds"] if rule.kind is Kind.MEAN else one["n"]
    total = int(one["sum"]) if rule.kind is Kind.TOTAL else None
    return [
        rounded(one["sum"] / weight * scale, digits),
        rounded(one["min"] * scale, digits),
        rounded(one["max"] * scale, digits),
        total,
        unit,
        valid,
    ]
