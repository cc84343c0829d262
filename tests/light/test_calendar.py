"""Which plan a night has, and when its steps take effect: the rules by example."""

from datetime import date
from typing import Any

import pytest
from lampione_light import level
from lampione_light.program import Program

from tests.light import configs, reference
from tests.light.configs import MILAN, seconds
from tests.light.reference import CLOCK, SUNRISE, SUNSET, Config, Rule, Step

ALL = 127


def program(node: bytes = b"", **fields: Any) -> Program:
    return Program(configs.blob(Config(*MILAN, source=reference.SUN, **fields)), node)


def plan_of(rules: tuple[Rule, ...], *day: int) -> int:
    return program(rules=rules).plan((date(*day) - date(2020, 1, 1)).days)


@pytest.mark.parametrize(
    ("day", "plan"),
    [
        ((2026, 12, 23), 0),
        ((2026, 12, 24), 1),
        ((2026, 12, 31), 1),
        ((2027, 1, 6), 1),
        ((2027, 1, 7), 0),
        ((2028, 2, 28), 0),
        ((2028, 2, 29), 2),
        ((2028, 3, 1), 0),
        ((2027, 2, 28), 0),
        ((2027, 3, 1), 0),
        ((2026, 8, 15), 3),  # a Saturday
        ((2026, 8, 16), 0),
    ],
)
def test_dates(day: tuple[int, ...], plan: int) -> None:
    rules = (
        Rule(ALL, (12, 24), (1, 6), 1),
        Rule(ALL, (2, 29), (2, 29), 2),
        Rule(1 << 5, (8, 1), (8, 31), 3),
    )
    assert plan_of(rules, *day) == plan


def test_the_first_rule_that_fits() -> None:
    rules = (
        Rule(1, (1, 1), (12, 31), 1),
        Rule(ALL, (1, 1), (12, 31), 2),
        Rule(ALL, (1, 1), (1, 1), 3),
    )
    assert plan_of(rules, 2026, 3, 2) == 1  # a Monday
    assert plan_of(rules, 2026, 3, 3) == 2
    assert plan_of(rules, 2026, 1, 1) == 2


def test_a_night_is_its_evenings() -> None:
    """The morning after New Year's Eve is still of the old year's plan."""
    plans = {0: (Step(CLOCK, 0, 20, 0),), 1: (Step(CLOCK, 0, 90, 0),)}
    there = program(plans=plans, rules=(Rule(ALL, (12, 31), (12, 31), 1),))
    assert there.at(seconds(2027, 1, 1, 6)) == (9000, 1 << 5)
    assert there.at(seconds(2027, 1, 1, 10, 59))[0] == 9000
    assert there.at(seconds(2027, 1, 1, 11))[0] == 2000  # noon in Milan
    assert there.at(seconds(2026, 12, 31, 10, 59))[0] == 2000


def test_the_delay_moves_everything() -> None:
    """Noon, a step, sunset: a node that is late is late at all of them, by the same."""
    plans = {0: (Step(CLOCK, 0, 90, 0),), 1: (Step(CLOCK, 0, 20, 60),)}
    rules = (Rule(ALL, (12, 31), (12, 31), 1),)
    punctual = program(plans=plans, rules=rules)
    late = program(b"bligny-1", plans=plans, rules=rules, spread_s=255)
    assert late.delay_s > 0
    for now in range(seconds(2026, 12, 31), seconds(2027, 1, 1, 12), 47):
        sensed = level.Sensed()
        want = level.level_at(punctual, now, sensed, [])
        assert level.level_at(late, now + late.delay_s, sensed, []) == want


def test_a_district_does_not_switch_as_one() -> None:
    names = [
        f"{street}-{n}" for street in ("bligny", "ripamonti", "vettabbia") for n in range(1, 41)
    ]
    delays = [program(name.encode(), spread_s=60).delay_s for name in names]
    assert set(delays) <= set(range(61))
    assert max(delays.count(delay) for delay in delays) <= 8  # of 120 nodes, in any one second
    assert len(set(delays)) > 40


