"""The estimator of traffic before a UART radar, under MicroPython.

How good it is on whole streets: benchmarks/traffic.py; here conservative bounds on a short run.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual.traffic import TrafficStreet, Vehicle, Walker

from benchmarks import traffic
from tests.node import micro

SCRIPT = """
import json, sys
from lampione_node.sensing.traffic import Traffic
class Told(Traffic):
    def count(self, toward, speed):
        super().count(toward, speed)
        print(json.dumps([toward, speed]))
traffic = None
for line in sys.stdin:
    numbers = json.loads(line)
    if len(numbers) == 3:
        *angles, duration_ms = numbers
        traffic = Told(*angles)
        ms = 0
    elif numbers:
        ms, speed = numbers
        traffic.take(ms, speed, 1) if speed else traffic.tick(ms)
    else:
        traffic.tick(ms + 10000)
        print(json.dumps(traffic.interval(duration_ms)))
"""
Readings = list[tuple[int, int]]
Passing = tuple[list[list[Any]], list[Any]]


def watch(*streams: Readings, angles: tuple[int, int] = (23, 31), ms: int = 60000) -> list[Passing]:
    """Return of each stream of (ms, 0.1 km/h) the vehicles told and the interval's statistics."""
    found: list[Passing] = []
    told: list[list[Any]] = []
    lines = [line for stream in streams for line in ((*angles, ms), *stream, ())]
    for line in micro.run(SCRIPT, *lines):
        if len(line) == 2:
            told.append(line)
        else:
            found.append((told, line))
            told = []
    return found


def seen(x_m: Callable[[float], float], aside_m: float, seconds: Iterable[float]) -> Readings:
    """Return what a perfect radar reads of a point that moves along the road."""
    stream = []
    for s in seconds:
        range_m = [math.hypot(x_m(t), aside_m) for t in (s - 0.001, s + 0.001)]
        stream.append((round(s * 1000), round((range_m[0] - range_m[1]) / 0.002 * 36)))
    return stream


ASIDE = 15 * math.tan(math.radians(25))


@pytest.mark.parametrize("kmh", [25, 50, 90, 130])
@pytest.mark.parametrize("acceleration", [-0.7, 0.0, 0.7])
def test_a_vehicle_alone_is_told_its_speed_at_the_section(kmh: int, acceleration: float) -> None:
    """Coming and going; of who goes the radar sees the end, 4.5 m behind the front."""
    v = kmh / 3.6

    def driven(s: float) -> float:  # beyond the section, at 10 s
        return v * (s - 10) + acceleration * (s - 10) ** 2 / 2

    times = [9.5 + n / 20 for n in range(-100, 200)]
    coming = [s for s in times if 6 < 15 - driven(s) < 45 and v + acceleration * (s - 10) > 2]
    going = [s for s in times if 7 < 10.5 + driven(s) < 45 and v + acceleration * (s - 10) > 2]
    (toward, _), (away, _) = watch(
        seen(lambda s: 15 - driven(s), ASIDE, coming),
        seen(lambda s: 10.5 + driven(s), ASIDE, going),
        angles=(25, 25),
    )
    assert [t for t, _ in toward] == [True]
    assert [t for t, _ in away] == [False]
    # A driver who keeps on braking is believed a little less than a steady one.
    assert toward[0][1] / 10 == pytest.approx(kmh, rel=0.015, abs=0.6)
    assert away[0][1] / 10 == pytest.approx(kmh, rel=0.015, abs=0.9)


def test_the_cosine_is_corrected_once() -> None:
    """What is read at the section itself is 0.906 of the speed at 25 degrees."""
    stream = seen(lambda s: 45 - 50 / 3.6 * s, ASIDE, [n / 20 for n in range(56)])
    at_section = [dkmh for ms, dkmh in stream if abs(ms - 30 * 3600 / 50) <= 25]
    assert np.mean(at_section) == pytest.approx(500 * 0.906, abs=3)
    ((told, _),) = watch(stream, angles=(25, 25))
    assert told == [[True, pytest.approx(500, abs=4)]]


def test_cosines() -> None:
    script = """
from lampione_node.sensing.traffic import cosine
print([cosine(n) for n in range(61)])
"""
    found = micro.run(script)[0]
    assert found[25] / 4096 == pytest.approx(0.906, abs=0.0015)
    for degrees, value in enumerate(found):
        assert value / 4096 == pytest.approx(math.cos(math.radians(degrees)), abs=0.002)


