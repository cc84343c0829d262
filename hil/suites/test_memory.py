"""Memory over a long time: what a node holds in its first hours is what it holds in its last."""

from typing import Any

import pytest
from lampione_hil.memory import trend
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import PARTS, reports
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import World
from lampione_hil.virtual.lamppost import lamppost
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_protocol import schema

HOUR_S = 3600
NOISE_KIB = 8


def check(
    made: Any, uplink: Uplink, measure: Measure, health_s: int, lasted_s: float, interval_s: int
) -> None:
    """Hold the heap of the first quarter against that of the last."""
    healths = uplink.of(made, schema.HEALTH)
    free = trend([health["free_heap"] for health in healths][2:])
    measure("free at first", free.first, low=28, unit="KiB")
    measure(
        "lost from the first quarter to the last",
        free.first - free.last,
        low=-2,
        high=1,
        unit="KiB",
    )
    measure("least free", free.least, low=free.first - NOISE_KIB, unit="KiB")
    measure("healths", len(healths), low=lasted_s / health_s - 1)
    measure("task restarts", healths[-1]["task_restarts"], low=0, high=0)
    measure("boots", made.boots, low=1, high=1)
    told = reports(uplink, made)
    measure("reports", len(told), low=lasted_s / interval_s - 2)


@pytest.mark.needs("world", "uplink", "clock")
def test_many_reports(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A report every 5 s for ten minutes, as many as in two hours."""
    made = node(parts=PARTS, report_interval_s=5, health_interval_s=20, outbox_bytes=1 << 20)
    clock.step_s = 10.0
    clock.run_for(600)
    check(made, uplink, measure, 20, 600, 5)


@pytest.fixture
def virtual_world(request: pytest.FixtureRequest) -> World:
    """A busy street for ten minutes; for a day one where nobody drives."""
    busy = "many" in request.node.name
    return lamppost(1, traffic=TrafficStreet(5, per_hour=600 if busy else 0))


@pytest.mark.needs("world", "uplink", "clock")
@pytest.mark.timeout(600)
def test_a_day(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """24 hours of a lamppost in an empty street, without the microphone's stream and without the
    accelerometer's, which is asked four times a second."""
    parts = {name: pins for name, pins in PARTS.items() if name != "tilt"}
    made = node(parts=parts, health_interval_s=900, outbox_bytes=1 << 20)
    clock.step_s = 600.0  # nobody has anything to say to it
    clock.run_for(24 * HOUR_S)
    check(made, uplink, measure, 900, 24 * HOUR_S, 60)
