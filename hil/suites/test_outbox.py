"""The outbox: whatever happens to broker and controller, every report arrives, and arrives once."""

import itertools
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, OPS, events, reports
from lampione_hil.testing.uplink import Uplink
from lampione_protocol import schema

HOUR_S = 3600
OUTAGE_S = 4 * HOUR_S


def missing(uplink: Uplink, made: Any) -> int:
    """Return how many numbers between the first and the last have not come."""
    numbers = sorted({seq for _, _, seq in uplink.raw(made)})
    return sum(b - a - 1 for a, b in itertools.pairwise(numbers))


def rest(clock: Clock, seconds: float) -> None:
    """Let time pass in which nobody speaks."""
    step_s, clock.step_s = clock.step_s, 600.0
    clock.run_for(seconds)
    clock.step_s = step_s


@pytest.mark.needs("uplink", "broker", "clock")
def test_long_outage(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Four hours without a broker: every minute of them arrives afterwards, and the present is
    not kept waiting for the past."""
    made = node(parts={"lamp": LAMP}, report_interval_s=60)
    uplink.wait_hello(made)
    clock.run_for(300)
    uplink.broker(False)
    rest(clock, OUTAGE_S)
    before = len(reports(uplink, made))
    uplink.broker(True)
    back_s = clock.now_s()
    uplink.wait_hello(made, 2, 600)
    clock.wait(lambda: len(reports(uplink, made)) > before, "a report", 300)
    measure("until the first report", clock.now_s() - back_s, high=180, unit="s")
    clock.wait(lambda: len(reports(uplink, made)) >= before + OUTAGE_S // 60, "the backlog", 600)
    measure("until all had come", clock.now_s() - back_s, high=600, unit="s")
    measure("missing", missing(uplink, made), low=0, high=0)
    starts = [report["start"] for report in reports(uplink, made)]
    steps = [b - a for a, b in itertools.pairwise(starts)]
    measure("longest step", max(steps), low=60, high=60, unit="s")
    assert uplink.errors == []


@pytest.mark.needs("uplink", "clock")
def test_not_acknowledged(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """A broker's word is not the controller's (trust: a PUBACK is no durability): without a
    watermark everything comes again, the same to the bit; with one nothing does."""
    made = node(parts={"lamp": LAMP}, report_interval_s=10, resend_s=30)
    uplink.acknowledge = False
    uplink.wait_hello(made)
    clock.run_for(300)
    copies = uplink.copies(made)
    measure("copies of the first", copies[min(copies)], low=3)
    uplink.acknowledge = True
    clock.run_for(300)
    told = uplink.copies(made)
    clock.run_for(600)
    now = uplink.copies(made)
    again = sum(now[identity] - count for identity, count in told.items())
    measure("copies once acknowledged", again, low=0, high=0)
    assert uplink.errors == []


@pytest.mark.needs("uplink", "broker", "clock")
def test_overflow(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """When there is no room left the oldest go; how many is counted and told to the last one."""
    made = node(parts={"lamp": LAMP}, report_interval_s=10, outbox_bytes=16384)
    uplink.wait_hello(made)
    clock.run_for(60)
    uplink.broker(False)
    rest(clock, 2 * HOUR_S)
    uplink.broker(True)
    uplink.wait_hello(made, 2, 600)
    clock.run_for(120)
    uplink.outcome(made, uplink.send(made, OPS["read"]))
    clock.run_for(30)
    dropped = uplink.of(made, schema.HEALTH)[-1]["outbox_drops"]
    measure("dropped", dropped, low=100)
    measure("missing and not counted", missing(uplink, made) - dropped, low=0, high=0)
    assert events(uplink, made, "outbox dropped")
    oldest = uplink.hellos(made)[-1]["oldest_held"]
    gone = {seq for _, _, seq in uplink.raw(made)}
    lost = [seq for seq in range(min(gone), max(gone)) if seq not in gone]
    measure("lost beyond what hello admits", max(lost) - oldest, high=-1)
