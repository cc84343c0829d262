"""What the lamp gets for a level, over the whole range, as an instrument sees it at the output."""

import itertools
import math
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, OPS
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import World, WorldControl
from lampione_hil.virtual.devices.dali_bus import DaliBus
from lampione_hil.virtual.devices.dali_gear import Gear

FULL = 65535
TOLERANCE = 0.1  # percent of the output's range
HOUR_S = 3600
DALI = {"lamp": {"kind": "dali", "tx": 17, "rx": 18}}


def output_percent(made: Any) -> float:
    """Return the output in percent of its range."""
    return 100 * float(made.pwm_duty(LAMP_PIN)) / FULL


def at_level(made: Any, uplink: Uplink, level: int) -> float:
    """Ask for a level; return the output when the node says that it is done."""
    uplink.outcome(made, uplink.send(made, OPS["level"], level=level, for_s=HOUR_S))
    return output_percent(made)


@pytest.mark.needs("pwm", "uplink")
def test_every_level(node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """0 to 100 % in steps of 1 %: the output is the level (0-10 V as IEC 60929 annex E wants it,
    behind the filter), and a higher level is never less."""
    made = node(parts={"lamp": LAMP})
    uplink.wait_hello(made)
    found = []
    for level in range(101):
        found.append(at_level(made, uplink, level))
        measure(
            f"output at {level} %",
            found[-1],
            low=level - TOLERANCE,
            high=level + TOLERANCE,
            unit="%",
        )
    measure("least step", min(b - a for a, b in itertools.pairwise(found)), low=0.9)


@pytest.mark.needs("pwm", "uplink")
def test_logarithmic_driver(node: Nodes, uplink: Uplink, measure: Measure) -> None:
    """A driver whose light follows its input by three decades (IEC 62386-102), between the end
    points that were measured of it: 8.5 % and 93 %."""
    made = node(parts={"lamp": LAMP}, lamp={"curve": 1, "duty_low": 85, "duty_high": 930})
    uplink.wait_hello(made)
    for level in (0, 1, 2, 5, 10, 20, 35, 50, 75, 100):
        share = 1 + math.log10(level / 100) / 3 if level else 0.0
        true = 8.5 + (93.0 - 8.5) * share if level else 0.0
        measure(
            f"output at {level} %",
            at_level(made, uplink, level),
            low=true - TOLERANCE,
            high=true + TOLERANCE,
            unit="%",
        )


@pytest.fixture
def gear() -> Gear:
    """An LED driver on a DALI line."""
    return Gear(3, rated_w=60.0)


@pytest.fixture
def virtual_world(request: pytest.FixtureRequest) -> World:
    """A DALI line where a test has gear for it, else nothing but the pin."""
    world = World(street=None, air=None)
    if "gear" in request.fixturenames:
        world.lines = [DaliBus(request.getfixturevalue("gear"))]
    return world


@pytest.mark.needs("world", "uplink")
def test_dali_curve(
    gear: Gear,
    node: Nodes,
    world: WorldControl,
    clock: Clock,
    uplink: Uplink,
    measure: Measure,
) -> None:
    """The arc power that the gear is sent gives the light that was asked for (IEC 62386-102:
    10^((n - 1) / (253 / 3) - 1) %, a step is 2.8 %); off is off."""
    made = node(parts=DALI)
    uplink.wait_hello(made)
    for level in (0, 1, 3, 10, 25, 50, 80, 100):
        uplink.outcome(made, uplink.send(made, OPS["level"], level=level, for_s=HOUR_S))
        clock.run_for(3)
        light = 100 * world.call("dali.gear", "lit")
        measure(f"light at {level} %", light, low=level * 0.985, high=level * 1.015, unit="%")
