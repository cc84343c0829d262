"""The lamp and its orders against a model with an endless clock, under MicroPython."""

import random
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.node.micro import run

FIRMWARE = Path(__file__).parents[2] / "firmware"
WRAP = 2**30  # of ticks_ms on the board: 12.4 days
DESIGN, OVERRIDE, FAULT, EMERGENCY, MAINTENANCE, IDENTIFY = 0, 3, 4, 6, 7, 8
DAY_MS = 86_400_000
LONGEST_MS = 1_048_574_000

SET_UP = """
import json, sys
from lampione_light.level import FULL
from lampione_node.lamp import Lamp
from lampione_node.lighting import Lighting
import lampione_node.kept
class Output:
    def __init__(self, now):
        self.levels = []
        self.now = now
    def set(self, level):
        self.levels.append(level)
    def ticks_ms(self):
        return self.now % 1073741824
class Clock:
    def __init__(self):
        self.s = 0
        self.known = 0
    def now(self):
        return self.s
    def quality(self):
        return self.known
class State:
    burn_min = 0
files = {}
def save(path, data):
    files[path] = data
    return True
lampione_node.kept.save = save
lampione_node.kept.load = lambda path, most: files.get(path, b"")
def node(design, now=0, config=None, clock=None):
    output = Output(now)
    lamp = Lamp(output, output.ticks_ms, design)
    clock = clock or Clock()
    return output, lamp, Lighting(lamp, clock, State, b"n", config, lambda: None), clock
"""


class Model:
    """What the lamp should show, written from the rules with a clock that never wraps."""

    def __init__(self, design: int) -> None:
        self.design = design
        self.orders: dict[int, tuple[int, float, int, int, int]] = {}
        self.blink_end = 0
        self.fault = False

    def level(self, now: int) -> tuple[float, int]:
        if self.fault:
            return self.design, FAULT
        for kind in (MAINTENANCE, EMERGENCY, OVERRIDE):
            began, start, target, ramp, end = self.orders.get(kind, (0, 0, 0, 0, 0))
            if now < end:
                if now - began >= ramp:
                    return target, kind
                return start + (target - start) * (now - began) / ramp, kind
        return self.design, DESIGN

    def apply(self, step: dict[str, int], now: int) -> None:
        if step["do"] in KINDS and not self.fault:
            start, _ = self.level(now)
            kind, level = KINDS[step["do"]], step["level"]
            self.blink_end = 0
            level = {EMERGENCY: 100, MAINTENANCE: 0}.get(kind, level)
            self.orders[kind] = (now, start, level, step["ramp"], now + step["for"])
        elif step["do"] == 4:
            self.orders.pop(OVERRIDE, None)
            self.orders.pop(EMERGENCY, None)
        elif step["do"] == 5:
            self.blink_end = now + step["for"] % 20_000
        elif step["do"] == 6:
            self.orders.pop(MAINTENANCE, None)
        elif step["do"] == 7:
            self.fault, self.blink_end = True, 0


NO_SHRINK = [Phase.explicit, Phase.reuse, Phase.generate]  # twenty scenes at once
KINDS = {1: OVERRIDE, 2: EMERGENCY, 3: MAINTENANCE}
# do: 0 nothing, 1 to 3 orders, 4 resume, 5 identify, 6 maintenance is over, 7 the control fails
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "do": st.sampled_from([0, 1, 1, 2, 3, 4, 5, 6, 7]),
            "level": st.integers(0, 100),
            "ramp": st.one_of(st.just(0), st.integers(0, 60_000), st.integers(0, 409_400)),
            "for": st.one_of(st.integers(1, 100_000), st.integers(1, LONGEST_MS)),
            "after": st.one_of(st.integers(0, 3000), st.integers(0, 6 * DAY_MS)),
        }
    ),
    max_size=30,
)
PLAY = """
for line in sys.stdin:
    design, now, steps = json.loads(line)
    files.clear()
    output, lamp, lighting, _ = node(design, now)
    said = []
    for step in steps:
        do = step["do"]
        if do in (1, 2, 3) and lamp.source:
            kind = (3, 6, 7)[do - 1]
            level = (step["level"] * 100, FULL, 0)[do - 1]
            lighting.order(kind, level, step["ramp"], step["for"], do)
        elif do == 4:
            lighting.end(3, 6)
        elif do == 5:
            lamp.identify(step["for"] % 20000)
        elif do == 6:
            lighting.end(7)
        elif do == 7:
            lamp.set_fault(True)
        output.now += step["after"]
        wait = lamp.update()
        said.append((output.levels[-1], lamp.level_percent, lamp.reason, wait))
    print(json.dumps(said))
"""


