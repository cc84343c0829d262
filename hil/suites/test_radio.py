"""The radio lost and found: the lamp does not care, nothing is lost, the node comes back."""

from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, OPS, reports
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import WorldControl
from lampione_protocol import names, schema

FULL = 65535
NETWORK = 1 << names.FAULTS.index("network")


def back(clock: Clock, uplink: Uplink, made: Any, count: int) -> float:
    """Wait for a hello; return how long it took."""
    began_s = clock.now_s()
    uplink.wait_hello(made, count, 300)
    return clock.now_s() - began_s


@pytest.mark.needs("uplink", "wifi", "pwm")
def test_lost_and_back(
    node: Nodes, world: WorldControl, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Three outages of the access point: back within two minutes each time, with every report."""
    made = node(parts={"lamp": LAMP}, report_interval_s=10)
    uplink.wait_hello(made)
    uplink.outcome(made, uplink.send(made, OPS["level"], level=40, for_s=36_000))
    for outage, seconds in enumerate((30, 300, 1800), 2):
        world.wifi(False)
        clock.run_for(seconds)
        duty = made.pwm_duty(LAMP_PIN)
        measure(f"output {seconds} s into it", 100 * duty / FULL, low=39.9, high=40.1, unit="%")
        world.wifi(True)
        if seconds < 60:  # connections stall, and go on
            clock.run_for(60)
            continue
        took_s = back(clock, uplink, made, outage - 1)
        measure(f"back after {seconds} s", took_s, high=120, unit="s")
    clock.run_for(90)
    told = reports(uplink, made)
    ends = [report["start"] + report["duration_s"] for report in told]
    holes = [later["start"] - end for end, later in zip(ends, told[1:], strict=False)]
    measure("largest hole", max(holes), low=0, high=0, unit="s")
    away = sum(bool(report["faults"] & NETWORK) for report in told)
    measure("reports that say so", away, low=150)
    measure("boots", made.boots, low=1, high=1)
    assert uplink.errors == []


@pytest.mark.needs("uplink", "wifi")
def test_no_network_at_the_start(
    node: Nodes, world: WorldControl, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """A node that starts without its network serves all the same, and joins when it is there."""
    world.wifi(False)
    made = node(parts={"lamp": LAMP}, report_interval_s=10)
    clock.run_for(300)
    measure("hellos", len(uplink.hellos(made)), low=0, high=0)
    world.wifi(True)
    measure("joined after", back(clock, uplink, made, 1), high=120, unit="s")
    clock.run_for(60)
    measure("first report is of the start", reports(uplink, made)[0]["start"], low=0, high=10)


@pytest.mark.needs("uplink", "wifi")
def test_signal(
    node: Nodes, world: WorldControl, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """The signal's strength is in its Health."""
    made = node(parts={"lamp": LAMP}, health_interval_s=10)
    uplink.wait_hello(made)
    for dbm in (-48, -83):
        world.rssi(dbm)
        clock.run_for(25)
        measure(f"signal of {dbm} dBm", health(uplink, made)["rssi"], low=dbm - 1, high=dbm + 1)


def health(uplink: Uplink, made: Any) -> dict[str, Any]:
    """Return its latest Health."""
    return uplink.of(made, schema.HEALTH)[-1]