def emulated(place: TrafficStreet, seconds: float) -> Readings:
    """Return what the emulated radar reads of a street, steps of 1 km/h, 20 times a second."""
    return [(ms, speed) for ms, speed, _ in traffic.readings(place, seconds)]


def alone(mover: Vehicle | Walker) -> TrafficStreet:
    """Return an empty street with one mover in it."""
    place = TrafficStreet(1, per_hour=0)
    kind = 2 if isinstance(mover, Walker) else 0
    found: list[list[Any]] = [[], [], []]
    found[kind].append(mover)
    place._rounds = {
        n: (found[0], found[1], found[2]) if n == 0 else ([], [], []) for n in (-1, 0, 1)
    }
    return place


@pytest.mark.parametrize("speed_mps", [1.0, 1.3, 1.6, 2.0])
def test_a_walking_person_is_never_a_vehicle_and_always_a_presence(speed_mps: float) -> None:
    streams = [
        emulated(alone(Walker(2.0, lane_m, toward, speed_mps)), 60)
        for toward in (True, False)
        for lane_m in (0.8, 1.5, 2.5)
    ]
    for told, interval in watch(*streams):
        assert told == []
        assert interval[:4] == [0, 0, None, None]
        assert interval[4] >= 4  # of a minute, in which the person is near for 6 s or more


def test_who_stands_is_no_traffic() -> None:
    """Its engine shakes it; it had come before, and will go later."""
    draw = np.random.default_rng(3)
    shaking = [(50 * n, int(10 * draw.integers(-1, 2))) for n in range(20 * 600)]
    ((told, interval),) = watch(shaking)
    assert told == []
    assert interval == [0, 0, None, None, 0]


def test_one_that_stops_before_the_pole_is_one_vehicle() -> None:
    counts = []
    for seed in range(6):
        place = TrafficStreet(seed, per_hour=0.001, stops_per_hour=12)
        stops = place.vehicles(0, 580)
        ((told, _),) = watch(emulated(place, 600))
        counts.append((len(stops), len(told)))
    stops_, told_ = np.sum(counts, axis=0)
    assert stops_ >= 5
    assert told_ <= stops_ + 1


EMPTY: dict[str, dict[str, Any]] = {
    "rain": {"rain": 0.06},
    "sign": {"sway_kmh": 1.0},
    "fan": {"fan_kmh": 23.0},
    "slow fan": {"fan_kmh": -5.0},
    "all": {"rain": 0.06, "sway_kmh": 1.0, "fan_kmh": -12.0},
}
PARTS = (traffic.PLAIN, traffic.OPS243, traffic.LD2415H)


@pytest.mark.parametrize("name", EMPTY)
def test_two_hours_of_an_empty_street(name: str) -> None:
    """All the disturbances together; each alone for a quarter of an hour."""
    place = TrafficStreet(71, per_hour=0, **EMPTY[name])
    seconds = 7200 if name == "all" else 900
    told, interval = traffic.count(place, seconds)
    assert told == []
    # A fan as slow as a walker is known for what it is after 90 m.
    assert interval[4] / 100 * seconds <= 80


@pytest.mark.soak
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
@pytest.mark.parametrize("name", EMPTY)
def test_a_day_of_an_empty_street(name: str, part: traffic.Part) -> None:
    place = TrafficStreet(72, per_hour=0, **EMPTY[name])
    told, _ = traffic.count(place, 86400, part)
    assert told == []


def test_streets_of_seeds_that_were_never_looked_at() -> None:
    """The four kinds, ten minutes each; the bounds leave room for chance."""
    found = traffic.total(traffic.SCORING[:4], 600)
    assert found.vehicles > 250
    assert found.recall > 0.9
    assert found.precision > 0.92
    assert found.direction > 0.98
    assert found.mae_kmh < 1.0
    assert abs(found.bias_kmh) < 0.4


SPEEDS = st.integers(-2500, 2500)
GAPS = st.one_of(st.integers(0, 200), st.integers(0, 100000))