@settings(max_examples=12, deadline=None, phases=NO_SHRINK)
@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, WRAP), STEPS), min_size=20, max_size=20)
)
def test_lamp_does_what_the_rules_say(scenes: list[tuple[int, int, list[dict[str, int]]]]) -> None:
    for (design, now, steps), said in zip(scenes, run(SET_UP + PLAY, *scenes), strict=True):
        model = Model(design)
        for step, (shown, percent, reason, wait) in zip(steps, said, strict=True):
            model.apply(step, now)
            now += step["after"]
            level, why = model.level(now)
            assert 1 <= wait <= 10_000
            assert abs(percent - shown / 100) <= 0.51
            if now < model.blink_end:
                assert (reason, shown) in ((IDENTIFY, 10_000), (IDENTIFY, 1000))
                continue
            assert reason == why
            # Lit is 1 % at least; a ramp has steps of 8 ms at the coarsest, and 0.01 % are lost
            # each time that one starts in the middle of another.
            if 0 < level < 1 and reason != MAINTENANCE:
                level = 1
            assert shown / 100 == pytest.approx(level, abs=0.3)


def told(script: str) -> list[Any]:
    return run(SET_UP + script)


def test_an_override_of_twelve_days_ends_on_time_across_the_wrap() -> None:
    script = """
output, lamp, lighting, _ = node(80, 1073741819)
lighting.order(3, 3000, 0, 1048574000, 0)
end = output.now + 1048574000
while output.now + 10000000 < end:
    output.now += 10000000
    lamp.update()
    assert (lamp.level_percent, lamp.reason) == (30, 3)
    assert lighting.orders.left_ms() == end - output.now
output.now = end - 1
print(json.dumps([lamp.update(), lamp.level_percent]))
output.now = end
lamp.update()
print(json.dumps([lamp.level_percent, lamp.reason, lighting.orders.left_ms()]))
"""
    assert told(script) == [[1, 30], [80, DESIGN, 0]]


def test_a_new_ramp_starts_where_the_last_one_is() -> None:
    script = """
output, lamp, lighting, _ = node(100)
said = []
lighting.order(3, 0, 10000, 60000, 0)
output.now = 5000
lamp.update()
said.append(lamp.level_percent)
lighting.order(3, 10000, 10000, 60000, 0)
said.append(lamp.level_percent)
output.now = 7500
lamp.update()
print(json.dumps(said + [lamp.level_percent]))
"""
    assert told(script) == [[50, 50, 63]]


def test_identify_blinks_and_leaves_the_override_running() -> None:
    script = """
output, lamp, lighting, _ = node(100)
lighting.order(3, 4000, 0, 6000, 0)
lamp.identify()
seen = [lamp.level_percent]
while lamp.reason == 8:
    output.now += lamp.update()
    lamp.update()
    seen.append(lamp.level_percent)
print(json.dumps([output.now, seen]))
output.now = 6000
lamp.update()
print(json.dumps([lamp.level_percent, lamp.reason]))
"""
    assert told(script) == [[5000, [100, 10] * 5 + [40]], [100, DESIGN]]


def test_who_walks_by_costs_no_flash_while_an_order_goes_on() -> None:
    script = """
output, lamp, lighting, _ = node(100)
lighting.order(3, 4000, 0, 600000, 0)
before = files["/state/orders"]
for _ in range(3):
    lighting.orders.boost(2, 8000, 10, 0, 0)
    output.now += 10001
    lamp.update()
print(json.dumps([files["/state/orders"] == before]))
output.now += 600000
lamp.update()
print(json.dumps([files["/state/orders"] == b""]))
"""
    assert told(script) == [[True], [True]]


