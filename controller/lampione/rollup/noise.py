"""Sound levels of hours, days and years: means of energy, day-evening-night, percentiles.

Directive 2002/49/EC, annex I; D.Lgs 194/2005 (Italian periods); DPCM 14/11/1997 (limits of
immission by class). A node with a cheap microphone has no class of IEC 61672: neither have these.
"""

import zoneinfo
from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import hour
from numpy.typing import NDArray

from lampione.rollup import calendar, histogram
from lampione.rollup.measures import ENERGY_STEPS

Floats = NDArray[np.float64]
EVENING_DB = 5.0
NIGHT_DB = 10.0
PERIODS = ("day", "evening", "night")


class Periods(NamedTuple):
    """The local hours at which day, evening and night begin."""

    day: int
    evening: int
    night: int


EU = Periods(7, 19, 23)
ITALY = Periods(6, 20, 22)
PERIODS_OF = {"eu": EU, "it": ITALY}

# DPCM 14/11/1997, table C: dB(A) by day, 06 to 22, and by night.
IMMISSION_LIMITS_DB = {
    "I": (50, 40),
    "II": (55, 45),
    "III": (60, 50),
    "IV": (65, 55),
    "V": (70, 60),
    "VI": (70, 70),
}


class Noise(NamedTuple):
    """Levels by span (a day, month or year); NaN where a period has nothing that is valid."""

    spans: NDArray[np.int64]  # first days, as `date.toordinal`
    hours: Floats  # [span, period], as long as they were by the clocks
    levels: Floats  # [span, period, node], dB
    shares: Floats  # [span, period, node], of the time that was measured, 0 to 1
    laeq: Floats  # [span, node], of whole days
    lden: Floats  # [span, node]
    by_day: Floats  # [span, node], day and evening together: 06 to 22 with Italian periods

    @property
    def share(self) -> Floats:
        """Of the whole span that was measured, by node."""
        found: Floats = (self.shares * self.hours[:, :, None]).sum(1) / self.hours.sum(1)[:, None]
        return found


def laeq(energy: NDArray[Any], seconds: NDArray[Any]) -> Floats:
    """Return levels in dB of sums of `Kind.ENERGY`, NaN where there is no time."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = energy.astype(np.float64) / (ENERGY_STEPS * seconds.astype(np.float64))
        return 10 * np.log10(np.where((seconds > 0) & (energy > 0), mean, np.nan))


def lden(day: Any, evening: Any, night: Any, hours: Any = (12, 4, 8)) -> Any:
    """Return the day-evening-night level of three levels in dB and the hours that they hold."""
    d, e, n = hours
    energy = (
        d * 10 ** (day / 10)
        + e * 10 ** ((evening + EVENING_DB) / 10)
        + n * 10 ** ((night + NIGHT_DB) / 10)
    )
    return 10 * np.log10(energy / (d + e + n))


def day_evening_night(
    starts: NDArray[np.int64],
    level: int,
    energy: NDArray[Any],
    seconds: NDArray[Any],
    zone: zoneinfo.ZoneInfo,
    periods: Periods = EU,
    by: calendar.Span = "day",
) -> Noise:
    """Return levels of civil days, or of the months or years that they make up.

    A night is what a civil day has of it: its first hours and its last. Spans are whole ones:
    what of them is not given counts as not measured.

    Args:
        starts: of buckets, Unix seconds.
        level: seconds of a bucket: an hour, or 300 where a zone has half hours.
        energy: sums of `Kind.ENERGY`, [bucket, node].
        seconds: that they hold, [bucket, node].

    Raises CalendarError where buckets do not fit the zone.
    """
    clocks = calendar.local(starts, level, zone)
    firsts, spans = np.unique(calendar.spans(clocks.days, by), return_inverse=True)
    sums = Sums(len(firsts), energy.shape[1], periods)
    sums.add(spans, clocks.hours, energy, seconds)
    return sums.levels(firsts, zone, by)


def period_of(hours: NDArray[np.int64], periods: Periods) -> NDArray[np.int64]:
    """Return the number in `PERIODS` of each hour of a day."""
    late = (hours >= periods.evening) & (hours < periods.night)
    dark = (hours < periods.day) | (hours >= periods.night)
    return np.where(dark, 2, np.where(late, 1, 0))


class Sums:
    """Energies and the seconds that they hold, by span, period and node; they come in pieces."""

    def __init__(self, spans: int, nodes: int, periods: Periods):
        self._periods = periods
        self._energy = np.zeros((spans, 3, nodes))
        self._seconds = np.zeros((spans, 3, nodes))

    def add(
        self,
        spans: NDArray[np.intp],
        hours: NDArray[np.int64],
        energy: NDArray[Any],
        seconds: NDArray[Any],
    ) -> None:
        """Add buckets: the span of each, its hour of the day, and [bucket, node] of both."""
        place = spans, period_of(hours, self._periods)
        np.add.at(self._energy, place, energy)
        np.add.at(self._seconds, place, seconds)

    def levels(
        self,
        firsts: NDArray[np.int64],
        zone: zoneinfo.ZoneInfo,
        by: calendar.Span,
        nodes: Any = 1,
    ) -> Noise:
        """Return the levels of spans, which begin with these days.

        nodes: how many are together in each column, of which a share of time is one of all.
        """
        held = [period_hours(int(first), by, zone, self._periods) for first in firsts]
        hours = np.array(held, float).reshape(-1, 3)
        levels = laeq(self._energy, self._seconds)
        return Noise(
            firsts,
            hours,
            levels,
            np.minimum(self._seconds / (3600 * hours[:, :, None] * nodes), 1.0),
            laeq(self._energy.sum(1), self._seconds.sum(1)),
            lden(levels[:, 0], levels[:, 1], levels[:, 2], hours.T[:, :, None]),
            laeq(self._energy[:, :2].sum(1), self._seconds[:, :2].sum(1)),
        )


def period_hours(
    first: int, by: calendar.Span, zone: zoneinfo.ZoneInfo, periods: Periods
) -> tuple[float, float, float]:
    """Return hours of day, evening and night in a span, by the clocks of a zone."""
    day = evening = whole = 0
    for n in calendar.days_of(first, by):
        edges = [calendar.instant(n, h, zone) for h in (0, *periods, 24)]
        day += edges[2] - edges[1]
        evening += edges[3] - edges[2]
        whole += edges[4] - edges[0]
    return day / 3600, evening / 3600, (whole - day - evening) / 3600


def exceeded(bins: NDArray[Any], percent: float) -> Floats:
    """Return L10, L50, L90 and the like: what was exceeded `percent` of the time.

    The first bin holds what is lower too, the last what is higher: there it is a bound.
    """
    return histogram.quantile(bins, hour.LEVEL_LOW_DB, 1.0, 1 - percent / 100)


def over_immission(noise: Noise, of_class: str) -> tuple[Floats, Floats]:
    """Return by how many dB day and night, [span, node], lie over the limits of a class.

    Raises KeyError for a class that is not. Limits of DPCM 14/11/1997 are for its own periods:
    give levels of `ITALY`, of days. They hold for measurements by DM 16/3/1998, with instruments
    of class 1: nodes only say where it is worth to measure.
    """
    by_day, by_night = IMMISSION_LIMITS_DB[of_class]
    return noise.by_day - by_day, noise.levels[:, 2] - by_night