@st.composite
def piece(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Readings (ms since the last, 0.1 km/h) of a target that keeps, gains or loses speed."""
    gap, first = draw(st.integers(0, 300)), draw(SPEEDS)
    step, count = draw(st.one_of(st.just(0), st.integers(-40, 40))), draw(st.integers(0, 150))
    return [(gap, max(-2500, min(2500, first + step * n))) for n in range(count)]


RUBBISH = st.lists(st.tuples(GAPS, SPEEDS), max_size=40)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.one_of(RUBBISH, piece()), min_size=1, max_size=6),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_no_stream_of_readings_breaks_it_or_fills_its_memory(
    pieces: list[list[tuple[int, int]]], angles: tuple[int, int]
) -> None:
    script = """
import gc, json, sys
from time import ticks_add
from lampione_node.sensing.traffic import Traffic
angles, gaps = json.loads(sys.stdin.readline())
traffic = Traffic(*angles)
def go(ms):
    for gap, speed in gaps:
        ms = ticks_add(ms, gap)
        traffic.take(ms, speed, 0)
    ms = ticks_add(ms, 5000)
    traffic.tick(ms)
    return ms
ms = go((1 << 29) - 1000)
gc.collect()
before = gc.mem_alloc()
ms = go(ms)
gc.collect()
after = gc.mem_alloc()
toward, away, mean, top, share = traffic.interval(60000)
print(json.dumps([after - before, toward, away, mean, top, share]))
"""
    gaps = [reading for piece in pieces for reading in piece]
    ((grown, toward, away, mean, top, share),) = micro.run(script, [angles, gaps])
    assert grown <= 256  # of whatever length; a large number here and there
    assert toward + away <= len(gaps) // 3
    assert 0 <= share <= 100
    if toward + away >= 3:
        assert 10 <= mean <= top


def test_statistics_of_an_interval_and_of_an_hour() -> None:
    script = """
import json, time
from array import array
from lampione_node.sensing.traffic import Traffic
class Hour: pass
def fresh():
    hour = Hour()
    hour.speeds = array("H", [0] * 24)
    hour.toward = hour.away = 0
    return hour
def told(hour):
    return [list(hour.speeds), hour.toward, hour.away, hour.v85, hour.v85_too_few, hour.occupancy]
traffic = Traffic()
out = []
traffic.count(True, 500)
traffic.count(False, 301)
out.append(traffic.interval(60000))
traffic.count(True, 500)
traffic.count(False, 304)
traffic.count(False, 1996)
out.append(traffic.interval(60000))
out.append(traffic.interval(60000))
for ms in range(5000, 20000, 500):
    traffic.present(ms)
out.append(traffic.interval(60000))
hour = fresh()
traffic.hour(hour)
out.append(told(hour))
hour = fresh()
traffic.hour(hour)
out.append(told(hour))
print(json.dumps(out))
"""
    two, three, none, walked, hour, next_hour = micro.run(script)[0]
    assert two == [1, 1, None, None, 0]
    assert three == [1, 2, 93, 200, 0]
    assert none == [0, 0, None, None, 0]
    assert walked == [0, 0, None, None, 24]
    speeds = [0] * 24
    speeds[10], speeds[6], speeds[23] = 2, 2, 1
    assert hour == [speeds, 2, 3, pytest.approx(116, abs=1), 1, 0]
    assert next_hour == [[0] * 24, 0, 0, None, 1, 0]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(80, 1190), min_size=1, max_size=400))
def test_v85_lies_where_numpy_has_it(speeds: list[int]) -> None:
    """Within the bins of 5 km/h of the two values that numpy interpolates between."""
    script = """
import sys, json
from array import array
from lampione_node.sensing.traffic import v85
bins = array("H", [0] * 24)
speeds = json.loads(sys.stdin.readline())
for speed in speeds:
    bins[speed // 50] += 1
print(v85(bins, len(speeds)))
"""
    found = micro.run(script, speeds)[0]
    lower = np.percentile(speeds, 85, method="lower") // 50 * 5
    higher = np.percentile(speeds, 85, method="higher") // 50 * 5 + 5
    assert lower <= found <= higher


def test_v85_of_many_is_within_a_kilometre_an_hour() -> None:
    speeds = np.random.default_rng(4).normal(45, 9, 400)
    bins = np.histogram(speeds, bins=24, range=(0, 120))[0].tolist()
    script = """
import sys, json
from lampione_node.sensing.traffic import v85
print(v85(json.loads(sys.stdin.readline()), 400))
"""
    assert micro.run(script, bins)[0] == pytest.approx(np.percentile(speeds, 85), abs=1.5)
