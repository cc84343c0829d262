"""A time zone as a node can keep it: an offset from UTC, with the EU's summer time or none."""

import functools
import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Literal

from lampione_light import civil

YEARS = range(2025, 2036)
SummerTime = Literal["none", "eu"]
_RULES: dict[SummerTime, int] = {"none": civil.NO_SUMMER_TIME, "eu": civil.EU_SUMMER_TIME}
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class ZoneError(ValueError):
    """A zone that nodes cannot keep; the text says why."""


@functools.cache
def rule_of(name: str) -> tuple[int, SummerTime]:
    """Return (minutes ahead of UTC in winter, "eu" or "none"). Raises ZoneError."""
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ZoneError(f"{name!r} is not a time zone: write one as Europe/Rome") from None

    def ahead_s(at: datetime) -> int:
        return int((zone.utcoffset(at.astimezone(zone)) or timedelta()).total_seconds())

    offset_min, odd_s = divmod(ahead_s(datetime(YEARS[0], 1, 15, tzinfo=UTC)), 60)
    for word, rule in _RULES.items():
        if not odd_s and all(
            ahead_s(at) == civil.offset_s(_wire(at), offset_min, rule) for at in _instants()
        ):
            return offset_min, word
    raise ZoneError(
        f"{name!r} keeps a summer time of its own: nodes know the EU's and none, "
        "so choose a zone with one of those"
    )


def _wire(at: datetime) -> int:
    return int((at - _EPOCH).total_seconds())


@functools.cache
def _instants() -> tuple[datetime, ...]:
    """Return when to compare: each hour about the EU's changes, and days all the year round."""
    found = []
    for year in YEARS:
        first = datetime(year, 1, 1, 12, tzinfo=UTC)
        found += [first + timedelta(days=day) for day in range(0, 366, 5)]
        for month in (3, 10):
            last = datetime(year, month, 31, 1, tzinfo=UTC)
            change = last - timedelta(days=(last.weekday() + 1) % 7)
            found += [change - timedelta(seconds=1), change]
    return tuple(found)
