"""Upkeep, budget, heat, traffic: by example."""

from typing import Any

import pytest
from lampione_light import level
from lampione_light.program import Program

from tests.light import configs
from tests.light.configs import MILAN, seconds
from tests.light.reference import CLOCK, Config, Step

MIDNIGHT = seconds(2026, 1, 10, 23)


def program(**fields: Any) -> Program:
    return Program(configs.blob(Config(*MILAN, **fields)), b"")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("burn_h", "percent"),
    [(None, 100), (0, 80), (1000, 80), (3000, 85), (4999, 89), (5000, 95), (5001, 95), (9000, 100)],
)
def test_upkeep(turned: bool, burn_h: int | None, percent: int) -> None:
    """Rows in any order; of two for the same hours the greater counts from there on."""
    rows = ((100, 80), (500, 90), (500, 95), (900, 100))
    there = program(upkeep=rows[::-1] if turned else rows)
    assert level.upkeep_percent(there.upkeep, burn_h) == percent


@pytest.mark.parametrize(
    ("rated", "budget", "percent"),
    [(0, 0, 100), (100, 0, 100), (0, 50, 100), (100, 40, 40), (40, 100, 100)],
)
def test_budget(rated: int, budget: int, percent: int) -> None:
    assert level.limit(program(rated_w=rated, budget_w=budget), None) == percent * 100


@pytest.mark.parametrize(
    ("hot", "hottest", "celsius", "percent"),
    [
        (60, 80, None, 100),
        (60, 80, 60, 100),
        (60, 80, 70, 75),
        (60, 80, 80, 50),
        (60, 80, 120, 50),
        (60, 60, 60, 100),
        (60, 60, 61, 50),
        (60, 40, 50, 100),
        (60, 40, 61, 50),
    ],
)
def test_heat(hot: int, hottest: int, celsius: int | None, percent: int) -> None:
    there = program(hot_c=hot, hottest_c=hottest, hot_percent=50)
    assert level.limit(there, celsius) == percent * 100


@pytest.mark.parametrize(
    ("minimum", "maximum", "design", "want"),
    [(0, 100, 0, 1), (20, 10, 5, 20), (20, 50, 80, 50), (255, 255, 255, 100), (1, 0, 100, 1)],
)
def test_the_minimum_wins(minimum: int, maximum: int, design: int, want: int) -> None:
    """Over a maximum, a design level, a budget and heat that contradict it."""
    sensed = level.Sensed()
    sensed.fault, sensed.dark = True, True
    there = program(minimum=minimum, maximum=maximum, design=design)
    assert level.level_at(there, None, sensed, []) == (want * 100, level.FAULT, 0)
    sensed.celsius = 100
    cold = program(minimum=30, hot_c=0, hottest_c=0, hot_percent=0, rated_w=100, budget_w=1)
    assert level.level_at(cold, MIDNIGHT, sensed, [])[0] == 3000


def test_the_post_allows_no_more_to_any_order() -> None:
    """The maximum is not for emergency and maintenance; budget and heat are for all."""
    there = program(maximum=60, rated_w=100, budget_w=70)
    found = []
    for kind in (level.OVERRIDE, level.EMERGENCY, level.MAINTENANCE):
        order = [kind, 9000, 0, 1000, 0, 0, 0]
        found.append(level.level_at(there, MIDNIGHT, level.Sensed(), [order])[0])
    assert found == [6000, 7000, 7000]


def test_an_override_may_be_dark_but_not_too_dim() -> None:
    found = []
    for want in (0, 1, 500, 3000):
        order = [level.OVERRIDE, want, 0, 1000, 0, 0, 0]
        found.append(level.level_at(program(minimum=10), MIDNIGHT, level.Sensed(), [order])[0])
    assert found == [0, 1000, 1000, 3000]


def test_traffic_tells_its_reason_where_it_lowers() -> None:
    sensed = level.Sensed()
    there = program(plans={0: (Step(CLOCK, 900, 80, 0),)}, traffic=(600, 100, 50))
    found = []
    for sensed.reduction in (0, 1, 2):
        found.append(level.level_at(there, MIDNIGHT, sensed, []))
    plain = (8000, level.PROGRAM, 0)
    assert found == [plain, plain, (4000, level.SENSOR, 0)]


def test_no_config_is_the_design_level_all_the_time() -> None:
    for blob in (None, b"", b"\x01"):
        there = Program(blob, b"x")
        assert level.level_at(there, MIDNIGHT, level.Sensed(), []) == (10000, level.DESIGN, 0)
        # A node that follows a config misses its clock; one that has none does not.
        why = level.FAULT if blob else level.DESIGN
        assert level.level_at(there, None, level.Sensed(), []) == (10000, why, 0)


@pytest.mark.parametrize("kind", [level.SENSOR, level.GROUP])
def test_presence_comes_and_goes_by_ramps(kind: int) -> None:
    """Up in two seconds, five at the top, down in two."""
    there = program(plans={0: (Step(CLOCK, 0, 20, 0),)})
    found = []
    for ms in range(0, 11000, 1000):
        order = [kind, 10000, 2000, 7000, ms, 0, 0]
        found.append(level.level_at(there, MIDNIGHT, level.Sensed(), [order])[0] // 100)
    assert found == [20, 60, 100, 100, 100, 100, 100, 100, 60, 20, 20]
