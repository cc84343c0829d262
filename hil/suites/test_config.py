"""A config is a transaction: offered, tried, confirmed, or taken back as if it had never been."""

from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import DONE, LAMP, LAMP_PIN, OPS, REFUSALS, REFUSED, events, reports
from lampione_hil.testing.uplink import Uplink
from lampione_light import layout

FULL = 65535
TRIAL_S = 60
SURE, TRIAL, DAMAGED = range(3)


def section(number: int, content: bytes) -> bytes:
    """Return a section of a config."""
    return bytes([number]) + len(content).to_bytes(2, "big") + content


def blob(percent: int, interval_s: int = 0) -> bytes:
    """Return a config: a design level, which counts at once, and an interval, by a restart."""
    found = bytes([layout.FORMAT]) + section(layout.LAMP, bytes([percent]))
    if interval_s:
        found += section(layout.REPORTING, interval_s.to_bytes(2, "big"))
    return found


def percent(made: Any) -> float:
    """Return the output in percent."""
    return 100 * float(made.pwm_duty(LAMP_PIN)) / FULL


@pytest.fixture
def made(node: Nodes, uplink: Uplink) -> Any:
    """A node that burns at 90 %, without a config."""
    made = node(parts={"lamp": LAMP}, lamp={"design_percent": 90}, report_interval_s=10)
    uplink.wait_hello(made)
    return made


def runs(uplink: Uplink, made: Any) -> tuple[int, int]:
    """Return version and state of the config that runs, as a hello of this moment says."""
    count = len(uplink.hellos(made))
    uplink.send(made, OPS["hello"])
    hello = uplink.wait_hello(made, count + 1)
    return hello["config_version"], hello["config_state"]


@pytest.mark.needs("uplink", "pwm", "power")
def test_confirmed(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Tried at once, confirmed, there after a power cut."""
    config = blob(40)
    uplink.outcome(made, uplink.push(made, config, 7, trial=TRIAL_S))
    measure("output on trial", percent(made), low=39.9, high=40.1, unit="%")
    assert runs(uplink, made) == (7, TRIAL)
    uplink.outcome(made, uplink.setup(made, OPS["confirm"], 7, config))
    clock.run_for(2 * TRIAL_S)
    assert runs(uplink, made) == (7, SURE)
    made.power_off()
    made.power_on()
    hello = uplink.wait_hello(made, len(uplink.hellos(made)) + 1)
    assert (hello["config_version"], hello["config_state"]) == (7, SURE)
    measure("output after a power cut", percent(made), low=39.9, high=40.1, unit="%")
    measure("confirmed, as it tells", len(events(uplink, made, "config confirmed")), low=1, high=1)


@pytest.mark.needs("uplink", "pwm")
def test_unconfirmed(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """Nobody confirms it: at the end of its trial the one before runs, and the node says so."""
    uplink.outcome(made, uplink.push(made, blob(40), 7, trial=TRIAL_S))
    began_s = clock.now_s()
    clock.wait(lambda: percent(made) > 80, "the config before", 2 * TRIAL_S)
    lasted_s = clock.now_s() - began_s
    measure("the trial lasted", lasted_s, low=TRIAL_S - 3, high=TRIAL_S + 5, unit="s")
    measure("output", percent(made), low=89.9, high=90.1, unit="%")
    assert runs(uplink, made) == (0, SURE)
    measure("taken back, as it tells", len(events(uplink, made, "config reverted")), low=1, high=1)


@pytest.mark.needs("uplink", "pwm")
def test_by_a_restart(made: Any, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """What counts at boot only restarts the node; unconfirmed, a second restart takes it back."""
    counter = uplink.push(made, blob(50, 5), 9, trial=TRIAL_S)
    hello = uplink.wait_hello(made, 2, 60)
    assert (hello["config_version"], hello["config_state"]) == (9, TRIAL)
    uplink.outcome(made, counter, DONE)
    clock.run_for(20)
    interval = reports(uplink, made)[-1]["duration_s"]
    measure("interval on trial", interval, low=5, high=5, unit="s")
    hello = uplink.wait_hello(made, 3, 2 * TRIAL_S)
    assert (hello["config_version"], hello["config_state"]) == (0, SURE)
    clock.run_for(25)
    interval = reports(uplink, made)[-1]["duration_s"]
    measure("interval after it", interval, low=10, high=10, unit="s")
    measure("output after it", percent(made), low=89.9, high=90.1, unit="%")


@pytest.mark.needs("uplink", "pwm", "power")
def test_a_power_cut_ends_a_trial(
    made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Whatever ends the boot in which a config is tried ends the trial, too."""
    uplink.outcome(made, uplink.push(made, blob(40), 7, trial=3600))
    made.power_off()
    made.power_on()
    hello = uplink.wait_hello(made, 2)
    assert (hello["config_version"], hello["config_state"]) == (0, SURE)
    measure("output", percent(made), low=89.9, high=90.1, unit="%")


@pytest.mark.needs("uplink", "pwm")
@pytest.mark.parametrize(
    "config",
    [
        bytes([layout.FORMAT + 1]) + blob(40)[1:],
        blob(40) + b"\2",
        bytes([layout.FORMAT]) + section(layout.PARTS, b"{"),
    ],
    ids=["another format", "half a section", "no JSON"],
)
def test_damaged_is_refused(
    config: bytes, made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """What no node can run is refused before anything of it counts."""
    said = uplink.outcome(made, uplink.push(made, config, 8, trial=TRIAL_S), REFUSED)
    reason = REFUSALS["config damaged"]
    measure("reason", said["reason"], low=reason, high=reason)
    measure("output", percent(made), low=89.9, high=90.1, unit="%")
    assert runs(uplink, made) == (0, SURE)
