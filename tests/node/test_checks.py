"""What no sensor tells alone: when each finding begins, when it ends, and what is no finding."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node import micro

LAMP_FAILURE, DAY_BURNING, CYCLING, LIGHT, TRAFFIC, KNOCKED = 9, 14, 15, 16, 17, 18
INFO, WARNING, ERROR = 0, 1, 2

HEAD = """
import json, sys
from lampione_node.sensing import checks as module
from lampione_node.sensing.checks import Checks, Finding
now = [0]
module.ticks_ms = lambda: now[0] & 0x3FFFFFFF
module.ticks_diff = lambda a, b: ((a - b + 0x20000000) & 0x3FFFFFFF) - 0x20000000
class Thing:
    failed = None  # a dimmer cannot tell
class Lamp(Thing):
    output = Thing
class Post:
    def __init__(self):
        self.events = []
    def event(self, *what):
        self.events.append([now[0] // 1000] + list(what))
def given():
    return [json.loads(line) for line in sys.stdin]
def say(what):
    print(json.dumps(what))
"""

REPORTS = (
    HEAD
    + """
post = Post()
lamp = Lamp()
lamp.rated_w, minutes = given()
checks = Checks(post, lamp, None, None)
for minute in minutes:
    values = [None] * 29
    values[1] = 60
    for at, value in minute:
        values[at] = value
    now[0] += 60000
    checks.report(values)
say(post.events)
"""
)
LEVEL, POWER, AMBIENT, TOWARD, AWAY, LA10, LA90 = 23, 25, 22, 17, 18, 12, 14


def reports(minutes: list[list[tuple[int, Any]]], rated_w: int = 0) -> list[list[int]]:
    """Return [second, code, severity, argument] of every Event."""
    (said,) = micro.run(REPORTS, rated_w, minutes)
    found: list[list[int]] = said
    return found


def lamp(level: int, power_w: float | None, light_lx: float = 0) -> list[tuple[int, Any]]:
    power = None if power_w is None else round(power_w * 2)
    return [(LEVEL, level), (POWER, power), (AMBIENT, round(light_lx * 20))]


def test_a_lamp_without_power_is_told_after_three_minutes_and_when_it_is_mended() -> None:
    minutes = [lamp(80, 60)] * 5 + [lamp(80, 0.5)] * 5 + [lamp(80, 60)] * 5
    assert reports(minutes) == [
        [8 * 60, LAMP_FAILURE, WARNING, 0],
        [13 * 60, LAMP_FAILURE, INFO, 60],
    ]


def test_a_lamp_switched_on_within_an_interval_has_not_failed() -> None:
    dusk = [lamp(0, 0.5), lamp(100, 1.5), lamp(100, 60)]
    (said,) = micro.run(REPORTS.replace("values[1] = 60", "values[1] = 300"), 60, dusk * 3)
    assert said == []
    dead = [lamp(0, 0.5), lamp(100, 0.5), lamp(100, 0.5), lamp(100, 0.5)]
    (said,) = micro.run(REPORTS.replace("values[1] = 60", "values[1] = 300"), 60, dead)
    assert [event[1:] for event in said] == [[LAMP_FAILURE, WARNING, 0]]


def test_a_lamp_of_known_power_that_takes_a_sixth_of_it_has_failed() -> None:
    assert reports([lamp(50, 8)] * 5, rated_w=100) == [[240, LAMP_FAILURE, WARNING, 8]]
    assert reports([lamp(50, 14)] * 5, rated_w=100) == []


@pytest.mark.parametrize(
    "minutes",
    [
        [lamp(80, 0.5)] * 2 + [lamp(80, 60)] + [lamp(80, 0.5)] * 2,  # never three in a row
        [lamp(10, 1)] * 10,  # dimmed so far that a driver takes next to nothing
        [lamp(80, None)] * 10,  # no meter
        [lamp(80, 0.5), lamp(80, None)] * 10,
        [lamp(0, 0.5, 5000)] * 30,  # off by day
        [lamp(100, 60, 30)] * 30,  # on by night
    ],
)
def test_what_is_no_finding_of_the_lamp(minutes: list[list[tuple[int, Any]]]) -> None:
    assert reports(minutes) == []


def test_a_lamp_that_burns_although_it_is_off_or_by_day() -> None:
    expected = [[16 * 60, DAY_BURNING, WARNING, 40]]
    assert reports([lamp(0, 40, 0)] * 17) == expected
    assert reports([lamp(100, 40, 3000)] * 17) == expected
    ended = reports([lamp(100, 40, 3000)] * 17 + [lamp(100, 40, 5)] * 16)
    assert ended == [*expected, [32 * 60, DAY_BURNING, INFO, 40]]


def test_a_light_sensor_that_sees_no_day_or_no_night() -> None:
    day, night = [(AMBIENT, 20 * 4000)], [(AMBIENT, 20 * 1)]
    assert reports([night] * 1500) == [[86_400, LIGHT, WARNING, 1]]
    assert reports([day] * 1500) == [[86_400, LIGHT, WARNING, 4000]]
    assert reports(([night] * 720 + [day] * 720) * 2) == []
    cleaned = reports([night] * 1500 + [day] * 90)
    assert cleaned == [[86_400, LIGHT, WARNING, 1], [1501 * 60, LIGHT, INFO, 4000]]


def test_traffic_that_nobody_hears() -> None:
    def minute(vehicles: int, la10: float, la90: float) -> list[tuple[int, Any]]:
        return [(TOWARD, vehicles), (AWAY, 2), (LA10, round(la10 * 5)), (LA90, round(la90 * 5))]

    assert reports([minute(9, 41, 40)] * 11) == [[600, TRAFFIC, WARNING, 11]]
    assert reports([minute(9, 61, 50)] * 20) == []
    assert reports([minute(3, 41, 40)] * 20) == []  # too few to be heard for sure


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([True, False, None]), st.integers(1, 100)), max_size=60),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_a_finding_follows_its_definition(
    steps: list[tuple[bool | None, int]], begins_s: int, ends_s: int
) -> None:
    """Against the definition: the longest unbroken stretch up to now."""
    (said,) = micro.run(
        HEAD
        + """
begins_s, ends_s, steps = given()
finding = Finding(begins_s, ends_s)
say([[finding.step(holds, seconds), finding.active] for holds, seconds in steps])
""",
        begins_s,
        ends_s,
        steps,
    )
    active = False
    held = times = 0
    for (holds, seconds), (changed, now) in zip(steps, said, strict=True):
        before = active
        contrary = holds is not None and holds is not active
        held, times = (held + seconds, times + 1) if contrary else (0, 0)
        needs_s = ends_s if active else begins_s
        if contrary and held >= needs_s and (not needs_s or times >= 2):
            active, held, times = not active, 0, 0
        assert (changed, now) == (active is not before, active)


LOOKS = (
    HEAD
    + """
post = Post()
lamp, energy, tilt = Lamp(), Thing(), Thing()
checks = Checks(post, lamp, energy, tilt)
start, looks = given()
now[0] = start
for n, (lamp.level_percent, energy.power_dw, tilt.steps, tilt.impact_ms) in enumerate(looks):
    tilt.fills = n // 6  # an interval is a minute
    checks.look()
    now[0] += 10000
say([[second - start // 1000] + rest for second, *rest in post.events])
"""
)


def looks(seen: Sequence[tuple[int, int | None, int | None, int | None]], start: int = 0) -> Any:
    (said,) = micro.run(LOOKS, start, seen)
    return said


@pytest.mark.parametrize("start", [0, (1 << 30) - 45_000])
def test_a_lamp_that_goes_out_by_itself_again_and_again(start: int) -> None:
    on, off = (100, 600, None, None), (100, 3, None, None)
    cycle = [on] * 5 + [off] * 5
    assert looks(cycle * 3 + [on] * 200, start) == [
        [250, CYCLING, WARNING, 3],
        [860, CYCLING, INFO, 0],
    ]
    assert looks((cycle + [on] * 60) * 4, start) == []  # once in twelve minutes
    asked = [(100, 600, None, None)] * 3 + [(0, 3, None, None)] * 3
    assert looks(asked * 10, start) == []


def test_an_impact_that_moves_the_post_is_more_than_an_impact() -> None:
    def stand(steps: int, impact_ms: int | None, times: int) -> list[tuple[int, int, int, Any]]:
        return [(100, 600, steps, impact_ms)] * times

    # Half a minute after a knock the interval's mean has half of it, a minute later all.
    knocked = stand(2, None, 9) + stand(2, 85_000, 3) + stand(5, 85_000, 6) + stand(9, 85_000, 9)
    assert looks(knocked) == [[180, KNOCKED, ERROR, 7]]
    swayed = stand(2, None, 9) + stand(2, 85_000, 3) + stand(5, 85_000, 6) + stand(3, 85_000, 9)
    assert looks(swayed) == []
    assert looks(stand(2, None, 6) + stand(9, None, 20)) == []  # slowly: `tilted` tells that
    twice = knocked + stand(9, 265_000, 6) + stand(14, 265_000, 12)
    assert looks(twice) == [[180, KNOCKED, ERROR, 7], [360, KNOCKED, ERROR, 5]]