def test_the_output_is_written_only_when_it_changes() -> None:
    script = """
output, lamp, lighting, _ = node(60)
for _ in range(10):
    output.now += 10000
    lamp.update()
print(json.dumps(output.levels))
"""
    assert told(script) == [[6000]]


def test_a_source_that_fails_costs_no_light_and_is_asked_again() -> None:
    script = """
output, lamp, lighting, _ = node(80)
lighting.order(3, 1000, 0, 60000, 0)
said = [(lamp.level_percent, lamp.reason)]
level = lighting.level
def broken(elapsed_ms):
    raise MemoryError(4000)
lighting.level = broken
said.append((lamp.update(), lamp.level_percent, lamp.reason, repr(lamp.error)))
lighting.level = level
lamp.update()
print(json.dumps(said + [(lamp.level_percent, lamp.reason, lamp.error)]))
"""
    assert told(script) == [
        [[10, OVERRIDE], [1000, 80, FAULT, "MemoryError(4000,)"], [10, OVERRIDE, None]]
    ]


def test_orders_beyond_the_ranges_change_nothing() -> None:
    script = """
output, lamp, lighting, _ = node(70)
for level, ramp, length in (
    (-1, 0, 1), (10001, 0, 1), (50, -1, 1), (50, 409401, 1), (50, 0, 0), (50, 0, 1048574001)
):
    try:
        lighting.order(3, level, ramp, length, 0)
        print("null")
    except ValueError:
        print(json.dumps([lamp.level_percent, lamp.reason, output.levels]))
"""
    assert told(script) == [[70, DESIGN, [7000]]] * 6


def test_a_waiting_lamp_hears_an_order_at_once() -> None:
    """The task sleeps until something is due; an order ends that sleep, and the ramp runs."""
    script = """
import asyncio, time
async def main():
    output, lamp, lighting, _ = node(100)
    lamp._ticks_ms = time.ticks_ms
    async def go():
        while True:
            await lamp.step()
    task = asyncio.create_task(go())
    await asyncio.sleep_ms(0)
    start = time.ticks_ms()
    lighting.order(3, 0, 100, 200, 0)
    while lamp.reason != 0:
        await asyncio.sleep_ms(5)
    took = time.ticks_diff(time.ticks_ms(), start)
    task.cancel()
    print(json.dumps([200 <= took < 5000, len(output.levels) > 3, output.levels[-2:]]))
asyncio.run(main())
"""
    assert told(script) == [[True, True, [0, 10_000]]]


REBOOT = """
output, lamp, lighting, clock = node(100)
clock.s, clock.known = 217000000, {known}
lighting.order({kind}, {level}, 0, 600000, 7)
output.now += 100000
lamp.update()
output, lamp, lighting, after = node(100)
said = [lamp.update() and lamp.level_percent]
after.s, after.known = 217000000 + {later}, {after}
lighting.look()
lamp.update()
said += [lamp.level_percent, lamp.reason, lamp.author, lighting.orders.left_ms() // 1000]
after.s, after.known = 217000000 + 700, 3
output.now += 500000
lighting.look()
lamp.update()
print(json.dumps(said + [lamp.level_percent]))
"""


