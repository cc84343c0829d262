"""Vehicles and their speeds."""

from collections.abc import Iterator, Sequence

import numpy as np

from lampione.rollup import traffic as rule
from lampione.statistics.gather import Grid, Who, gather
from lampione.statistics.rows import Row, percent, rounded, table
from lampione.store import TelemetryReader

TABLE = table(
    {
        "toward": "",
        "away": "",
        "v85": "km/h",
        "too_few": "",
        "speed_mean": "km/h",
        "measured": "",
        "valid": "%",
    },
    f"v85: 85 % drive no faster; too few: of fewer than {rule.LEAST_VEHICLES} vehicles measured",
    "hours with fewer than three vehicles tell no speeds",
)


def rows(reader: TelemetryReader, who: Who, made: Grid, labels: Sequence[str]) -> Iterator[Row]:
    """Yield a row a span and node that counted."""
    toward = gather(reader, who, made, "vehicles_toward")
    away = gather(reader, who, made, "vehicles_away")
    speeds = rule.speeds(gather(reader, who, made, "speeds").arrays["bins"])
    counted = (toward.arrays["n"] > 0) | (away.arrays["n"] > 0)
    for span, column in np.argwhere(counted | (speeds.vehicles > 0)).tolist():
        seconds = max(int(one.arrays["seconds"][span, column]) for one in (toward, away))
        vehicles = int(speeds.vehicles[span, column])
        yield [
            int(made.starts[span]),
            labels[column],
            *(
                int(one.arrays["sum"][span, column]) if one.arrays["n"][span, column] else None
                for one in (toward, away)
            ),
            rounded(speeds.v85[span, column], 0),
            bool(speeds.too_few[span, column]) if vehicles else None,
            rounded(speeds.mean[span, column], 0),
            vehicles,
            percent(seconds / (int(made.lengths[span]) * toward.nodes[column])),
        ]
