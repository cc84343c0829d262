"""Speeds and counts: every vehicle before the radar is known.

The standard's figures: 44.707 Hz per km/h at 24.125 GHz; what a radar measures is the speed times
the cosine of the angle to the road (25° at the section: 0.906).
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import DOPPLER, RADAR, reports, value
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import World
from lampione_hil.virtual.convoy import AT_S, Convoy
from lampione_hil.virtual.devices.ld2415h import Ld2415h
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.doppler import DopplerLoop, DopplerSignal
from lampione_hil.virtual.movers import HEIGHT_M, REFERENCE_M
from lampione_hil.virtual.traffic import FAR_M

# As whoever mounts it sets it: the angle to the section 15 m before the pole, in the farther lane.
AWAY_DEG = round(math.degrees(math.atan(math.hypot(FAR_M, HEIGHT_M) / REFERENCE_M)))
SPEEDS = (25, 40, 50, 70, 90)
WAYS = (True, False)  # toward, away
STREET = Convoy(
    3, offset_m=0.0, minutes=tuple((float(kmh), toward) for toward in WAYS for kmh in SPEEDS)
)
RADARS: dict[str, tuple[dict[str, int | str], Callable[[], World], float]] = {
    # name: settings, world, tolerance in km/h beside 2 %: a line's resolution and rounding
    "ops243": (RADAR, lambda: World(street=None, air=None, uarts={1: Ops243(STREET)}), 1.0),
    "ld2415h": (
        {**RADAR, "kind": "ld2415h"},
        lambda: World(street=None, air=None, uarts={1: Ld2415h(STREET)}),
        1.0,
    ),
    "doppler": (
        DOPPLER,
        lambda: World(
            street=None,
            air=None,
            doppler=DopplerLoop(DopplerSignal(STREET), 0, 60 * len(STREET.minutes)),
            i2s_frames=1024,
        ),
        1.0,
    ),
}


@pytest.fixture
def virtual_world(radar: str) -> World:
    """The street before one of the radars."""
    return RADARS[radar][1]()


@pytest.mark.needs("world", "uplink")
@pytest.mark.parametrize("radar", list(RADARS))
def test_speeds(radar: str, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Every vehicle is counted its way, and the speed is its own along the road."""
    settings, _, tolerance = RADARS[radar]
    made = node(parts={"radar": {**settings, "away_deg": AWAY_DEG}}, report_interval_s=60)
    clock.run_for(60 * len(STREET.minutes) + 10)
    told: dict[int, Any] = {r["start"]: r for r in reports(uplink, made)}
    for minute, (kmh, toward) in enumerate(STREET.minutes):
        report = told[60 * minute]
        way, other = ("toward", "away") if toward else ("away", "toward")
        label = f"{kmh:g} km/h {way}"
        count = report[f"vehicles_{way}"]
        measure(f"{label}: counted", count, low=len(AT_S), high=len(AT_S))
        measure(f"{label}: the other way", report[f"vehicles_{other}"], low=0, high=0)
        least, most = kmh * 0.98 - tolerance, kmh * 1.02 + tolerance
        for name in ("speed_mean", "speed_max"):
            measure(f"{label}: {name}", value(report, name), low=least, high=most, unit="km/h")
