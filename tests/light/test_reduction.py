"""UNI 11248:2016, annex D, and the photocell: scenarios on both Pythons, and slow references."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_light.traffic import Reduction
from lampione_light.twilight import Twilight

from tests.light import both
from tests.light.peer import alike
from tests.peer import Peer

SERVICE = 600  # vehicles/h of a lane: half of it is 50 in ten minutes, a quarter 25
BUSY, HALF, LOW = 5, 4, 2  # vehicles a minute: 300/h, 240/h, 120/h
Minute = tuple[int | None, int | None]


class Scene(NamedTuple):
    """Minutes of (vehicles toward, away), repeated; and the classes after some of them."""

    name: str
    minutes: list[tuple[int, Minute]]
    want: dict[int, int]


LANES = {n: (n, n) for n in range(10)}
SCENES = (
    Scene("an empty road goes down after two samples", [(40, (0, 0))], {19: 0, 20: 2, 40: 2}),
    Scene("a quarter less than half: one class", [(40, LANES[HALF])], {19: 0, 20: 1, 40: 1}),
    Scene("half of the service flow is not below half", [(60, LANES[BUSY])], {20: 0, 60: 0}),
    Scene(
        "a quarter of it is not below a quarter",
        [(30, (2, 3)), (30, (3, 2))],
        {20: 1, 60: 1},
    ),
    Scene("the busiest lane", [(40, (0, BUSY))], {20: 0, 40: 0}),
    Scene("the other lane", [(40, (BUSY, 0))], {20: 0, 40: 0}),
    Scene("two lanes do not add up", [(40, (3, 3))], {20: 1, 40: 1}),
    Scene(
        "a rise at once, in the middle of a sample",
        [(23, (0, 0)), (1, (50, 0)), (36, (0, 0))],
        # Ten minutes later the crowd has left the window; then two samples.
        {23: 2, 24: 0, 33: 0, 40: 0, 49: 0, 50: 2},
    ),
    Scene(
        "a rise of one class",
        [(23, (0, 0)), (1, (30, 0)), (36, (0, 0))],
        {23: 2, 24: 1, 40: 1, 50: 2},
    ),
    Scene(
        "one low sample is not two",
        [(10, LANES[BUSY]), (10, (0, 0)), (10, LANES[BUSY]), (10, (0, 0)), (10, LANES[BUSY])],
        dict.fromkeys(range(1, 51), 0),
    ),
    Scene(
        "no further than both allow",
        [(10, (0, 0)), (10, LANES[HALF]), (10, (0, 0)), (10, (0, 0))],
        {20: 1, 30: 1, 40: 2},
    ),
    Scene(
        "each further fall takes two samples again",
        [(20, LANES[HALF]), (40, LANES[LOW])],
        {20: 1, 30: 1, 39: 1, 40: 2},
    ),
    Scene(
        "a fault, at once; then from the beginning",
        [(30, (0, 0)), (1, (None, None)), (30, (0, 0))],
        {30: 2, 31: 0, 50: 0, 51: 2},
    ),
    Scene(
        "a fault of one lane", [(30, (0, 0)), (1, (0, None)), (9, (0, 0))], {30: 2, 31: 0, 40: 0}
    ),
    Scene("never counted", [(60, (None, None))], {60: 0}),
)


def expand(scene: Scene) -> list[Minute]:
    return [minute for times, minute in scene.minutes for _ in range(times)]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_annex_d(peer: Peer, scene: Scene) -> None:
    found = alike(peer, "traffic", [SERVICE, expand(scene)])
    assert {minute: found[minute - 1] for minute in scene.want} == scene.want


def test_no_service_flow_no_reduction(peer: Peer) -> None:
    assert alike(peer, "traffic", [0, [(0, 0)] * 60]) == [0] * 60


COUNT = st.one_of(st.integers(0, 8), st.integers(0, 8), st.integers(0, 300))
MINUTE: st.SearchStrategy[Minute] = st.one_of(
    st.tuples(COUNT, COUNT), st.tuples(COUNT, COUNT), st.tuples(st.none() | COUNT, COUNT)
)
RUNS = st.lists(st.tuples(st.integers(1, 25), st.one_of(st.just((0, 0)), MINUTE)), max_size=20).map(
    lambda runs: [minute for times, minute in runs for _ in range(times)]
)


def allowed(minutes: list[Minute], service: int) -> int:
    """Return the classes that ten minutes allow."""
    lanes = [sum(min(minute[lane] or 0, 255) for minute in minutes) for lane in (0, 1)]
    flow = max(lanes) * 6
    return 2 if flow < service / 4 else 1 if flow < service / 2 else 0


def expected(service: int, minutes: list[Minute]) -> list[int]:
    """Look back, each minute, over all that was counted since the last fault."""
    found: list[int] = []
    classes, since, changed = 0, 0, 0  # minutes: of the last fault, of the last change
    for now in range(1, len(minutes) + 1):
        if None in minutes[now - 1]:
            classes, since, changed = 0, now, now
        elif now - since >= 10:
            window = minutes[now - 10 : now]
            if allowed(window, service) < classes:
                classes, changed = allowed(window, service), now
            elif (now - since) % 10 == 0 and now - since >= 20:
                samples = [allowed(minutes[end - 10 : end], service) for end in (now - 10, now)]
                # Both ended after the last change, so it is ten minutes old, and both go lower.
                if now - 10 > changed and min(samples) > classes:
                    classes, changed = min(samples), now
        found.append(classes)
    return found


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.just(SERVICE), st.integers(0, 65535)), RUNS)
def test_annex_d_beside_a_reference(service: int, minutes: list[Minute]) -> None:
    assert both.answer_of("traffic", [service, minutes]) == expected(service, minutes)


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.just(SERVICE), st.integers(0, 65535)), RUNS)
def test_bounds(service: int, minutes: list[Minute]) -> None:
    """Whatever drives: below full light only after 20 low minutes; a level is held for ten."""
    reduction = Reduction(service)
    before, fell = 0, -100
    for now, minute in enumerate(minutes, 1):
        reduction.minute(*minute)
        classes = reduction.classes
        assert 0 <= classes <= 2
        if classes:
            assert now >= 20
            assert None not in [count for one in minutes[now - 10 : now] for count in one]
            assert allowed(minutes[now - 10 : now], service) >= classes
        if classes > before:
            assert None not in [count for one in minutes[now - 20 : now] for count in one]
            assert allowed(minutes[now - 20 : now - 10], service) >= classes
            assert now - fell >= 10
        if classes != before:
            fell = now
        before = classes


# The photocell


class Dusk(NamedTuple):
    name: str
    readings: list[tuple[int, int | None, int]]  # times, lx, seconds since the last
    want: dict[int, bool | None]  # after so many readings


DUSKS = (
    Dusk("nothing yet", [(5, None, 1)], {5: None}),
    Dusk("its first word counts at once", [(1, 5, 1)], {1: True}),
    Dusk("by day too", [(1, 500, 1)], {1: False}),
    Dusk("between the two it may be dusk: lit", [(1, 25, 1)], {1: True}),
    Dusk("a minute of dark", [(1, 500, 1), (80, 5, 1)], {61: False, 62: True}),
    Dusk("a minute of light", [(1, 5, 1), (80, 500, 1)], {61: True, 62: False}),
    Dusk("between the two nothing changes", [(1, 500, 1), (200, 25, 1)], {201: False}),
    Dusk("nor from the dark", [(1, 5, 1), (200, 30, 1)], {201: True}),
    Dusk("headlights", [(1, 5, 1), (40, 500, 1), (1, 5, 1), (40, 500, 1)], {82: True}),
    Dusk("one reading a long time after the last", [(1, 5, 1), (1, 500, 500)], {2: True}),
    Dusk("ten minutes of silence are believed", [(1, 5, 1), (20, None, 30)], {21: True}),
    Dusk("more are not", [(1, 5, 1), (21, None, 30)], {21: True, 22: None}),
    Dusk(
        "after which its word counts at once", [(1, 5, 1), (30, None, 30), (1, 500, 1)], {32: False}
    ),
    Dusk(
        "a silence begins the minute anew",
        [(1, 500, 1), (50, 5, 1), (1, None, 1), (80, 5, 1)],
        {52: False, 112: False, 113: True},
    ),
)


@pytest.mark.parametrize("dusk", DUSKS, ids=lambda dusk: dusk.name)
def test_twilight(peer: Peer, dusk: Dusk) -> None:
    readings = [(lux, s) for times, lux, s in dusk.readings for _ in range(times)]
    found = alike(peer, "twilight", [20, 35, readings])
    assert {n: found[n - 1] for n in dusk.want} == dusk.want


@pytest.mark.parametrize(("dark_lx", "bright_lx"), [(0, 0), (0, 65535), (40, 20), (65535, 0)])
def test_thresholds_that_make_no_sense(dark_lx: int, bright_lx: int) -> None:
    """A night is dark by any of them."""
    twilight = Twilight(dark_lx, bright_lx)
    twilight.step(100000, 1)
    for _ in range(100):
        twilight.step(0, 1)
    assert twilight.dark is True


LUX = st.one_of(st.none(), st.sampled_from([5, 19, 20, 25, 35, 36, 500]), st.integers(0, 100000))
READINGS = st.lists(
    st.tuples(st.integers(1, 70), LUX, st.sampled_from([1, 1, 1, 5, 59, 60, 61, 300])), max_size=12
).map(lambda runs: [(lux, s) for times, lux, s in runs for _ in range(times)])


def expected_dark(
    dark_lx: int, bright_lx: int, readings: list[tuple[int | None, int]]
) -> list[bool | None]:
    """Return what is known after each, from when they were."""
    dark_lx = max(dark_lx, 1)
    bright_lx = max(dark_lx, bright_lx)
    dark: bool | None = None
    now = heard = 0
    against: list[int] = []  # when it was beyond the other threshold, without a break
    found: list[bool | None] = []
    for lux, seconds in readings:
        now += seconds
        if lux is None:
            against = []
            if now - heard > 600:
                dark = None
        elif dark is None:
            heard = now
            dark, against = lux < bright_lx, []
        else:
            heard = now
            beyond = lux > bright_lx if dark else lux < dark_lx
            against = [*against, now] if beyond else []
            if against and against[-1] - against[0] >= 60:
                dark, against = not dark, []
        found.append(dark)
    return found


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 60), st.integers(0, 60), READINGS)
def test_twilight_beside_a_reference(
    dark_lx: int, bright_lx: int, readings: list[tuple[int | None, int]]
) -> None:
    found = both.answer_of("twilight", [dark_lx, bright_lx, readings])
    assert found == expected_dark(dark_lx, bright_lx, readings)