@pytest.mark.parametrize(
    ("kind", "level", "known", "later", "after", "expected"),
    [
        # The clock tells: the order goes on for what is left of it.
        (OVERRIDE, 2000, 3, 200, 3, [100, 20, OVERRIDE, 7, 400, 100]),
        (MAINTENANCE, 0, 3, 200, 3, [0, 0, MAINTENANCE, 7, 400, 100]),
        # It is over when the clock comes back.
        (MAINTENANCE, 0, 3, 650, 3, [0, 100, DESIGN, 0, 0, 100]),
        # No clock yet: nobody relights a lamp on which somebody works, an override waits.
        (MAINTENANCE, 0, 3, 0, 0, [0, 0, MAINTENANCE, 7, 600, 100]),
        (OVERRIDE, 2000, 3, 0, 0, [100, 100, DESIGN, 0, 0, 100]),
        # Given without a clock: an override is forgotten, a lock begins its time anew.
        (OVERRIDE, 2000, 0, 0, 3, [100, 100, DESIGN, 0, 0, 100]),
        (MAINTENANCE, 0, 0, 0, 3, [0, 0, MAINTENANCE, 7, 600, 0]),
    ],
)
def test_orders_outlive_a_power_cut_and_end_as_they_should(
    kind: int, level: int, known: int, later: int, after: int, expected: list[int]
) -> None:
    script = REBOOT.format(kind=kind, level=level, known=known, later=later, after=after)
    said = told(script)
    assert said == [expected], said


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=10, max_size=10))
def test_damaged_orders_cost_no_light(rows: list[bytes]) -> None:
    script = """
for line in sys.stdin:
    files["/state/orders"] = bytes(json.loads(line))
    output, lamp, lighting, clock = node(90)
    lighting.look()
    lamp.update()
    clock.known, clock.s = 3, 217000000
    lighting.look()
    lighting.order(3, 5000, 0, 1000, 0)
    lighting.end(3, 6, 7)
    lamp.update()
    print(lamp.level_percent)
"""
    assert run(SET_UP + script, *[list(row) for row in rows]) == [90] * 10


def test_somebody_walking_raises_the_light_softly_again_and_again() -> None:
    script = """
from struct import pack
def section(n, *content):
    content = b"".join(content)
    return bytes([n, 0, len(content)]) + content
config = bytes([1]) + section(2, bytes([30])) + section(8, pack(">BHBB", 90, 10, 20, 0))
output, lamp, lighting, clock = node(30, 0, config)
clock.s, clock.known = 217000000, 3
lighting.sensed.dark = True
class Traffic:
    seen = 0
    totals = 0, 0
class Radar:
    traffic = Traffic
    fresh = lambda self: True
lighting.radar = Radar()
said = []
def pass_ms(ms):
    for _ in range(ms // 100):
        output.now += 100
        lamp.update()
    said.append((lamp.level_percent, lamp.reason))
Traffic.seen = 1
lighting.look()
pass_ms(1000)   # half of the ramp of 2 s
pass_ms(5000)
Traffic.seen = 2
lighting.look()
pass_ms(9000)   # held on
pass_ms(2000)   # half way down
Traffic.seen = 3
lighting.look()
pass_ms(0)
pass_ms(1000)
pass_ms(20000)
print(json.dumps(said))
"""
    design = [30, 1]
    up = [60, 2]
    assert told(script) == [
        [up, [90, 2], [90, 2], up, up, [90, 2], design],
    ]


def module() -> dict[str, Any]:
    """Run the driver's file here: it is plain Python but for `const`."""
    source = FIRMWARE / "lampione_node" / "drivers" / "dimmer.py"
    text = source.read_text().replace("from micropython import const\n", "")
    names: dict[str, Any] = {"const": lambda value: value}
    exec(compile(text, str(source), "exec"), names)
    return names


DIMMER = module()


def test_the_ends_of_the_scale_are_the_ends_of_the_output() -> None:
    duty_u16 = DIMMER["duty_u16"]
    assert duty_u16(0) == 0
    assert duty_u16(10_000) == 65_535
    assert duty_u16(5000) == 32_768
    duties = [duty_u16(level) for level in range(10_001)]
    assert duties == sorted(set(duties))


@pytest.mark.parametrize("curve", [0, 1])
@pytest.mark.parametrize(("low", "high"), [(0, 1000), (100, 1000), (85, 930)])
def test_curves_between_measured_end_points(curve: int, low: int, high: int) -> None:
    duty_u16 = DIMMER["duty_u16"]
    duties = [duty_u16(level, curve, low, high) for level in range(10_001)]
    assert duties[0] == 0
    assert duties[-1] == round(high * 65.535)
    assert duties == sorted(duties)
    assert duties[1] >= int(low * 65.535)
    if curve:  # three decades: 10 % of the light is at two thirds of the way
        assert duties[1000] == pytest.approx((low + (high - low) * 2 / 3) * 65.535, abs=8)
    else:
        assert duties[5000] == pytest.approx((low + high) / 2 * 65.535, abs=8)


