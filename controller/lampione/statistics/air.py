"""Air: means, the European index, and the limits of 2030."""

import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.rollup import air as rule
from lampione.rollup import calendar
from lampione.statistics.gather import HOUR_S, Grid, Who, tables
from lampione.statistics.rows import Row, percent, rounded, table
from lampione.store import TelemetryReader

_NOTE = "sensors that are neither reference methods nor shown to be equivalent: indicative"

TABLE = table(
    {
        "index": "",
        "of": "",
        **dict.fromkeys(rule.POLLUTANTS, "µg/m³"),
        "o3_8h": "µg/m³",
        **{f"valid_{name}": "%" for name in rule.POLLUTANTS},
    },
    "index: European Air Quality Index of the worst hour, by the pollutant under `of`",
    "valid: share of hours measured for 45 minutes or more; means are of those",
    _NOTE,
)
LIMITS_TABLE = table(
    {
        "pollutant": "",
        "over": "",
        "limit": "µg/m³",
        "permitted": "",
        "exceeded": "",
        "greatest": "µg/m³",
        "valid": "%",
        "verdict": "",
    },
    "limits of Directive (EU) 2024/2881 for 2030; greatest: of the means, of a year the mean",
    "a verdict needs 85 % of the time so far; indicative: 50 %, of a year's mean 13 %",
    "O3: a target, by the mean of three years",
    _NOTE,
)


class _Hours:
    """The hours' means of a pollutant, [hour, column], NaN where not valid."""

    def __init__(self, reader: TelemetryReader, who: Who, made: Grid, name: str):
        self.starts = np.arange(made.edges[0], made.edges[-1], HOUR_S)
        self.means = np.full((len(self.starts), who.columns), np.nan)
        for piece, _ in tables(reader, who, made, name):
            here = (piece.starts - made.edges[0]) // HOUR_S
            means = rule.hourly(name, piece.arrays["sum"], piece.arrays["seconds"])
            if who.together:  # of nodes whose hour is valid, each as much
                valid = ~np.isnan(means)
                with np.errstate(invalid="ignore"):
                    means = np.where(valid, means, 0).sum(1, keepdims=True) / valid.sum(
                        1, keepdims=True
                    )
            self.means[here] = means


def rows(
    reader: TelemetryReader,
    who: Who,
    made: Grid,
    labels: Sequence[str],
    zone: zoneinfo.ZoneInfo,
) -> Iterator[Row]:
    """Yield a row a span and node with a valid hour."""
    hours = {name: _Hours(reader, who, made, name) for name in rule.POLLUTANTS}
    starts = hours["o3"].starts
    index = rule.index({name: found.means for name, found in hours.items()})
    first = np.searchsorted(starts, made.starts)
    lengths = made.lengths[:, None] // HOUR_S
    means: dict[str, NDArray[Any]] = {}
    shares: dict[str, NDArray[Any]] = {}
    for name, found in hours.items():
        valid = ~np.isnan(found.means)
        count = np.add.reduceat(valid, first, dtype=np.int64)
        with np.errstate(invalid="ignore"):
            means[name] = np.add.reduceat(np.where(valid, found.means, 0), first) / count
        shares[name] = count / lengths
    worst = np.maximum.reduceat(index.worst, first)
    eight = _eight(hours["o3"], made, zone)
    for span, column in np.argwhere(worst > 0).tolist():
        # Of the hours with the worst index, the first says by what.
        here = index.worst[first[span] :, column] == worst[span, column]
        of = index.of[first[span] + int(here.argmax()), column]
        yield [
            int(made.starts[span]),
            labels[column],
            rule.BANDS[worst[span, column] - 1],
            rule.POLLUTANTS[of],
            *(rounded(means[name][span, column]) for name in rule.POLLUTANTS),
            None if eight is None else rounded(eight[span, column]),
            *(percent(shares[name][span, column]) for name in rule.POLLUTANTS),
        ]


def _eight(ozone: _Hours, made: Grid, zone: zoneinfo.ZoneInfo) -> NDArray[Any] | None:
    """Return the greatest mean of 8 hours of each span; None where spans are no days."""
    if (made.lengths <= HOUR_S).all():
        return None
    days = rule.days(ozone.means, ozone.starts, zone)
    begins = np.array([calendar.instant(int(day), 0, zone) for day in days.days])
    first = np.searchsorted(begins, made.starts)
    known = np.where(np.isnan(days.greatest_8h), -np.inf, days.greatest_8h)
    greatest = np.maximum.reduceat(known, first)
    return np.where(np.isfinite(greatest), greatest, np.nan)


def limit_rows(
    reader: TelemetryReader,
    who: Who,
    made: Grid,
    labels: Sequence[str],
    zone: zoneinfo.ZoneInfo,
    until: float,
) -> Iterator[Row]:
    """Yield a row a calendar year, node and limit of what is measured there.

    A year that `until` lies in counts up to there.
    """
    for begin, end in zip(made.edges[:-1].tolist(), made.edges[1:].tolist(), strict=True):
        end = min(end, max(begin + HOUR_S, int(until) // HOUR_S * HOUR_S))  # noqa: PLW2901
        year = Grid(np.array([begin, end], np.int64), HOUR_S)
        whole_days = _days_between(begin, end, zone)
        for name in rule.POLLUTANTS:
            hours = _Hours(reader, who, year, name)
            measured = ~np.isnan(hours.means).all(axis=0)
            if not measured.any():
                continue
            for one in rule.against(
                name, hours.means, hours.starts, zone, (end - begin) // HOUR_S, whole_days
            ):
                for column in np.flatnonzero(measured).tolist():
                    yield [
                        begin,
                        labels[column],
                        name,
                        one.limit.over.value,
                        one.limit.ugm3,
                        one.limit.permitted,
                        int(one.exceeded[column]),
                        rounded(one.greatest[column]),
                        percent(one.share[column]),
                        one.verdicts[column].value,
                    ]


def _days_between(begin: int, end: int, zone: zoneinfo.ZoneInfo) -> int:
    """Return how many days begin in a time."""
    days = calendar.local(np.array([begin, end - HOUR_S], np.int64), HOUR_S, zone).days
    return int(days[1] - days[0]) + 1
