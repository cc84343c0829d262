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
    clock.run_for(15)
    measure("clock before", reports(uplink, made)[-1]["clock"], low=UNSET, high=UNSET)
    set_clock(uplink, made, NOON)
    began_s = clock.now_s()
    clock.run_for(35)
    last = reports(uplink, made)[-1]
    measure("clock after", last["clock"], low=CONTROLLER, high=CONTROLLER)
    measure("on whole intervals", last["start"] % 10, low=0, high=0, unit="s")
    late_s = NOON + (clock.now_s() - began_s) - (last["start"] + last["duration_s"])
    measure("the latest report is of", late_s, low=-2, high=12, unit="s")
    (told,) = events(uplink, made, "clock set")
    measure("what ties uptime to UTC", told["argument"], low=15, high=30, unit="s")


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
