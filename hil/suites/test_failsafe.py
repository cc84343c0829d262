"""Whatever fails ends at the design level, every override has an end, nobody is lit at work."""

from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import DONE, LAMP, LAMP_PIN, OPS, PARTS, REASONS, events, reports
from lampione_hil.testing.uplink import Uplink

FULL = 65535
DESIGN = 80


def percent(made: Any) -> float:
    """Return the output in percent."""
    return 100 * float(made.pwm_duty(LAMP_PIN)) / FULL


def design(measure: Measure, made: Any, when: str) -> None:
    """Hold the output against the design level."""
    measure(f"output {when}", percent(made), low=DESIGN - 0.1, high=DESIGN + 0.1, unit="%")


@pytest.fixture
def made(node: Nodes, uplink: Uplink) -> Any:
    """A node that has said hello."""
    made = node(parts={"lamp": LAMP}, lamp={"design_percent": DESIGN}, report_interval_s=10)
    uplink.wait_hello(made)
    return made


@pytest.mark.smoke
@pytest.mark.needs("pwm", "uplink")
def test_override_ends(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """An override of 20 s is over after 20 s, and the node says so."""
    uplink.outcome(made, uplink.send(made, OPS["level"], level=20, for_s=20))
    began_s = clock.now_s()
    measure("output", percent(made), low=19.9, high=20.1, unit="%")
    clock.run_for(18)
    measure("output before the end", percent(made), low=19.9, high=20.1, unit="%")
    clock.wait(lambda: percent(made) > 50, "the end of the override", 10)
    measure("lasted", clock.now_s() - began_s, low=18.5, high=21.5, unit="s")
    design(measure, made, "after it")
    clock.run_for(12)
    assert len(events(uplink, made, "lamp override ended")) == 1
    assert reports(uplink, made)[-1]["lamp_reason"] in (REASONS["design"], REASONS["program"])


@pytest.mark.needs("pwm", "uplink", "broker")
def test_override_ends_without_the_network(
    made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Nobody can end it: it ends all the same."""
    uplink.outcome(made, uplink.send(made, OPS["level"], level=0, for_s=600))
    uplink.broker(False)
    clock.run_for(590)
    measure("output before the end", percent(made), low=0, high=0, unit="%")
    clock.run_for(15)
    design(measure, made, "after it")


@pytest.mark.needs("pwm", "uplink", "power")
def test_override_does_not_outlive_a_power_cut(
    made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Without a clock nobody knows whether it is over: the lamp burns."""
    uplink.outcome(made, uplink.send(made, OPS["level"], level=10, for_s=3600))
    made.power_off()
    made.power_on()
    clock.run_for(15)
    design(measure, made, "after the power cut")


@pytest.mark.needs("pwm", "uplink")
def test_emergency_is_full_light(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Above an override, for its time."""
    uplink.outcome(made, uplink.send(made, OPS["level"], level=10, for_s=3600))
    uplink.outcome(made, uplink.send(made, OPS["emergency"], for_s=30))
    measure("output", percent(made), low=99.9, unit="%")
    clock.run_for(32)
    measure("output after it: the override", percent(made), low=9.9, high=10.1, unit="%")
    uplink.outcome(made, uplink.send(made, OPS["resume"]))
    design(measure, made, "resumed")


@pytest.mark.needs("pwm", "trace", "uplink", "power")
def test_locked_lamp_stays_dark(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Who works on a lamp is not lit by a power cut, nor by anybody's command."""
    uplink.outcome(made, uplink.send(made, OPS["maintenance"], for_s=3600))
    measure("output", percent(made), low=0, high=0, unit="%")
    assert made.boots == 1
    made.power_off()
    before = len(made.trace())
    made.power_on()
    uplink.wait_hello(made, 2)
    lit = max(c.value for c in made.trace()[before:] if c.pin == LAMP_PIN)
    measure("most duty since the power came back", lit, low=0, high=0)
    refused = uplink.send(made, OPS["level"], level=100, for_s=60)
    uplink.outcome(made, refused, outcome=2)
    measure("output after somebody's command", percent(made), low=0, high=0, unit="%")
    uplink.outcome(made, uplink.send(made, OPS["maintenance"]), DONE)
    clock.run_for(2)
    design(measure, made, "unlocked")


@pytest.mark.needs("pwm", "serial", "uplink")
def test_stopped(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Ctrl-C on the serial line leaves the prompt and the design level."""
    uplink.outcome(made, uplink.send(made, OPS["level"], level=5, for_s=3600))
    made.type(b"\x03")
    clock.wait(lambda: "lampione: stopped" in made.console(), "its last words", 10)
    design(measure, made, "at the prompt")


@pytest.mark.needs("pwm", "files")
@pytest.mark.parametrize("module", ["node", "uplink", "lighting"])
def test_a_module_that_does_not_load(
    module: str, node: Nodes, clock: Clock, measure: Measure, firmware_tree: dict[str, bytes]
) -> None:
    """Of a flash that has lost a module: light first."""
    path = f"/lib/lampione_node/{module}.mpy"
    assert path in firmware_tree
    made = node(parts=PARTS, lamp={"design_percent": DESIGN}, files={path: b"M\0\0\0"}, start=False)
    made.power_on()
    clock.run_for(10)
    design(measure, made, "without it")
    clock.run_for(60)
    design(measure, made, "a minute later")
