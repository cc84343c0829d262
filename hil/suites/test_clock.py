"""The clock: who may set it, how well it keeps, and what it says of itself."""

from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import (
    LAMP,
    LATE,
    OPS,
    REFUSALS,
    REFUSED,
    events,
    reports,
    set_clock,
)
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import World
from lampione_protocol import names

UNSET, HOLDOVER, NTP, CONTROLLER = range(4)
NOON = 217_000_000  # seconds since 2020, some second of November 2026
assert names.CLOCKS == ("unset", "holdover", "ntp", "controller")


@pytest.fixture
def made(node: Nodes, uplink: Uplink) -> Any:
    """A node that has said hello."""
    made = node(parts={"lamp": LAMP}, report_interval_s=10)
    uplink.wait_hello(made)
    return made


@pytest.mark.smoke
@pytest.mark.needs("uplink")
def test_set(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Set by the controller it is right within 2 s, and reports lie on whole intervals of it."""
    clock.run_for(12)
    measure("clock before", reports(uplink, made)[-1]["clock"], low=UNSET, high=UNSET)
    set_clock(uplink, made, NOON)
    began_s = clock.now_s()
    clock.run_for(25)
    last = reports(uplink, made)[-1]
    measure("clock after", last["clock"], low=CONTROLLER, high=CONTROLLER)
    measure("on whole intervals", last["start"] % 10, low=0, high=0, unit="s")
    late_s = NOON + (clock.now_s() - began_s) - (last["start"] + last["duration_s"])
    measure("the latest report is of", late_s, low=-2, high=12, unit="s")
    (told,) = events(uplink, made, "clock set")
    measure("what ties uptime to UTC", told["argument"], low=10, high=40, unit="s")


@pytest.mark.needs("uplink")
def test_implausible(made: Any, uplink: Uplink, measure: Measure) -> None:
    """A time before this firmware was made is no time."""
    count = len(uplink.hellos(made))
    uplink.send(made, OPS["hello"])
    uplink.wait_hello(made, count + 1, 10)
    counter = uplink.send(made, OPS["time"], time=150_000_000, time_ms=0)
    said = uplink.outcome(made, counter, REFUSED)
    reason = REFUSALS["out of range"]
    measure("reason", said["reason"], low=reason, high=reason)


@pytest.mark.needs("uplink")
def test_late_answer(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """An answer more than 10 s after the challenge says nothing about the time."""
    count = len(uplink.hellos(made))
    uplink.send(made, OPS["hello"])
    uplink.wait_hello(made, count + 1, 10)
    clock.run_for(12)
    said = uplink.outcome(made, uplink.send(made, OPS["time"], time=NOON, time_ms=0), REFUSED)
    reason = REFUSALS["challenge too old"]
    measure("reason", said["reason"], low=reason, high=reason)


@pytest.mark.needs("uplink", "reset")
def test_over_a_reset(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A restart that it was asked for keeps the time, and it says that nobody has confirmed it."""
    set_clock(uplink, made, NOON)
    began_s = clock.now_s()
    uplink.outcome(made, uplink.send(made, OPS["reboot"], expires=LATE))
    uplink.wait_hello(made, len(uplink.hellos(made)) + 1)
    clock.run_for(25)
    last = reports(uplink, made)[-1]
    measure("clock", last["clock"], low=HOLDOVER, high=HOLDOVER)
    off_s = NOON + (clock.now_s() - began_s) - (last["start"] + last["duration_s"])
    measure("the latest report is of", off_s, low=-2, high=12, unit="s")


PPM = 200  # ten times worse than a crystal is
DRIFT_S = 3 * 3600


@pytest.fixture
def virtual_world(request: pytest.FixtureRequest) -> World:
    """Nothing but a crystal, which is bad for the test that says so."""
    bad = "drift" in request.node.name
    return World(street=None, air=None, crystal_ppm=PPM if bad else 0)


def ahead_s(made: Any, clock: Clock, uplink: Uplink, now: int, began_s: float) -> float:
    """Return how far the node's clock is ahead, as the arrival of a report shows.

    The second from now: what was running when the clock was set keeps the old time.
    """
    count = len(reports(uplink, made))
    step_s, clock.step_s = clock.step_s, 0.25
    clock.wait(lambda: len(reports(uplink, made)) > count + 1, "two reports", 45)
    clock.step_s = step_s
    last = reports(uplink, made)[-1]
    return float(last["start"] + last["duration_s"] - (now + clock.now_s() - began_s))


@pytest.mark.needs("uplink", "world", "clock")
def test_drift(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A crystal that is 200 ppm fast gains 2.2 s in three hours, no more; the controller's next
    word takes that away, and no interval is lost by it."""
    set_clock(uplink, made, NOON)
    began_s = clock.now_s()
    measure("ahead at first", ahead_s(made, clock, uplink, NOON, began_s), low=-1.5, high=1.5)
    clock.step_s = 60.0
    clock.run_for(DRIFT_S)
    clock.step_s = 1.0
    gained = DRIFT_S * PPM / 1e6
    drifted = ahead_s(made, clock, uplink, NOON, began_s)
    measure("ahead after 3 h", drifted, low=gained - 1.5, high=gained + 1.5, unit="s")
    now = NOON + round(clock.now_s() - began_s)
    set_clock(uplink, made, now)
    began_s = clock.now_s()
    measure("ahead when set again", ahead_s(made, clock, uplink, now, began_s), low=-1.5, high=1.5)
    told = reports(uplink, made)
    ends = [report["start"] + report["duration_s"] for report in told]
    holes = [b["start"] - a for a, b in zip(ends[3:], told[4:], strict=False)]
    measure("largest hole", max(holes), high=1, unit="s")
    measure("largest overlap", -min(holes), high=4, unit="s")
