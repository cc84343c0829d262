"""The European Air Quality Index, and the limits of Directive (EU) 2024/2881 for 2030.

Index: bands of ETC HE Report 2024/17, table 5.2, of means of an hour for every pollutant (the
index before it took PM over 24 hours). An edge belongs to the band below. Limits: annex I of the
directive. Sensors of nodes are neither reference methods nor shown to be equivalent: what is said
of limits is indicative, and says how much of the time was measured.
"""

import enum
import zoneinfo
from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione.rollup import calendar

Floats = NDArray[np.float64]

BANDS = ("good", "fair", "moderate", "poor", "very poor", "extremely poor")
EDGES: dict[str, tuple[float, ...]] = {
    "pm2_5": (5, 15, 50, 90, 140),
    "pm10": (15, 45, 120, 195, 270),
    "no2": (10, 25, 60, 100, 150),
    "o3": (60, 100, 120, 160, 180),
}
POLLUTANTS = tuple(EDGES)
# µg/m³ in a ppb, at 293.15 K and 101.325 kPa.
UGM3_A_PPB = {"no2": 1.9125, "o3": 1.9953}
_STEPS = {field[0]: field[5] for field in schema.REPORT_FIELDS if field[0] in EDGES}

# What of its time a mean needs (2008/50/EC, annexes VII and XI): else it is none.
HOUR_SHARE = 0.75  # of an hour: 45 minutes
DAY_SHARE = 0.75  # of the hours of a day
EIGHT_HOURS = 6
DAY_MEANS_SHARE = 0.75  # of a day's means of 8 hours, for its greatest
# What of a year a verdict needs: fixed stations; below that, indicative measurements.
COVERAGE = 0.85
INDICATIVE_YEAR = 0.13
INDICATIVE_SHORT = 0.50


class Over(enum.StrEnum):
    """The time that a limit is a mean over."""

    HOUR = "hour"
    DAY = "day"
    YEAR = "year"
    EIGHT_HOURS = "8 h"  # the greatest of a day


class Limit(NamedTuple):
    """A limit in µg/m³, and how many times a year it may be exceeded."""

    pollutant: str
    over: Over
    ugm3: float
    permitted: int


LIMITS = (
    Limit("pm2_5", Over.DAY, 25, 18),
    Limit("pm2_5", Over.YEAR, 10, 0),
    Limit("pm10", Over.DAY, 45, 18),
    Limit("pm10", Over.YEAR, 20, 0),
    Limit("no2", Over.HOUR, 200, 3),
    Limit("no2", Over.DAY, 50, 18),
    Limit("no2", Over.YEAR, 20, 0),
    Limit("o3", Over.EIGHT_HOURS, 120, 18),  # a target, by the mean of three years
)


class Index(NamedTuple):
    """The index of each hour: 1 to 6, 0 unknown."""

    bands: dict[str, NDArray[np.int8]]  # by pollutant
    worst: NDArray[np.int8]
    of: NDArray[np.int8]  # which pollutant is the worst, of `POLLUTANTS`; -1 unknown


class Verdict(enum.StrEnum):
    """What a year, or what there is of it, says of a limit."""

    OVER = "over"
    WITHIN = "within"
    INDICATIVE_OVER = "over, indicative"
    INDICATIVE_WITHIN = "within, indicative"
    TOO_FEW = "too few data"


class Against(NamedTuple):
    """A limit against what was measured, by node."""

    limit: Limit
    means: NDArray[np.int64]  # how many are valid
    of: int  # how many there would be
    exceeded: NDArray[np.int64]
    greatest: Floats  # of the means, NaN: none; of a year: the mean
    share: Floats  # of the means that are valid, 0 to 1
    verdicts: list[Verdict]


def ugm3(pollutant: str, sums: NDArray[Any], seconds: NDArray[Any]) -> Floats:
    """Return means in µg/m³ of sums of `Kind.MEAN`, NaN where there is no time."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = sums.astype(np.float64) / seconds
    found[seconds == 0] = np.nan
    return found * (UGM3_A_PPB.get(pollutant, 1.0) / _STEPS[pollutant])


def hourly(pollutant: str, sums: NDArray[Any], seconds: NDArray[Any]) -> Floats:
    """Return the hours' means in µg/m³, NaN where too little of the hour was measured."""
    return np.where(seconds >= 3600 * HOUR_SHARE, ugm3(pollutant, sums, seconds), np.nan)


def band(pollutant: str, mean_ugm3: Floats) -> NDArray[np.int8]:
    """Return bands 1 to 6 of means of an hour, 0 for NaN."""
    found = np.searchsorted(np.array(EDGES[pollutant], np.float64), mean_ugm3, "left") + 1
    return np.where(np.isnan(mean_ugm3), 0, found).astype(np.int8)


