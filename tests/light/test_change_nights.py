"""The two nights of 2026 on which clocks are changed, in Milan, minute by minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from lampione_light import level
from lampione_light.program import Program

from tests.light import configs, reference
from tests.light.configs import MILAN, seconds
from tests.light.reference import CLOCK, SUNRISE, SUNSET, Config, Reference, Senses, Step

ROME = ZoneInfo("Europe/Rome")
PLAN = (
    Step(SUNSET, 0, 100, 0),
    Step(SUNSET, 90, 80, 600),
    Step(CLOCK, 23 * 60, 60, 900),
    Step(CLOCK, 120, 50, 0),  # 02:00: not there in March, twice there in October
    Step(CLOCK, 150, 40, 1800),  # 02:30: the same
    Step(CLOCK, 180, 35, 0),  # 03:00: the first minute of summer time, in March
    Step(CLOCK, 210, 30, 0),
    Step(CLOCK, 300, 70, 0),
    Step(SUNRISE, -30, 90, 300),
)
NIGHT = Config(*MILAN, source=reference.SUN, plans={0: PLAN})


def minutes(year: int, month: int, of_month: int) -> Iterator[int]:
    """Yield each minute of a lighting day, and an hour on either side."""
    noon = datetime(year, month, of_month, 12, tzinfo=ROME)
    end = datetime(year, month, of_month, 12, tzinfo=ROME) + timedelta(days=1)
    first = round((noon - reference.EPOCH).total_seconds())
    last = round((end.astimezone(UTC) - reference.EPOCH).total_seconds())
    yield from range(first - 3600, last + 3600, 60)


@pytest.mark.parametrize(
    ("month", "of_month", "hours"), [(3, 28, 23), (10, 24, 25)], ids=["March", "October"]
)
def test_minute_by_minute(month: int, of_month: int, hours: int) -> None:
    program = Program(configs.blob(NIGHT), b"")
    expected = Reference(NIGHT, b"")
    day = program.day(seconds(2026, month, of_month, 12))
    assert program.noon(day + 1) - program.noon(day) == hours * 3600
    assert expected.sky
    edges = [when for when, _, step in expected.times(day) if step.anchor != CLOCK]
    edges += expected.night(expected.suns_day(day)) or ()
    steps = set()
    compared = 0
    for now in minutes(2026, month, of_month):
        found = level.level_at(program, now, level.Sensed(), [])
        if all(not -60 <= now - edge <= 660 for edge in edges):
            assert found == expected.level(now, Senses(), ())
            compared += 1
        else:  # an edge may be a minute early or late; its ramp with it
            near = [expected.level(now + off, Senses(), ())[0] for off in range(-60, 61, 20)]
            assert min(near) <= found[0] <= max(near)
        if found[0]:
            steps.add(found[2])
    assert compared > (hours + 2) * 60 - 80
    # Where 02:30 is as late as 03:30 the step written last counts; every other has its turn.
    assert steps == set(range(9)) - ({3, 4} if month == 3 else set())


@pytest.mark.parametrize(
    ("utc", "percent"),
    [
        ((3, 29, 0, 59), 60),  # 01:59
        ((3, 29, 1, 0), 35),  # 03:00: so is 02:00 by a clock that was not put forward; written last
        ((3, 29, 1, 29), 35),
        ((3, 29, 1, 30), 30),  # 03:30
        ((3, 29, 3, 0), 70),  # 05:00
        ((10, 24, 23, 59), 60),  # 01:59
        ((10, 25, 0, 0), 50),  # 02:00, the first
        ((10, 25, 0, 30), 50),  # 02:30, the first: a ramp of half an hour begins
        ((10, 25, 0, 45), 45),
        ((10, 25, 1, 0), 40),  # 02:00, the second: nothing begins again
        ((10, 25, 1, 30), 40),
        ((10, 25, 2, 0), 35),  # 03:00
        ((10, 25, 2, 30), 30),
        ((10, 25, 4, 0), 70),
    ],
)
def test_as_people_would_say_it(utc: tuple[int, ...], percent: int) -> None:
    program = Program(configs.blob(NIGHT), b"")
    assert program.at(seconds(2026, *utc))[0] == percent * 100


def test_every_night_has_its_steps() -> None:
    """Of the nights of 2026 these two alone have other than whole 24 hours."""
    program = Program(configs.blob(NIGHT), b"")
    first = program.day(seconds(2026, 1, 1, 12))
    hours = [program.noon(day + 1) - program.noon(day) for day in range(first, first + 365)]
    assert sorted({h / 3600 for h in hours}) == [23, 24, 25]
    assert hours.count(23 * 3600) == hours.count(25 * 3600) == 1
    for day in range(first, first + 365):
        assert len(program.steps(day)) == len(PLAN)


@pytest.mark.parametrize("offset_min", [600, 630, 645, 660])
def test_a_clock_that_is_changed_at_noon(offset_min: int) -> None:
    """No such zone is known; of a noon that is there twice the first counts, once and for all."""
    there = Config(*MILAN, offset_min=offset_min)
    program, expected = Program(configs.blob(there), b""), Reference(there, b"")
    for change in (seconds(2026, 3, 29, 1), seconds(2026, 10, 25, 1)):
        days = [program.day(now) for now in range(change - 9000, change + 9000, 60)]
        assert days == sorted(days)
        assert days == [expected.day(now) for now in range(change - 9000, change + 9000, 60)]
