"""A question, and its answer as rows of what people read."""

import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from lampione.api import Json, Statistics
from lampione.rollup import calendar
from lampione.rollup.noise import IMMISSION_LIMITS_DB, PERIODS_OF
from lampione.statistics import air, energy, noise, traffic, values
from lampione.statistics.gather import By, Grid, Who, grid, groups
from lampione.statistics.rows import Row, Table
from lampione.store import TelemetryReader

What = Literal["values", "noise", "air", "limits", "traffic", "energy"]
WHATS: tuple[str, ...] = get_args(What)
SPANS: tuple[str, ...] = get_args(By)
ROWS_MAX = 20_000
EVERYBODY = "all together"
_LAST_S = 1 << 33
_SPAN_S = {"5min": 300, "hour": 3600, "day": 86400, "month": 31 * 86400, "year": 366 * 86400}


class StatisticsError(ValueError):
    """The question cannot be answered as it is; the text says why, and what can."""


@dataclass(frozen=True)
class Question:
    """What is asked. Times in Unix seconds; spans are whole ones that hold them.

    nodes: names; None: every node of the store. together: as if they were one.
    measures: `values` alone; None: those that there are. periods: "eu" or "it", `noise` alone,
    with the class of DPCM 14/11/1997 that levels are compared with.
    """

    what: What
    by: By
    since: float
    until: float
    nodes: tuple[str, ...] | None = None
    together: bool = False
    measures: tuple[str, ...] | None = None
    zone: str = "Europe/Rome"
    periods: Literal["eu", "it"] = "eu"
    immission_class: str | None = None


_TABLES: dict[str, Callable[[Question, str], Table]] = {
    "values": lambda _q, _by: values.TABLE,
    "noise": lambda q, by: noise.table_of(by, q.immission_class),
    "air": lambda _q, _by: air.TABLE,
    "limits": lambda _q, _by: air.LIMITS_TABLE,
    "traffic": lambda _q, _by: traffic.TABLE,
    "energy": lambda _q, _by: energy.TABLE,
}


def answer(reader: TelemetryReader, question: Question) -> Statistics:
    """Answer a question. Raises StatisticsError, StoreError."""
    _check(question)
    try:
        zone = calendar.zone_of(question.zone)
        made = grid(question.since, question.until, question.by, zone)
    except calendar.CalendarError as error:
        raise StatisticsError(str(error)) from None
    every = reader.names()
    wanted = None if question.nodes is None else set(question.nodes)
    names = [name for _, name in sorted(every.items()) if wanted is None or name in wanted]
    spans, columns = len(made.starts), 1 if question.together else len(names)
    if spans * columns > ROWS_MAX:
        raise StatisticsError(
            f"{spans} times {columns} is more than {ROWS_MAX} rows: "
            "ask for less time, wider spans, fewer nodes, or all together"
        )
    rows: list[list[Json]] = []
    if names:
        for who in groups(names, together=question.together, everybody=wanted is None):
            rows += [row for row in _rows(reader, question, who, made, zone) if row is not None]
    rows.sort(key=lambda row: row[0])
    table = _TABLES[question.what](question, question.by)
    return {
        "what": question.what,
        "by": question.by,
        "zone": question.zone,
        "fields": list(table.fields),
        "units": list(table.units),
        "rows": rows,
        "notes": list(table.notes),
    }


def _check(question: Question) -> None:
    if question.what not in WHATS or question.by not in SPANS:
        raise StatisticsError(f"there is {', '.join(WHATS)}, by {', '.join(SPANS)}")
    if question.periods not in PERIODS_OF:
        raise StatisticsError(f"periods are {' or '.join(PERIODS_OF)}")
    if question.until <= question.since:
        raise StatisticsError("the time asked for ends before it begins")
    if question.since < 0 or question.until > _LAST_S:
        raise StatisticsError("the time asked for is no time of any record")
    if question.until - question.since > ROWS_MAX * _SPAN_S[question.by]:
        raise StatisticsError(f"by {question.by} that is too long a time: ask by wider spans")
    if question.measures is not None:
        for name in question.measures:
            if name not in values.NAMES:
                raise StatisticsError(f"{name!r} is no measure: {', '.join(sorted(values.NAMES))}")
    if question.what == "limits" and question.by != "year":
        raise StatisticsError("limits of air hold for calendar years: ask by year")
    if question.what == "limits" and question.together:
        raise StatisticsError("limits of air hold for a place: ask for nodes, each by itself")
    if question.what in ("air", "traffic", "energy") and question.by == "5min":
        raise StatisticsError(f"{question.what} is made of hours: ask by hour, day, month or year")
    if question.immission_class is not None:
        if question.immission_class not in IMMISSION_LIMITS_DB:
            raise StatisticsError(f"classes are {', '.join(IMMISSION_LIMITS_DB)}")
        if question.periods != "it" or question.by in ("5min", "hour"):
            raise StatisticsError("a class's limits hold for Italian periods, by day or longer")


def _rows(
    reader: TelemetryReader, question: Question, who: Who, made: Grid, zone: zoneinfo.ZoneInfo
) -> Iterator[Row]:
    labels = [EVERYBODY] if who.together else who.names
    match question.what:
        case "values":
            yield from values.rows(reader, who, made, labels, question.measures)
        case "noise":
            yield from noise.rows(
                reader, who, made, labels, zone, question.by, question.periods,
                question.immission_class,
            )  # fmt: skip
        case "air":
            yield from air.rows(reader, who, made, labels, zone)
        case "limits":
            yield from air.limit_rows(reader, who, made, labels, zone, question.until)
        case "traffic":
            yield from traffic.rows(reader, who, made, labels)
        case "energy":
            yield from energy.rows(reader, who, made, labels)
