"""The street that traffic is measured on: what it promises about who drives where, and how fast."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.virtual import scatter
from lampione_hil.virtual.traffic import (
    REFERENCE_M,
    Stopper,
    TrafficStreet,
    Vehicle,
    Walker,
    strongest,
)

BUSY = TrafficStreet(
    5,
    walkers_per_hour=30,
    cyclists_per_hour=20,
    stops_per_hour=8,
    rain=0.05,
    sway_kmh=1.0,
    fan_kmh=23.0,
)


TIMES = [n / 20 for n in range(2000)]


def test_a_vehicle_has_its_speed_where_its_front_crosses_the_section() -> None:
    for vehicle in BUSY.vehicles(0, 3600):
        if isinstance(vehicle, Stopper):
            continue
        at_s = vehicle.section_s
        assert vehicle.x_m(at_s) == pytest.approx(REFERENCE_M)
        assert vehicle.speed_at(at_s) == pytest.approx(vehicle.speed_mps)
        assert (vehicle.x_m(at_s - 1) > REFERENCE_M) == vehicle.toward
        assert (vehicle.radial_mps(at_s) > 0) == vehicle.toward
        for s in np.linspace(vehicle.start_s, vehicle.end_s, 50):
            step = (vehicle.x_m(s + 0.01) - vehicle.x_m(s)) / 0.01
            assert abs(step) == pytest.approx(vehicle.speed_at(s), abs=0.05)


def test_a_stopper_stands_in_front_of_the_pole_and_drives_on() -> None:
    stoppers = [v for v in BUSY.vehicles(0, 7200) if isinstance(v, Stopper)]
    assert {v.toward for v in stoppers} == {True, False}
    for v in stoppers:
        halt_s = v.section_s
        for s in (halt_s, halt_s + v.stand_s / 2):
            assert v.x_m(s) == pytest.approx(v.stop_m)
            assert v.radial_mps(s) == pytest.approx(0)
        assert v.speed_at(v.end_s) == pytest.approx(v.speed_mps)


def test_radial_speed_is_what_is_left_of_it_along_the_line_of_sight() -> None:
    v = Vehicle(0, 3.0, True, 4.0, 10.0, 0.0, 10.0, height_m=4.0)
    at_s = v.section_s + (REFERENCE_M - 12) / 10
    assert v.radial_mps(at_s) == pytest.approx(10 * 12 / 13)
    assert Walker(0, 3.0, False, 1.5).radial_mps(0) > 0  # behind the sensor, coming nearer


def test_as_many_as_asked_for_at_the_speeds_asked_for() -> None:
    street = TrafficStreet(11, per_hour=600, mean_kmh=45, sigma_kmh=9)
    vehicles = street.vehicles(0, 6 * 3600)
    assert len(vehicles) == pytest.approx(3600, rel=0.1)
    speeds = [v.speed_mps * 3.6 for v in vehicles]
    assert np.mean(speeds) == pytest.approx(45, abs=1)
    assert np.std(speeds) == pytest.approx(9, abs=1.5)
    assert np.std([v.acceleration_mps2 for v in vehicles]) == pytest.approx(0.5, abs=0.06)
    for toward in (True, False):
        times = [v.section_s for v in vehicles if v.toward == toward]
        assert np.min(np.diff(times)) > 1


def test_the_same_street_whatever_was_asked_before() -> None:
    first = pickle.loads(pickle.dumps(BUSY))
    second = pickle.loads(pickle.dumps(BUSY))
    times = [3.0, 700.25, 4.05, 9000.5, 3.05]
    one = [first.targets([t]) for t in times]
    assert [second.targets([t]) for t in reversed(times)] == one[::-1]
    assert first.targets(sorted(times)) == [one[times.index(t)][0] for t in sorted(times)]
    assert first.vehicles(100, 900) == second.vehicles(0, 900)[len(second.vehicles(0, 100)) :]
    assert TrafficStreet(6).vehicles(0, 600) != TrafficStreet(7).vehicles(0, 600)


def test_who_is_alone_in_the_street_is_what_the_radar_sees() -> None:
    assert TrafficStreet(1, per_hour=0).targets([5.0]) == [[]]
    assert TrafficStreet(1).targets([]) == []
    for kmh in (-17.0, 23.0):
        found = strongest(TrafficStreet(1, per_hour=0, fan_kmh=kmh).targets([5.0])[0], 0)
        assert found is not None
        assert found[0] * 3.6 == pytest.approx(kmh, abs=0.25)
    sway = [
        t[0] * 3.6
        for found in TrafficStreet(1, per_hour=0, sway_kmh=1.0).targets(TIMES)
        for t in found
    ]
    assert 0.8 < max(sway) <= 1
    assert -1 <= min(sway) < -0.8
    assert strongest([(1.0, 5.0), (2.0, 11.0)], 12) is None
    walkers = TrafficStreet(2, per_hour=0, walkers_per_hour=60)
    assert any(walkers.targets([n / 2 for n in range(600)]))
    assert {1.0 <= w.speed_mps <= 2.0 for w in walkers.walkers(0, 3600)} == {True}


def test_what_may_be_left_out_is_all_that_is() -> None:
    weak = 12.0
    left_out = 0
    times = [n / 3 for n in range(3000)]
    for whole, heard in zip(BUSY.targets(times), BUSY.targets(times, weak), strict=True):
        assert [t for t in heard if t[1] >= weak] == [t for t in whole if t[1] >= weak]
        left_out += len(whole) - len(heard)
    assert left_out > 1000


BITS = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(BITS, BITS), min_size=1, max_size=5), st.integers(-(10**9), 10**9))
def test_many_numbers_at_once_are_mixed_as_each_alone(
    pairs: list[tuple[int, int]], number: int
) -> None:
    alone = [z for z, _ in pairs]
    many, numbers = np.array(pairs, np.uint64).T
    assert scatter.mix(many, numbers).tolist() == [scatter.mix(z, n) for z, n in pairs]
    assert scatter.mix(many, number).tolist() == [scatter.mix(z, number) for z in alone]
    assert scatter.mix(7, many).tolist() == [scatter.mix(7, z) for z in alone]
    before_zero = np.array([number]).astype(np.uint64)
    assert scatter.mix(7, before_zero).tolist() == [scatter.mix(7, number)]
    assert scatter.chance(many).tolist() == [scatter.chance(z) for z in alone]


@given(BITS)
def test_no_fade_is_greater_than_the_greatest(z: int) -> None:
    (fade_db,) = scatter.fade_db(np.array([z], np.uint64))
    assert abs(fade_db) <= scatter.MOST_FADE_DB
