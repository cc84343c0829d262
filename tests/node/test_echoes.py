"""What a radar hears of a street, worked out for many moments at once, beside each by itself."""

import math
from collections.abc import Sequence

import pytest
from lampione_hil.virtual.movers import REFERENCE_M, Mover, Stopper, Vehicle, View, Walker
from lampione_hil.virtual.scatter import MOST_FADE_DB
from lampione_hil.virtual.traffic import TrafficStreet

MOMENTS = 2000


def alone(mover: Vehicle | Walker) -> TrafficStreet:
    """Return a street in which nobody else is, this day."""
    street = TrafficStreet(1, per_hour=0)
    driven = [mover] if isinstance(mover, Vehicle) else []
    walked = [mover] if isinstance(mover, Walker) else []
    street._rounds = {-1: ([], [], []), 0: (driven, [], walked), 1: ([], [], [])}
    return street


def moments(mover: Mover) -> list[float]:
    step_s = (mover.end_s - mover.start_s) / MOMENTS
    return [mover.start_s + n * step_s for n in range(MOMENTS)]


def strength_db(view: View, x_m: float, lane_m: float, dbsm: float) -> float:
    """Return an echo's strength by the radar equation: 40 lg of the distance, a Gaussian beam."""
    away_m = math.hypot(x_m, lane_m, view.height_m)
    axis_m = math.hypot(view.aim_m, view.aim_lane_m, view.height_m)
    dot = x_m * view.aim_m + lane_m * view.aim_lane_m + view.height_m**2
    angle_deg = math.degrees(math.acos(min(1.0, dot / away_m / axis_m)))
    beam_db = max(-6 * (angle_deg / (view.beam_deg / 2)) ** 2, 2 * view.side_db)
    return view.gain_db + dbsm + beam_db - 40 * math.log10(away_m / REFERENCE_M)


@pytest.mark.parametrize(
    "mover",
    [
        Vehicle(100.0, 3.0, True, 4.5, 13.0, 0.4, 10.0),
        Vehicle(100.0, 6.5, False, 12.0, 11.0, -0.3, 17.0),
        Stopper(100.0, 3.0, True, 4.4, 9.0, 0.0, 10.0),
        Stopper(100.0, 6.5, False, 4.4, 9.0, 0.0, 10.0, stop_m=22.0),
    ],
    ids=["toward", "away", "stops toward", "stops away"],
)
def test_a_vehicle_is_heard_by_a_corner_of_its_own(mover: Vehicle) -> None:
    times = moments(mover)
    heard = alone(mover).targets(times)
    places, over_db = set(), []
    for t_s, echoes in zip(times, heard, strict=True):
        ((mps, db),) = echoes
        front_m, speed_mps = mover.place(t_s)
        corners = [
            (speed_mps * x / math.hypot(x, mover.lane_m, mover.height_m), x, dbsm)
            for x, dbsm in ((front_m + before_m, dbsm) for before_m, dbsm in mover.corners)
        ]
        over_db.append(
            db - max(strength_db(View(), x, mover.lane_m, dbsm) for _, x, dbsm in corners)
        )
        fits = [
            (n, db - strength_db(View(), x, mover.lane_m, dbsm))
            for n, (own, x, dbsm) in enumerate(corners)
            if mps == pytest.approx(own, abs=1e-9)
        ]
        assert fits
        assert min(abs(fade_db) for _, fade_db in fits) <= MOST_FADE_DB
        if len(fits) == 1:
            places.add(fits[0][0])
    assert len(places) > 1  # not always the same corner
    assert sum(over_db) > 0  # the strongest of several that fade


def test_a_walker_fades_about_the_radar_equation() -> None:
    for toward in (True, False):
        walker = Walker(100.0, 2.0, toward, 1.4)
        times = moments(walker)
        fades = []
        for t_s, echoes in zip(times, alone(walker).targets(times), strict=True):
            (mps, db), *limbs = echoes
            assert mps == pytest.approx(walker.radial_mps(t_s), abs=1e-9)
            assert len(limbs) == 3
            dbsm = walker.cross_section_dbsm
            fades.append(db - strength_db(View(), walker.x_m(t_s), walker.lane_m, dbsm))
        assert max(map(abs, fades)) <= MOST_FADE_DB
        assert abs(sum(fades) / len(fades)) < 0.5  # sigma 3 dB, of some 1,100 frames
        assert any(abs(fade) > 3 for fade in fades)


def share(found: Sequence[Sequence[object]]) -> float:
    """Return in how many moments something is heard."""
    return sum(map(bool, found)) / len(found)


def test_it_rains_as_much_as_asked_for() -> None:
    """A drop is heard for up to four frames: of 0.05 s in 20 begins one, as many go on."""
    times = [n / 20 for n in range(20_000)]
    shares = [share(TrafficStreet(3, per_hour=0, rain=r).targets(times)) for r in (0, 0.05, 0.3, 1)]
    assert shares[0] == 0
    assert shares[-1] == 1
    for rain, found in zip((0.05, 0.3), shares[1:3], strict=True):
        silent = math.prod(1 - rain / (1 + k) for k in range(4))
        assert found == pytest.approx(1 - silent, abs=0.02)