def index(means: dict[str, Floats]) -> Index:
    """Return the index of hours from their means by pollutant, those that are measured."""
    bands = {name: band(name, means[name]) for name in POLLUTANTS if name in means}
    shape = next(iter(means.values())).shape
    worst, of = np.zeros(shape, np.int8), np.full(shape, -1, np.int8)
    for name, found in bands.items():
        of[found > worst] = POLLUTANTS.index(name)
        worst = np.maximum(worst, found)
    return Index(bands, worst, of)


class Days(NamedTuple):
    """Means of local days, [day, node], NaN where too few hours are valid."""

    days: NDArray[np.int64]  # as `date.toordinal`
    means: Floats
    greatest_8h: Floats  # of the means of 8 hours that end in the day


def days(hours: Floats, starts: NDArray[np.int64], zone: zoneinfo.ZoneInfo) -> Days:
    """Return the days that hours make up.

    Args:
        hours: means, NaN where not valid, [hour, node].
        starts: of the hours, rising; those that are missing count as not valid.

    Raises CalendarError where a zone's hours are not those of UTC.
    """
    nodes = hours.shape[1]
    if not len(starts):
        return Days(np.zeros(0, np.int64), np.zeros((0, nodes)), np.zeros((0, nodes)))
    given = calendar.local(starts, 3600, zone).days
    begin = calendar.instant(int(given[0]), 0, zone)
    every = np.arange(begin, calendar.instant(int(given[-1]), 24, zone), 3600)
    full = np.full((len(every), nodes), np.nan)
    full[(starts - begin) // 3600] = hours
    # A mean of 8 hours belongs to the day in which it ends, an end at midnight to the one before.
    day_of = calendar.local(every, 3600, zone).days
    found, first = np.unique(day_of, return_index=True)
    valid = ~np.isnan(full)
    values = np.where(valid, full, 0.0)
    lengths = np.array(
        [
            (calendar.instant(int(d), 24, zone) - calendar.instant(int(d), 0, zone)) // 3600
            for d in found
        ]
    )[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        hours_a_day = np.add.reduceat(valid, first, dtype=np.int64)
        means = np.add.reduceat(values, first) / hours_a_day
        means[hours_a_day < DAY_SHARE * lengths] = np.nan
        in_8 = _running(valid.astype(np.float64))
        eight = np.where(in_8 >= EIGHT_HOURS, _running(values) / in_8, np.nan)
    known = ~np.isnan(eight)
    greatest = np.maximum.reduceat(np.where(known, eight, -np.inf), first)
    ends = np.add.reduceat(known, first, dtype=np.int64)
    greatest[ends < DAY_MEANS_SHARE * lengths] = np.nan
    return Days(found, means, greatest)


def _running(values: Floats) -> Floats:
    """Return sums of eight rows, of each row and the seven before it."""
    padded = np.concatenate([np.zeros((7, values.shape[1])), values])
    found = np.zeros_like(values)
    for n in range(8):  # not by differences of running sums, which would not be exact
        found += padded[n : n + len(values)]
    return found


def against(
    pollutant: str,
    hours: Floats,
    starts: NDArray[np.int64],
    zone: zoneinfo.ZoneInfo,
    whole_hours: int,
    whole_days: int,
) -> list[Against]:
    """Return a pollutant's limits against the hours of a calendar year, or of what it has so far.

    Args:
        hours: means, NaN where not valid, [hour, node].
        starts: of the hours.
        whole_hours: how many hours the time asked for has.
        whole_days: how many days.
    """
    made = days(hours, starts, zone)
    found = []
    for limit in LIMITS:
        if limit.pollutant != pollutant:
            continue
        means, of, short = {
            Over.HOUR: (hours, whole_hours, True),
            Over.YEAR: (hours, whole_hours, False),
            Over.DAY: (made.means, whole_days, True),
            Over.EIGHT_HOURS: (made.greatest_8h, whole_days, True),
        }[limit.over]
        valid = ~np.isnan(means)
        count = valid.sum(axis=0)
        if limit.over is Over.YEAR:
            with np.errstate(invalid="ignore"):
                greatest = np.where(valid, means, 0.0).sum(axis=0) / count
            exceeded = (greatest > limit.ugm3).astype(np.int64)
        else:
            greatest = np.max(np.where(valid, means, -np.inf), axis=0, initial=-np.inf)
            greatest = np.where(count > 0, greatest, np.nan)
            exceeded = (means > limit.ugm3).sum(axis=0)
        share = np.minimum(count / max(of, 1), 1.0)
        verdicts = [
            _verdict(bool(over), float(part), short=short)
            for over, part in zip(exceeded > limit.permitted, share, strict=True)
        ]
        found.append(Against(limit, count, of, exceeded, greatest, share, verdicts))
    return found


def _verdict(over: bool, share: float, *, short: bool) -> Verdict:
    if share >= COVERAGE:
        return Verdict.OVER if over else Verdict.WITHIN
    if over and short:  # more data cannot make it fewer
        return Verdict.OVER
    if share >= (INDICATIVE_SHORT if short else INDICATIVE_YEAR):
        return Verdict.INDICATIVE_OVER if over else Verdict.INDICATIVE_WITHIN
    return Verdict.TOO_FEW
