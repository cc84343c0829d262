"""Local civil days of 23, 24 and 25 hours, over buckets that are aligned to UTC."""

import functools
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Span = Literal["day", "month", "year"]
_ONE_DAY = timedelta(days=1)


class CalendarError(ValueError):
    """Buckets cannot be told apart in a zone; the text says why."""


class Local(NamedTuple):
    """What the clocks of a zone show when each bucket starts."""

    days: NDArray[np.int64]  # as `date.toordinal`
    hours: NDArray[np.int64]


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Return a zone by its name. Raises CalendarError."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise CalendarError(f"{name!r} is not a time zone: write one as Europe/Rome") from None


def local(starts: NDArray[np.int64], level: int, zone: zoneinfo.ZoneInfo) -> Local:
    """Return days and hours of buckets of `level` seconds, an hour at most.

    Raises CalendarError where a bucket lies in two of the zone's hours.
    """
    # An offset holds for the quarter of an hour at least: a look a bucket or quarter does.
    quarters, which = np.unique(starts // 900, return_inverse=True)
    offsets = np.array(
        [int(_offset(zone, quarter * 900).total_seconds()) for quarter in quarters.tolist()],
        np.int64,
    )[which]
    if level > 3600 or (offsets % level).any():
        raise CalendarError(
            f"{zone.key} is not whole hours ahead of UTC: "
            f"its hours and days cannot be made of buckets of {level} s, but of those of 300 s"
        )
    shown = starts + offsets
    epoch = date(1970, 1, 1).toordinal()
    return Local(shown // 86400 + epoch, shown % 86400 // 3600)


def _offset(zone: zoneinfo.ZoneInfo, unix_s: int) -> timedelta:
    return datetime.fromtimestamp(unix_s, zone).utcoffset() or timedelta()


@functools.lru_cache(4096)
def instant(day: int, hour: int, zone: zoneinfo.ZoneInfo) -> int:
    """Return the Unix time of a full hour, 24 too, of a day (an ordinal) by a zone's clocks."""
    at = date.fromordinal(day) + _ONE_DAY * (hour // 24)
    shown = datetime(at.year, at.month, at.day, hour % 24, tzinfo=zone)
    return int(shown.astimezone(UTC).timestamp())


def spans(days: NDArray[np.int64], by: Span) -> NDArray[np.int64]:
    """Return the first day of the month or year that each day is in, or the day itself."""
    if by == "day":
        return days
    found, which = np.unique(days, return_inverse=True)
    firsts = [first_day(int(day), by) for day in found]
    return np.array(firsts, np.int64)[which]


def first_day(day: int, by: Span) -> int:
    """Return the first day of a day's month or year."""
    at = date.fromordinal(day)
    if by == "month":
        at = at.replace(day=1)
    elif by == "year":
        at = at.replace(month=1, day=1)
    return at.toordinal()


def days_of(first: int, by: Span) -> range:
    """Return the days of the day, month or year that begins with `first`."""
    at = date.fromordinal(first)
    if by == "day":
        return range(first, first + 1)
    after = at.replace(year=at.year + 1) if by == "year" else (at + 31 * _ONE_DAY).replace(day=1)
    return range(first, after.toordinal())
