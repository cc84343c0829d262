"""What a node says is whole: no interval is missing, no number is used twice, nothing is stale."""

import itertools
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, OPS, PARTS, reports
from lampione_hil.testing.uplink import FIELDS, Uplink
from lampione_protocol import schema, seal

INTERVAL_S = 10


def whole(uplink: Uplink, made: Any, measure: Measure) -> None:
    """Hold what came against the rules of a node's numbers."""
    found = sorted(uplink.raw(made))
    numbers = [seq for _, _, seq in found]
    gaps = [b - a for a, b in itertools.pairwise(sorted(numbers))]
    measure("numbers missing", sum(gap - 1 for gap in gaps), low=0, high=0)
    measure("numbers used twice", len(numbers) - len(set(numbers)), low=0, high=0)
    assert uplink.errors == []


@pytest.mark.smoke
@pytest.mark.needs("uplink")
def test_no_interval_is_missing(
    node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Reports follow each other without a gap, each number is used once, each frame opens with the
    node's own key and fits a LoRaWAN payload at DR0 (51 bytes)."""
    made = node(parts={"lamp": LAMP}, report_interval_s=1)
    clock.run_for(25)
    told = reports(uplink, made)
    ends = [report["start"] + report["duration_s"] for report in told]
    holes = [later["start"] - end for end, later in zip(ends, told[1:], strict=False)]
    measure("reports", len(told), low=22)
    measure("largest hole", max(holes), low=0, high=0, unit="s")
    measure("longest frame", max(map(len, uplink.raw(made).values())), high=seal.FRAME_MAX)
    whole(uplink, made, measure)


@pytest.mark.needs("pwm", "uplink", "world")
def test_everything_is_reported(
    node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """A whole lamppost for five minutes: every field is known where its part is there, within its
    range, and the level is that of the lamp's output."""
    made = node(parts=PARTS, lamp={"design_percent": 70}, report_interval_s=INTERVAL_S)
    clock.run_for(300)
    told = reports(uplink, made)
    missing = {name for name, raw in told[-1].items() if raw is None}
    # Without a microphone, and with fewer than three vehicles in ten seconds.
    sound = {"laeq", "lafmax", "la10", "la50", "la90", "lceq", "sound_valid"}
    assert missing - sound - {"speed_mean", "speed_max", "spare"} == set()
    for name, _, _, low, high, _, _, _ in FIELDS[schema.REPORT]:
        values = [report[name] for report in told if report[name] is not None]
        if low < high and values:
            measure(f"least {name}", min(values), low=low)
            measure(f"most {name}", max(values), high=high)
    output = 100 * made.pwm_duty(LAMP_PIN) / 65535
    measure("level", told[-1]["lamp_level"], low=output - 0.5, high=output + 0.5, unit="%")
    whole(uplink, made, measure)


@pytest.mark.needs("uplink", "power")
def test_numbers_go_on_after_a_power_cut(
    node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Another boot, another epoch, and the numbers rise."""
    made = node(parts={"lamp": LAMP}, report_interval_s=1)
    boots = 4
    for boot in range(boots):
        uplink.wait_hello(made, boot + 1)
        clock.run_for(6)
        made.power_off()
        made.power_on()
    hellos = uplink.hellos(made)
    measure("epochs", len({hello["epoch"] for hello in hellos}), low=boots)
    rises = [b["first_seq"] - a["first_seq"] for a, b in itertools.pairwise(hellos)]
    measure("numbers rise by", min(rises), low=1)
    counted = [b["boot"] - a["boot"] for a, b in itertools.pairwise(hellos)]
    measure("boots rise by", min(counted), low=1, high=1)
    whole(uplink, made, measure)


@pytest.mark.smoke
@pytest.mark.needs("uplink")
def test_health(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Asked, it says how it is: no task has started again, nothing was dropped or refused."""
    made = node(parts={"lamp": LAMP}, report_interval_s=1)
    uplink.wait_hello(made)
    clock.run_for(10)
    uplink.outcome(made, uplink.send(made, OPS["read"]))
    health = uplink.of(made, schema.HEALTH)[-1]
    for name in ("task_restarts", "outbox_drops", "refused_frames"):
        measure(name, health[name], low=0, high=0)
    measure("free heap", health["free_heap"], low=28, unit="KiB")
