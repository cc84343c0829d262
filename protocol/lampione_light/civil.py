"""Civil dates and times out of seconds since 2020-01-01T00:00:00Z, in whole numbers.

A day is counted from 2020-01-01 = 0. Summer time is the EU's: from the last Sunday of March to the
last of October, 01:00 UTC each (Directive 2000/84/EC).
"""

DAY_S = 86400
NO_SUMMER_TIME = 0
EU_SUMMER_TIME = 1

_SUMMER_S = 3600
_WEDNESDAY = 2  # 2020-01-01 was one
_TO_MARCH = 60  # days from 2020-01-01 to 2020-03-01: years are counted from March
_FOUR_YEARS = 1461


def date_of(day: int) -> tuple:
    """Return (year, month 1..12, day of the month); 1900-03-01 to 2100-02-28."""
    n = day - _TO_MARCH
    years = (4 * n + 3) // _FOUR_YEARS
    n -= _FOUR_YEARS * years // 4
    month = (5 * n + 2) // 153
    of_month = n - (153 * month + 2) // 5 + 1
    if month > 9:
        return 2021 + years, month - 9, of_month
    return 2020 + years, month + 3, of_month


def day_of(year: int, month: int, of_month: int) -> int:
    """Return the day of a date."""
    if month < 3:
        year -= 1
        month += 12
    return (
        _FOUR_YEARS * (year - 2020) // 4 + (153 * (month - 3) + 2) // 5 + of_month - 1 + _TO_MARCH
    )


def weekday(day: int) -> int:
    """Return 0 for a Monday to 6 for a Sunday."""
    return (day + _WEDNESDAY) % 7


def _last_sunday(year: int, month: int) -> int:
    last = day_of(year, month, 31)
    return last - (weekday(last) + 1) % 7


def is_summer(now: int) -> bool:
    """Say whether the EU's summer time is in force at an instant."""
    year = date_of(now // DAY_S)[0]
    begin = _last_sunday(year, 3) * DAY_S + 3600
    return begin <= now < _last_sunday(year, 10) * DAY_S + 3600


def offset_s(now: int, offset_min: int, summer_time: int) -> int:
    """Return how far local time is ahead of UTC at an instant."""
    extra = _SUMMER_S if summer_time == EU_SUMMER_TIME and is_summer(now) else 0
    return offset_min * 60 + extra


def to_utc(day: int, minutes: int, offset_min: int, summer_time: int) -> int:
    """Return the instant of a local time, `minutes` after a day's midnight.

    Of a time that is there twice, in autumn, the first; one that is not there, in spring, is
    counted as if the clock had not been put forward: an hour later on the wall.
    """
    instant = day * DAY_S + minutes * 60 - offset_min * 60
    if summer_time == EU_SUMMER_TIME and is_summer(instant - _SUMMER_S):
        return instant - _SUMMER_S
    return instant