def effective(day: tuple[int, int, int], **fields: Any) -> list[tuple[str, int, int]]:
    """Return (UTC time, step, percent) of the steps of a night that take effect."""
    there = program(**fields)
    found = []
    for when, which, _, target, _ in there.effective((date(*day) - date(2020, 1, 1)).days):
        minute = when // 60 % 1440
        found.append((f"{minute // 60:02}:{minute % 60:02}", which, target // 100))
    return found


def test_clock_steps_that_a_sunset_crosses() -> None:
    """22:00 is after sunset in winter; an hour after sunset comes after it in June."""
    plans = {0: (Step(SUNSET, 60, 80, 0), Step(CLOCK, 22 * 60, 40, 0), Step(SUNRISE, -30, 90, 0))}
    assert [w for _, w, _ in effective((2026, 12, 21), plans=plans)] == [0, 1, 2]
    assert effective((2026, 6, 21), plans=plans) == [
        ("20:00", 1, 40),
        ("20:15", 0, 80),
        ("03:04", 2, 90),
    ]
    there = program(plans=plans)
    assert there.at(seconds(2026, 6, 21, 19, 30)) == (8000, 31)  # before: as the first one written


def test_dwell() -> None:
    evening = (Step(CLOCK, 1200, 80, 0), Step(CLOCK, 1205, 60, 0), Step(CLOCK, 1240, 50, 0))
    winter = (2026, 1, 10)
    # The second waits until 20:30; the third until half an hour after that.
    assert effective(winter, plans={0: evening}, dwell_s=1800) == [
        ("19:00", 0, 80),
        ("19:30", 1, 60),
        ("20:00", 2, 50),
    ]
    # It would wait until 21:00: the third is due before.
    assert effective(winter, plans={0: evening}, dwell_s=3600) == [
        ("19:00", 0, 80),
        ("20:00", 2, 50),
    ]
    # What raises never waits, and drops what was waiting.
    up = (Step(CLOCK, 1200, 80, 0), Step(CLOCK, 1205, 60, 0), Step(CLOCK, 1210, 100, 0))
    assert effective(winter, plans={0: up}, dwell_s=3600) == [("19:00", 0, 80), ("19:10", 2, 100)]


def test_noon_is_the_first_instant_of_a_lighting_day() -> None:
    there = program(plans={0: (Step(CLOCK, 0, 80, 0), Step(CLOCK, 720, 60, 0))})
    found = [there.at(seconds(2026, 1, 10, 11) + off) for off in (-1, 0)]
    assert found == [(8000, 0), (6000, 1)]


def test_steps_at_one_instant() -> None:
    """The one that is written last counts, wherever the others would lead."""
    both = (Step(CLOCK, 1200, 80, 0), Step(CLOCK, 1260, 20, 0), Step(CLOCK, 1260, 50, 600))
    there = program(plans={0: both})
    assert there.at(seconds(2026, 1, 10, 20, 5)) == (6500, 2)


def test_a_ramp_that_the_next_step_takes_over() -> None:
    plans = {
        0: (Step(CLOCK, 1200, 100, 0), Step(CLOCK, 1260, 0, 3600), Step(CLOCK, 1290, 100, 1800))
    }
    there = program(plans=plans)
    at = [there.at(seconds(2026, 1, 10, 20) + minute * 60) for minute in (0, 15, 30, 45, 60)]
    assert at == [(10000, 1), (7500, 1), (5000, 2), (7500, 2), (10000, 2)]


@pytest.mark.parametrize(
    ("longitude", "offset_min"), [(-17175000, 780), (-15740000, 840), (7599000, 480), (919000, 60)]
)
def test_sunset_and_sunrise_are_of_the_same_night(longitude: int, offset_min: int) -> None:
    """Beside the date line too, where the sun's days are numbered otherwise."""
    steps: tuple[Step, ...] = (Step(SUNSET, 0, 80, 0), Step(SUNRISE, 0, 50, 0))
    place = Config(-1385000, longitude, offset_min, summer_time=0, plans={0: steps})
    there = Program(configs.blob(place), b"")
    for day in range(2200, 2565):
        sunset, sunrise = (when for when, *_ in there.steps(day))
        assert (sunset, sunrise) == there.window(day)
        assert there.noon(day) < sunset < sunrise < there.noon(day + 1)


def test_what_is_not_known_is_left_out() -> None:
    """An anchor of a later controller, a plan that is not there."""
    there = program(plans={0: (Step(CLOCK, 1200, 80, 0), Step(7, 0, 1, 0))})
    assert [which for _, which, *_ in there.steps(2200)] == [0]
    assert program(design=70, rules=(Rule(ALL, (1, 1), (12, 31), 9),)).at(0) == (7000, 9 << 5 | 31)
    # Without a place there is no sunset.
    bare = Program(configs.blob(Config(plans={0: (Step(SUNSET, 0, 80, 0),)})), b"")
    assert bare.steps(2200) == []


@pytest.mark.parametrize(
    ("on_min", "off_min", "hours"),
    [
        (0, 0, 8.33),
        (-30, 30, 9.33),
        (20, -20, 7.66),
        (600, -600, 4.33),
        (-600, 600, 24),
        (300, 0, 6.33),
    ],
)
def test_minutes_around_a_night(on_min: int, off_min: int, hours: float) -> None:
    """In June, in Milan: two hours at most are taken from either end, none added past a noon."""
    on, off = program(on_min=on_min, off_min=off_min).window(civil_day(2026, 6, 21))
    assert (off - on) / 3600 == pytest.approx(hours, abs=0.05)


def test_minutes_that_leave_nothing_count_for_nothing() -> None:
    """Three hours of night in the north, four of which would go."""
    bergen = Config(6250000, 600000, source=reference.SUN)
    plain = Program(configs.blob(bergen), b"").window(civil_day(2026, 6, 21))
    less = Config(6250000, 600000, source=reference.SUN, on_min=120, off_min=-120)
    assert Program(configs.blob(less), b"").window(civil_day(2026, 6, 21)) == plain
    assert 3600 < plain[1] - plain[0] < 4 * 3600


def civil_day(*day: int) -> int:
    return (date(*day) - date(2020, 1, 1)).days


def test_a_photocell_that_never_sees_the_night() -> None:
    """Alone it decides when night begins, but an hour after sunset it is not believed."""
    there = Program(configs.blob(Config(*MILAN, source=reference.CELL)), b"")
    on, off = there.window(civil_day(2026, 1, 10))
    assert not there.is_night(on + 3599, False)
    assert there.is_night(on + 3600, False)
    assert there.is_night(off - 3601, False)
    assert not there.is_night(off - 3600, False)
    assert there.is_night(on - 3600, True)
    assert there.is_night(on, None)
    assert not there.is_night(on - 1, None)
    assert there.is_night(None, False) is False
