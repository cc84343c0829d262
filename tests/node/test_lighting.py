"""A whole node lights its street in virtual time: nights, power cuts, photocell, traffic."""

import math
from collections.abc import Sequence
from struct import pack
from typing import Any

import pytest
from lampione_hil import outbox
from lampione_hil.firmware import compile_tree
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.devices.veml7700 import Light, Veml7700
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_light import civil, layout
from lampione_light.level import Sensed, level_at
from lampione_light.program import Program
from lampione_protocol import schema

from tests import virtual_bench
from tests.node.configs import BY_SUN, MILAN, blob, flash, section
from tests.node.controller import KEY, node_files

PIN = 5
I2C = {"i2c": 0, "scl": 9, "sda": 8}
LAMP_CHANGED = 19
PROGRAM, SENSOR, FAULT = 1, 2, 4
# At 14:30 UTC of 15 January 2026, an hour before sunset.
EVENING = civil.day_of(2026, 1, 15) * 86_400 + 14 * 3600 + 1800
SET_CLOCK = b"""
import machine
machine.RTC().datetime((2026, 1, 15, 3, 14, 30, 0, 0))
from lampione_node import app
app.main()
"""
STEPS = section(
    layout.PLAN,
    bytes([0]),
    pack(">BhBH", 1, 0, 100, 0),  # sunset
    pack(">BhBH", 0, 22 * 60, 60, 300),
    pack(">BhBH", 0, 60, 30, 600),
    pack(">BhBH", 2, -60, 80, 60),  # an hour before sunrise
)
LAMP = section(layout.LAMP, pack(">BBBHHBHHBH", 90, 10, 100, 60, 0, 0, 0, 1000, 60, 300))
bench = virtual_bench.fixture("virtual", "function")


def node(bench: VirtualBench, config: bytes, world: World | None = None, **parts: Any) -> Any:
    files = node_files(
        "night", KEY, 1, broker=None, parts={"lamp": {"pin": PIN}, **parts}, report_interval_s=60
    )
    files |= flash(config) | {"/main.py": SET_CLOCK}
    return bench.board("night", files, world=world or World(street=None), flash_bytes=4 << 20)


def percent(board: VirtualBoard) -> float:
    return board.pwm_duty(PIN) * 100 / 65_535


def test_a_night_minute_by_minute(bench: VirtualBench) -> None:
    config = blob(MILAN, BY_SUN, LAMP, STEPS)
    board = node(bench, config)
    program = Program(config, b"night")
    board.power_on()
    bench.run_for(5)
    levels = set()
    for minute in range(17 * 60):
        bench.run_for(60)
        now = EVENING + 60 * minute + 65
        level, *_ = level_at(program, now, Sensed(), [])
        # The board's clock began when its main.py did; a ramp goes on meanwhile.
        near = [level_at(program, now + s, Sensed(), [])[0] / 100 for s in (-3, 3)]
        assert min(near) - 0.2 <= percent(board) <= max(near) + 0.2, minute
        levels.add(round(level / 100))
    assert {0, 100, 60, 30, 80} <= levels


def test_a_power_cut_by_night_and_what_follows(bench: VirtualBench) -> None:
    """The clock is lost with the power: the design level, by fault, until somebody knows better."""
    config = blob(MILAN, BY_SUN, LAMP, STEPS)
    board = node(bench, config)
    board.power_on()
    bench.run_for(3 * 3600)
    assert percent(board) == pytest.approx(100, abs=0.1)
    board.power_off()
    board.write_files({"/main.py": SET_CLOCK.replace(b"machine.RTC", b"print or machine.RTC")})
    board.power_on()
    bench.run_for(120)
    assert percent(board) == pytest.approx(90, abs=0.1)
    board.power_off()
    reasons = [r["lamp_reason"] for k, r in outbox.messages(board, KEY) if k == schema.REPORT]
    assert reasons[-1] == FAULT
    changes = [
        e["argument"] >> 7 & 15
        for k, e in outbox.messages(board, KEY)
        if k == schema.EVENT and e["code"] == LAMP_CHANGED
    ]
    assert changes[0] == PROGRAM
    assert changes[-1] == FAULT


