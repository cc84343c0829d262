"""Ramps: straight, as long as they were asked for, and no step that anybody sees."""

import itertools
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import LAMP, LAMP_PIN, OPS
from lampione_hil.testing.uplink import Uplink

FULL = 65535
LOOK_S = 0.25
HOUR_S = 3600


def watch(made: Any, clock: Clock, seconds: float) -> list[tuple[float, float]]:
    """Return (s, output in percent) every LOOK_S."""
    found = []
    for _ in range(round(seconds / LOOK_S)):
        clock.run_for(LOOK_S)
        found.append((clock.now_s(), 100 * made.pwm_duty(LAMP_PIN) / FULL))
    return found


def crossing(seen: list[tuple[float, float]], percent: float) -> float | None:
    """Return when the output passed a level, between two looks by a straight line."""
    for (a_s, a), (b_s, b) in itertools.pairwise(seen):
        if min(a, b) <= percent <= max(a, b) and a != b:
            return a_s + (b_s - a_s) * (percent - a) / (b - a)
    return None


@pytest.fixture
def made(node: Nodes, uplink: Uplink) -> Any:
    """A node at 100 %."""
    made = node(parts={"lamp": LAMP})
    uplink.wait_hello(made)
    return made


def turn(uplink: Uplink, made: Any, level: int, ramp_s: float) -> int:
    """Ask for a ramp."""
    return uplink.send(made, OPS["level"], level=level, ramp=round(10 * ramp_s), for_s=HOUR_S)


@pytest.mark.needs("pwm", "uplink")
@pytest.mark.parametrize(("level", "ramp_s"), [(0, 20.0), (50, 5.0), (99, 10.0)])
def test_straight_line(
    level: int, ramp_s: float, made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """From 100 % down: from a tenth to nine tenths of the way it takes eight tenths of the time,
    and at no look is it more than 1 % off the line."""
    turn(uplink, made, level, ramp_s)
    seen = watch(made, clock, ramp_s + 3)
    way = level - 100
    first, last = (crossing(seen, 100 + share * way) for share in (0.1, 0.9))
    assert first is not None
    assert last is not None
    measure(
        "eight tenths of the way",
        last - first,
        low=0.8 * ramp_s - 0.3,
        high=0.8 * ramp_s + 0.3,
        unit="s",
    )
    off = [
        abs(percent - (100 + way * (0.1 + 0.8 * (at - first) / (last - first))))
        for at, percent in seen
        if first <= at <= last
    ]
    measure("off the line", max(off), high=1.0, unit="%")
    measure("at the end", seen[-1][1], low=level - 0.1, high=level + 0.1, unit="%")


@pytest.mark.needs("pwm", "uplink")
def test_a_new_ramp_begins_where_the_last_one_is(
    made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Half way down it is sent up again: it turns there, and never jumps."""
    turn(uplink, made, 0, 10.0)
    down = watch(made, clock, 5)
    turn(uplink, made, 100, 10.0)
    up = watch(made, clock, 12)
    seen = down + up
    # 10 % a second: more between two looks, however far apart they are, is a jump.
    jumps = [abs(b[1] - a[1]) - 10 * (b[0] - a[0]) for a, b in itertools.pairwise(seen)]
    measure("more than the ramp between two looks", max(jumps), high=1.0, unit="%")
    measure("at the end", seen[-1][1], low=99.9, high=100.0, unit="%")
    measure("lowest", min(percent for _, percent in seen), low=40, high=60, unit="%")


@pytest.mark.needs("pwm", "trace", "uplink")
def test_steps_are_too_small_to_be_seen(
    made: Any, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """A ramp of 10 s over the whole range goes by 0.5 % at most at a time, some 50 steps a second
    (nobody sees steps below 1 %). No lamp is lit at less than 1 %: it stays there for the last
    0.1 s of the way, then goes dark."""
    before = len(made.trace())
    counter = turn(uplink, made, 0, 10.0)
    clock.run_for(12)
    uplink.outcome(made, counter)
    duties = [c.value for c in made.trace()[before:] if c.pin == LAMP_PIN and c.kind == "pwm"]
    steps = [100 * (a - b) / FULL for a, b in itertools.pairwise(duties)]
    measure("steps", len(steps), low=200)
    measure("largest", max(steps[:-1]), high=0.5, unit="%")
    measure("into the dark", steps[-1], low=0.9, high=1.1, unit="%")
    measure("smallest: never the other way", min(steps), low=0.0, unit="%")