def test_the_output_opens_at_the_level_that_it_is_given() -> None:
    made: list[Any] = []
    machine = types.SimpleNamespace(
        Pin=lambda number: ("pin", number), PWM=lambda pin, **how: made.append((pin, how))
    )
    DIMMER["Dimmer"](machine, {"pin": 18}, {}, 5500)
    assert made == [(("pin", 18), {"freq": 1000, "duty_u16": 36_044})]


def test_random_scenes_long_enough_to_wrap() -> None:
    """As above without Hypothesis' liking for small numbers."""
    dice = random.Random(4)
    scenes = [
        (
            dice.randint(1, 100),
            dice.randrange(WRAP),
            [
                {
                    "do": dice.choice([0, 1, 1, 3, 4, 6]),
                    "level": dice.randint(0, 100),
                    "ramp": 0,
                    "for": LONGEST_MS,
                    "after": dice.choice([5 * DAY_MS, 6 * DAY_MS]),
                }
                for _ in range(10)
            ],
        )
        for _ in range(50)
    ]
    for (design, now, steps), said in zip(scenes, run(SET_UP + PLAY, *scenes), strict=True):
        model = Model(design)
        for step, (shown, _, reason, _) in zip(steps, said, strict=True):
            model.apply(step, now)
            now += step["after"]
            assert (shown / 100, reason) == model.level(now)


def test_what_is_over_leaves_the_flash_and_what_had_no_date_gets_one() -> None:
    script = """
output, lamp, lighting, clock = node(100)
clock.s, clock.known = 217000000, 3
lighting.order(7, 0, 0, 600000, 7)
output, lamp, lighting, clock = node(100)
clock.s, clock.known = 217000000 + 601, 3   # over, as the clock says
lighting.look()
output, lamp, lighting, clock = node(100)   # and nobody knows of it any more
print(json.dumps([lamp.update() and lamp.level_percent, len(files["/state/orders"])]))
lighting.order(7, 0, 0, 600000, 7)          # given without a clock
clock.s, clock.known = 217000000, 3
lighting.look()
output, lamp, lighting, clock = node(100)
clock.s, clock.known = 217000000 + 601, 3
lighting.look()
lamp.update()
print(json.dumps([lamp.level_percent, len(files["/state/orders"])]))
"""
    assert told(script) == [[100, 0], [100, 0]]


def test_flash_that_refuses_an_order_is_told_and_tried_again() -> None:
    script = """
output, lamp, lighting, clock = node(100)
clock.s, clock.known = 217000000, 3
lampione_node.kept.save = lambda path, data: False
lighting.order(7, 0, 0, 600000, 7)
said = [lighting.orders.failed, len(files)]
lampione_node.kept.save = save
lighting.look()
print(json.dumps(said + [lighting.orders.failed, len(files["/state/orders"])]))
"""
    assert told(script) == [[True, 0, False, 15]]


def test_a_signal_ends_where_somebody_locks_the_lamp() -> None:
    script = """
output, lamp, lighting, _ = node(100)
lamp.identify(60000)
lighting.order(7, 0, 0, 600000, 7)
print(json.dumps([lamp.level_percent, lamp.reason]))
"""
    assert told(script) == [[0, MAINTENANCE]]


def test_a_weaker_wave_takes_nothing_from_a_stronger_one() -> None:
    script = """
output, lamp, lighting, clock = node(30, 0, bytes([1, 2, 0, 1, 30]))
clock.s, clock.known = 217000000, 3
lighting.sensed.dark = True
lighting.hear(5, 90, 60, 1)
output.now += 10000
lighting.hear(5, 50, 5, 2)
said = [lamp.level_percent, lamp.author]
output.now += 45000
lamp.update()
print(json.dumps(said + [lamp.level_percent]))
"""
    assert told(script) == [[90, 1, 90]]
