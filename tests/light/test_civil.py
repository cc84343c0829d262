"""Dates and local times beside datetime's and zoneinfo's."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from lampione_light import civil

from tests.light import reference
from tests.light.configs import seconds

DAYS = range((date(2054, 1, 1) - date(2020, 1, 1)).days)
ZONES = {"Europe/Rome": 60, "Europe/Helsinki": 120, "Europe/Lisbon": 0, "Atlantic/Azores": -60}


def test_every_day() -> None:
    for day in DAYS:
        there = date(2020, 1, 1) + timedelta(days=day)
        found = there.year, there.month, there.day
        assert civil.date_of(day) == found
        assert civil.day_of(*found) == day
        assert civil.weekday(day) == there.weekday()


def test_a_wider_range() -> None:
    """All that `date_of` promises: its ends, and each month between."""
    for there in (date(1900, 3, 1), date(2100, 2, 28)):
        day = (there - date(2020, 1, 1)).days
        assert civil.date_of(day) == (there.year, there.month, there.day)
    for month in range(1900 * 12 + 2, 2100 * 12 + 1):
        there = date(month // 12, month % 12 + 1, 1)
        for n in (-1, 0):
            day = (there - date(2020, 1, 1)).days + n
            before = there + timedelta(days=n)
            if before >= date(1900, 3, 1):
                assert civil.date_of(day) == (before.year, before.month, before.day)


@pytest.mark.parametrize("name", ZONES)
def test_every_day_in_zones(name: str) -> None:
    """Local midnight, noon, and each hour of the days on which clocks are changed."""
    zone, minutes = ZoneInfo(name), ZONES[name]
    epoch = reference.EPOCH
    for day in DAYS:
        now = day * 86400
        there = (epoch + timedelta(seconds=now)).astimezone(zone)
        next_day = (epoch + timedelta(seconds=now + 86400)).astimezone(zone)
        ahead = there.utcoffset()
        assert ahead is not None
        assert civil.offset_s(now, minutes, 1) == ahead.total_seconds()
        hours = [0, 720]
        if next_day.utcoffset() != ahead:
            hours = list(range(0, 1440, 15))
            for second in range(now, now + 86400, 1800):
                for at in (second - 1, second):
                    want = (epoch + timedelta(seconds=at)).astimezone(zone).utcoffset()
                    assert want is not None
                    assert civil.offset_s(at, minutes, 1) == want.total_seconds()
        for of_day in hours:
            # Of a time that is there twice the first, of one that is not the one before the
            # change: what zoneinfo calls fold 0.
            wall = datetime(2020, 1, 1, tzinfo=zone) + timedelta(days=day, minutes=of_day)
            want_s = round((wall.astimezone(UTC) - epoch).total_seconds())
            assert civil.to_utc(day, of_day, minutes, 1) == want_s


@pytest.mark.parametrize("offset_min", [-720, -210, 0, 345, 630, 840])
def test_without_summer_time(offset_min: int) -> None:
    """No other continent's is known: in the south it would be the other half of the year."""
    for now in (seconds(2026, 1, 1), seconds(2026, 7, 1)):
        assert civil.offset_s(now, offset_min, civil.NO_SUMMER_TIME) == offset_min * 60
        at = civil.to_utc(now // 86400, 1300, offset_min, civil.NO_SUMMER_TIME)
        assert at == now + (1300 - offset_min) * 60
