"""Noise by hour, and by day, month and year with its periods."""

import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.rollup import calendar
from lampione.rollup import noise as rule
from lampione.statistics.gather import By, Grid, Who, gather, tables
from lampione.statistics.rows import Row, Table, percent, rounded, table
from lampione.store import TelemetryReader

PERCENTS = (10, 50, 90)
_LEVELS = {"laeq": "dB", "lafmax": "dB", "l10": "dB", "l50": "dB", "l90": "dB"}
_PERIODS = {"lden": "dB", "lday": "dB", "levening": "dB", "lnight": "dB"}
_VALID = {"valid": "%"}
_PARTS = {"valid_day": "%", "valid_evening": "%", "valid_night": "%"}
_CLASS = {"over_day": "dB", "over_night": "dB"}
_NOTE = "microphones of no class of IEC 61672: a guide to where to measure, not a measurement"


def table_of(by: str, immission_class: str | None) -> Table:
    """Return what the columns of an answer are."""
    if by in ("5min", "hour"):
        return table(_LEVELS | _VALID, _NOTE)
    over = _CLASS if immission_class else {}
    return table(over | _PERIODS | _LEVELS | _VALID | _PARTS, _NOTE)


def rows(
    reader: TelemetryReader,
    who: Who,
    made: Grid,
    labels: Sequence[str],
    zone: zoneinfo.ZoneInfo,
    by: By,
    periods: str,
    immission_class: str | None,
) -> Iterator[Row]:
    """Yield a row a span and node that was heard."""
    energy = gather(reader, who, made, "laeq_energy")
    loudest = gather(reader, who, made, "lafmax")
    bins = gather(reader, who, made, "sound_levels").arrays["bins"]
    levels = rule.laeq(energy.arrays["sum"], energy.arrays["seconds"])
    exceeded = [rule.exceeded(bins, percent_of) for percent_of in PERCENTS]
    whole = made.lengths[:, None] * energy.nodes
    shares = energy.arrays["seconds"] / whole
    days = None
    if by != "5min" and by != "hour":
        days = _days(reader, who, made, zone, by, rule.PERIODS_OF[periods], energy.nodes)
    for span, column in np.argwhere(energy.arrays["n"] > 0).tolist():
        most = int(loudest.arrays["max"][span, column]) / 10
        row: list[Any] = [
            rounded(levels[span, column]),
            most if loudest.arrays["n"][span, column] else None,
            *(rounded(level[span, column]) for level in exceeded),
            percent(shares[span, column]),
        ]
        if days is not None:
            row = _with_periods(row, days, span, column, immission_class)
        yield [int(made.starts[span]), labels[column], *row]


def _days(
    reader: TelemetryReader,
    who: Who,
    made: Grid,
    zone: zoneinfo.ZoneInfo,
    by: calendar.Span,
    periods: rule.Periods,
    nodes: NDArray[np.int64],
) -> rule.Noise:
    """Return levels by period of every span."""
    sums = rule.Sums(len(made.starts), who.columns, periods)
    for piece, spans in tables(reader, who, made, "laeq_energy"):
        energy, seconds = piece.arrays["sum"], piece.arrays["seconds"].astype(np.int64)
        if who.together:
            energy, seconds = (a.sum(axis=1, keepdims=True) for a in (energy, seconds))
        hours = calendar.local(piece.starts, made.level, zone).hours
        sums.add(spans, hours, energy, seconds)
    firsts = calendar.local(made.starts, made.level, zone).days
    return sums.levels(firsts, zone, by, nodes)


def _with_periods(
    row: list[Any], noise: rule.Noise, span: int, column: int, immission_class: str | None
) -> list[Any]:
    over: list[Any] = []
    if immission_class is not None:
        over = [rounded(by[span, column]) for by in rule.over_immission(noise, immission_class)]
    return [
        *over,
        rounded(noise.lden[span, column]),
        *(rounded(noise.levels[span, period, column]) for period in range(3)),
        *row,
        *(percent(noise.shares[span, period, column]) for period in range(3)),
    ]