def test_without_a_clock_the_photocell_tells_day_from_night(bench: VirtualBench) -> None:
    sky = Light()
    sky.lux = 2000.0
    world = World(street=None, i2c=[Veml7700(sky)])
    board = node(bench, blob(MILAN, BY_SUN, LAMP, STEPS), world, light=I2C)
    board.write_files({"/main.py": b"from lampione_node import app\napp.main()\n"})
    board.power_on()
    bench.run_for(60)
    assert percent(board) == 0
    board.world.set("veml7700", light=Light(3.0))
    bench.run_for(180)
    assert percent(board) == pytest.approx(90, abs=0.1)
    board.world.fault("veml7700", "silent")  # neither clock nor photocell: always lit
    board.world.set("veml7700", light=Light(2000.0))
    bench.run_for(900)
    assert percent(board) == pytest.approx(90, abs=0.1)


class Rush(TrafficStreet):
    """Traffic until `ends_s`, then an empty street."""

    ends_s = 0.0

    def targets(self, times_s: Sequence[float], least_db: float = -math.inf) -> Any:
        """See TrafficStreet."""
        found = super().targets(times_s, least_db)
        return [seen if s < self.ends_s else [] for s, seen in zip(times_s, found, strict=True)]


def test_the_level_follows_the_traffic_and_a_silent_radar_restores_it(bench: VirtualBench) -> None:
    """UNI 11248 annex D: down after two low samples of ten minutes, up and on faults at once."""
    street = Rush(5, per_hour=900)
    street.ends_s = 1500.0
    world = World(street=None)
    world.uarts[1] = Ops243(street)
    config = blob(
        MILAN,
        section(layout.NIGHT, bytes([0])),
        section(layout.LAMP, bytes([100, 10, 100])),
        section(layout.TRAFFIC, pack(">HBB", 600, 75, 50)),
    )
    board = node(bench, config, world, radar={"uart": 1, "tx": 15, "rx": 16})
    board.write_files({"/main.py": SET_CLOCK.replace(b"14, 30", b"20, 30")})
    board.power_on()
    bench.run_for(1500)
    assert percent(board) == pytest.approx(100, abs=0.1)
    bench.run_for(15 * 60)
    assert percent(board) == pytest.approx(100, abs=0.1), "one low sample is not two"
    bench.run_for(20 * 60)
    assert percent(board) == pytest.approx(75, abs=0.1), "no further than both samples allow"
    bench.run_for(20 * 60)
    assert percent(board) == pytest.approx(50, abs=0.1)
    board.world.fault("ops243", "silent")
    bench.run_for(180)
    assert percent(board) == pytest.approx(100, abs=0.1)


def test_a_fault_of_the_lighting_itself_ends_at_the_design_level(bench: VirtualBench) -> None:
    """As where there is no memory left to work a night out: lit, told, and tried again."""
    board = node(bench, blob(MILAN, BY_SUN, LAMP, STEPS))
    broken = SET_CLOCK.replace(
        b"from lampione_node import app",
        b"from lampione_node.lighting import Frugal\n"
        b"def fails(*_): raise MemoryError(9999)\n"
        b"Frugal.lighting_day = Frugal.sun_day = fails\n"
        b"from lampione_node import app",
    )
    board.write_files({"/main.py": broken})
    for path, data in compile_tree(debug=True).items():
        if path.startswith("/lib/"):
            board.write_files({path: data})
    board.power_on()
    bench.run_for(150)
    assert percent(board) == pytest.approx(90, abs=0.1)
    board.power_off()
    said = outbox.messages(board, KEY)
    assert any(k == schema.LOG and b"MemoryError" in v["text"] for k, v in said)
    report = [r for k, r in said if k == schema.REPORT][-1]
    assert (report["lamp_reason"], report["faults"] & 4) == (FAULT, 4)


def test_a_lighting_that_does_not_load_leaves_the_rest_at_work(bench: VirtualBench) -> None:
    board = node(bench, blob(MILAN, BY_SUN, LAMP, STEPS))
    board.write_files({"/lib/lampione_node/lighting.mpy": b"M\0\0\0"})
    board.power_on()
    bench.run_for(150)
    assert percent(board) == pytest.approx(90, abs=0.1)
    board.power_off()
    reports = [r for k, r in outbox.messages(board, KEY) if k == schema.REPORT]
    assert len(reports) >= 2
    assert reports[-1]["faults"] & 4
