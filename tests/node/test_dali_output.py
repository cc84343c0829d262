"""The lamp on DALI under MicroPython on a virtual board, at pins and behind a bridge: every fault.

The clock is virtual: a fault shows at the same millisecond on any computer.
"""

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.firmware import CompileError, compile_tree
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.boards import VirtualBoard
from lampione_hil.virtual.devices.dali_banks import Maker
from lampione_hil.virtual.devices.dali_bridge import DaliBridge
from lampione_hil.virtual.devices.dali_bus import DaliBus
from lampione_hil.virtual.devices.dali_gear import Gear

from tests import virtual_bench
from tests.node.micro import ROOT, sources

OK, WARMING, STALE, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)
DESIGN_ARC = 235  # 60 %: 59.5

# Levels in 0.01 % are typed; what changes is printed.
MAIN = """
import asyncio, machine, select, sys, time
from lampione_node.drivers.dali_output import open_dali
out = open_dali(machine, {part}, 60)
async def watch():
    old = None
    checked = 0
    while True:
        now = (out.failed, out.watch.state(), out.energy_wh, out.power_dw)
        if now != old:
            old = now
            print("out", time.ticks_ms(), *now)
        await asyncio.sleep_ms(100)
async def keep():
    last = [time.ticks_ms()]
    longest = [0]
    def check_in():
        now = time.ticks_ms()
        gap = time.ticks_diff(now, last[0])
        last[0] = now
        if gap > longest[0]:
            longest[0] = gap
            print("gap", gap, 0)
    await out.run(check_in)
{more}
async def main():
    for task in (watch, keep, more):
        asyncio.create_task(task())
    while True:
        await asyncio.sleep(1000)
asyncio.run(main())
"""
NOTHING = """
async def more():
    pass
"""
# a ramp from the design level to full and down to 20 %, 4 s each, as the lamp's own
RAMP = """
async def more():
    await asyncio.sleep_ms(5000)
    for n in range(200):
        out.set(6000 + 20 * n)
        await asyncio.sleep_ms(20)
    for n in range(201):
        out.set(10000 - 40 * n)
        await asyncio.sleep_ms(20)
"""
LEVELS = """
async def more():
    for level in {levels}:
        await asyncio.sleep_ms({pause_ms})
        out.set(level)
"""
DIAGNOSTICS = """
async def more():
    import json
    await asyncio.sleep_ms(5000)
    for bank in (205, 206, 207):
        print("bank", json.dumps([bank, await out.diagnostics(bank)]))
    for bank in (202, 203, 204):
        print("bank", json.dumps([bank, await out.meter(bank)]))
"""
NAMES = ("dali", "dali_pins", "dali_bridge", "dali_gear", "dali_output", "d4i", "d4i_banks", "line")
MODULES = ("", "buses", "drivers/", *(f"drivers/{n}" for n in (*NAMES, "health", "watch")))
PINS: dict[str, Any] = {"tx": 17, "rx": 18}
BRIDGE: dict[str, Any] = {"uart": 1, "tx": 17, "rx": 18}
bench = virtual_bench.fixture("virtual", "module")


def written(main: str, folder: Path) -> dict[str, bytes]:
    """The modules as they are written."""
    return {"/main.py": main.encode(), **sources(MODULES)}


def shipped(main: str, folder: Path) -> dict[str, bytes]:
    """The modules as they ship: cut, linked, compiled."""
    node = ROOT / "firmware" / "lampione_node"
    shutil.copytree(node, folder / node.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "main.py").write_text(main)
    try:
        return compile_tree(firmware=folder)
    except CompileError as error:
        pytest.skip(str(error))


@dataclass
class Lamp:
    """A board that keeps a lamp on DALI, and says what it knows of it."""

    bench: VirtualBench
    board: VirtualBoard
    now_ms: int = 0
    said: list[tuple[int, list[Any]]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Let time pass; what was said in it is in `said`."""
        before_ms, self.now_ms = self.now_ms, self.now_ms + round(seconds * 1000)
        self.bench.run_for(seconds)
        console = self.board.console()
        assert "Traceback" not in console, console[-2000:]
        found = re.findall(r"out (\d+) (\S+) (\S+) (\S+) (\S+)\r", console)
        words = {"None": None, "True": True, "False": False}
        self.said = [
            (int(ms), [words[w] if w in words else int(w) for w in rest])
            for ms, *rest in found
            if int(ms) > before_ms
        ]
        gaps = [int(ms) for ms in re.findall(r"gap (\d+)", console)]
        assert not gaps or max(gaps) < 20_000, "it checks in"

    @property
    def last(self) -> list[Any]:
        """failed, state, energy_wh, power_dw: as said last."""
        found = re.findall(r"out \d+ (\S+) (\S+) (\S+) (\S+)\r", self.board.console())
        words = {"None": None, "True": True, "False": False}
        return [words[w] if w in words else int(w) for w in found[-1]]

    def gear(self, method: str, *values: object) -> Any:
        return self.board.world.call("dali.gear", method, *values)

    def fault(self, kind: str) -> None:
        self.board.world.fault("dali", kind)

    @property
    def level(self) -> int:
        return int(self.gear("__getattribute__", "level"))

    @property
    def kept(self) -> Any:
        return self.gear("__getattribute__", "kept")

    def heard(self) -> list[int]:
        return [frame for _, frame in self.gear("__getattribute__", "heard")]


Start = Callable[..., Lamp]
Form = Callable[[str, Path], dict[str, bytes]]


@pytest.fixture
def start(bench: VirtualBench, tmp_path: Path) -> Iterator[Start]:
    made: list[Lamp] = []

    def make(
        label: str,
        kind: str,
        gear: Any = None,
        more: str = NOTHING,
        form: Form = written,
        **settings: Any,
    ) -> Lamp:
        gear = Gear(3) if gear is None else gear
        part = {**(PINS if kind == "pins" else BRIDGE), **settings}
        world = World(street=None, air=None)
        if kind == "pins":
            invert = {k: v for k, v in settings.items() if k.startswith("invert")}
            world.lines = [DaliBus(gear, **invert)]
        else:
            world.uarts = {1: DaliBridge(gear)}
        files = form(MAIN.format(part=part, more=more), tmp_path)
        board = bench.board(f"{kind}-{label}", files, world=world)
        board.power_on()
        made.append(Lamp(bench, board))
        return made[-1]

    yield make
    for lamp in made:
        lamp.board.power_off()


both = pytest.mark.parametrize("kind", ["pins", "bridge"])


@both
def test_it_comes_up_at_the_design_level_and_sets_the_gear_up(start: Start, kind: str) -> None:
    lamp = start("boot", kind)
    lamp.run(0.1)
    assert lamp.heard()[0] == 0xFE00 | DESIGN_ARC, "the light first"
    lamp.run(9.9)
    assert lamp.level == DESIGN_ARC
    kept = lamp.kept
    assert (kept.power_on_level, kept.system_failure_level) == (DESIGN_ARC, DESIGN_ARC)
    assert (kept.fade_time, kept.extended_fade) == (0, 0x11)
    assert lamp.last == [False, OK, 0, 362]
    assert lamp.gear("__getattribute__", "writes") == 3
    lamp.board.reset()
    lamp.run(20)
    assert lamp.gear("__getattribute__", "writes") == 3, "what is right is not written again"


@both
@pytest.mark.parametrize("settings", [{"address": 3}, {"group": 2}])
def test_one_of_several_gears(start: Start, kind: str, settings: dict[str, int]) -> None:
    mine, other = Gear(3), Gear(4)
    mine.kept.groups.add(2)
    lamp = start(f"one-{'-'.join(settings)}", kind, [mine, other], **settings)
    lamp.run(10)
    assert lamp.level == DESIGN_ARC
    assert lamp.last[:2] == [False, OK]
    gears = "dali" if kind == "pins" else "dali.bus"
    assert lamp.board.world.call(gears, "__getattribute__", "gears")[1].level == 254


@both
def test_several_gears_that_answer_at_once(start: Start, kind: str) -> None:
    """Nothing is known of them; their flash is not worn out, and the level holds."""
    first, second = Gear(3), Gear(4)
    second.answer_s, second.te = 0.0043, 1.04
    lamp = start("crowd", kind, [first, second])
    lamp.run(120)
    assert lamp.level == DESIGN_ARC
    assert lamp.last[:2] in ([None, STALE], [None, ABSENT])
    assert lamp.gear("__getattribute__", "writes") <= 12


@both
def test_a_ramp_is_smooth_and_leaves_the_line_free(start: Start, kind: str) -> None:
    lamp = start("ramp", kind, more=RAMP)
    lamp.run(14.5)
    assert lamp.level == 195  # 20 %: 19.9
    levels = [frame & 255 for frame in lamp.heard() if frame >> 8 == 0xFE]
    up, down = levels[: levels.index(254) + 1], levels[levels.index(254) :]
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert 30 <= len(levels) <= 45, "5 a second"
    assert max(abs(a - b) for a, b in itertools.pairwise(levels)) <= 20


@both
def test_the_latest_level_wins(start: Start, kind: str) -> None:
    lamp = start("latest", kind, more=LEVELS.format(levels=(0, 10, 10000, 3000), pause_ms=30))
    lamp.run(1)
    levels = [frame & 255 for frame in lamp.heard() if frame >> 8 == 0xFE]
    assert levels == [DESIGN_ARC, 210]
    lamp.run(1)
    assert lamp.level == 210  # 30 %: 30.1


@both
def test_a_lamp_that_fails_is_seen_within_a_minute(start: Start, kind: str) -> None:
    lamp = start("failure", kind)
    lamp.run(33)
    lamp.gear("fail_lamp")
    lamp.run(60)
    assert lamp.said[0][1][:2] == [True, OK]
    assert lamp.said[0][0] <= 33_000 + 10_500
    lamp.gear("fail_lamp", False)
    lamp.run(15)
    assert lamp.said[-1][1][0] is False
    lamp.board.world.set("dali.gear.meter", gear_failed=True)
    lamp.run(15)
    assert lamp.said[-1][1][0] is True


@both
def test_gear_that_lost_its_power_gets_its_level_back(start: Start, kind: str) -> None:
    lamp = start("cycle", kind, more=LEVELS.format(levels=(3000,), pause_ms=2500))
    lamp.run(35)
    assert lamp.level == 210
    lamp.gear("mains", False)
    lamp.gear("mains", True)
    lamp.run(1)
    assert lamp.level == DESIGN_ARC, "by itself, what the node told it before"
    lamp.run(10)
    assert lamp.level == 210
    assert lamp.last[:2] == [False, OK]


@both
def test_gear_without_power_is_not_known(start: Start, kind: str) -> None:
    lamp = start("dark", kind)
    lamp.run(25)
    lamp.gear("mains", False)
    lamp.run(60)
    assert lamp.last == [None, SILENT, 0, None]
    lamp.gear("mains", True)
    lamp.run(15)
    assert lamp.level == DESIGN_ARC
    assert lamp.last[:2] == [False, OK]


# fault: the state after a minute of it
FAULTS = {
    "silent": SILENT,
    "garbled": STALE,
    "collision": STALE,
    "late": STALE,
    "noise": STALE,
    "deaf": SILENT,
    "down": SILENT,
    "unplugged": SILENT,
}
OF_BRIDGE = {**FAULTS, "late": SILENT, "mute": SILENT, "crc": SILENT, "half": SILENT}


def faulty(lamp: Lamp, fault: str, state: int) -> None:
    """Nothing wrong is believed, and within 15 s after the fault all is well."""
    lamp.run(25)
    writes = lamp.gear("__getattribute__", "writes")
    if fault == "unplugged":
        lamp.board.world.unplug("dali")
    else:
        lamp.fault(fault)
    lamp.run(60)
    known = lamp.last
    assert known[:2] == [None, state]
    assert known[3] is None
    assert all(said[0] is not True and (said[2] or 0) <= 2 for _, said in lamp.said)
    if fault == "unplugged":
        lamp.board.world.plug("dali")
    lamp.fault("")
    lamp.run(15)
    assert lamp.last[:2] == [False, OK]
    assert lamp.level == DESIGN_ARC
    assert lamp.gear("__getattribute__", "writes") == writes


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_at_pins(start: Start, fault: str) -> None:
    faulty(start(fault, "pins"), fault, FAULTS[fault])


@pytest.mark.parametrize("fault", OF_BRIDGE)
def test_faults_behind_a_bridge(start: Start, fault: str) -> None:
    faulty(start(fault, "bridge"), fault, OF_BRIDGE[fault])


@pytest.mark.parametrize(("kind", "fault"), [("pins", "wrong"), ("bridge", "stuck")])
def test_answers_that_look_right_do_no_lasting_harm(start: Start, kind: str, fault: str) -> None:
    """No byte has a checksum: what it says may be believed, but not for longer than it lasts."""
    lamp = start(fault, kind)
    lamp.run(25)
    lamp.fault(fault)
    lamp.run(60)
    assert lamp.level == DESIGN_ARC
    lamp.fault("")
    lamp.run(25)
    assert lamp.last[:2] == [False, OK]
    assert lamp.level == DESIGN_ARC
    kept = lamp.kept
    assert (kept.power_on_level, kept.system_failure_level) == (DESIGN_ARC, DESIGN_ARC)
    assert (kept.fade_time, kept.extended_fade) == (0, 0x11)


@both
def test_a_level_that_was_lost_is_sent_again(start: Start, kind: str) -> None:
    """No frame is acknowledged: a gear that is elsewhere is found by its answer."""
    lamp = start("lost", kind)
    lamp.run(25)
    lamp.gear("hear", 0xFE00 | 100, 25.01)
    lamp.run(11)
    assert lamp.level == DESIGN_ARC


@both
def test_gear_with_a_higher_minimum(start: Start, kind: str) -> None:
    lamp = start(
        "minimum", kind, Gear(3, min_level=170), LEVELS.format(levels=(100,), pause_ms=3000)
    )
    lamp.run(60)
    assert lamp.level == 170
    assert lamp.last[:2] == [False, OK]
    assert sum(frame >> 8 == 0xFE for frame in lamp.heard()) == 2, "it is not told for ever"


@both
def test_gear_with_a_linear_curve(start: Start, kind: str) -> None:
    gear = Gear(3)
    gear.kept.linear = True
    lamp = start("linear", kind, gear, LEVELS.format(levels=(2500,), pause_ms=4000))
    lamp.run(3.5)
    assert lamp.level == 152  # 60 % of 254
    lamp.run(3)
    assert lamp.level == 64
    assert lamp.kept.power_on_level == 152


@both
def test_the_meters_are_read(start: Start, kind: str) -> None:
    lamp = start("meter", kind, more=LEVELS.format(levels=(10000,), pause_ms=3000))
    lamp.run(900)
    failed, state, energy_wh, power_dw = lamp.last
    assert (failed, state, power_dw) == (False, OK, 605)
    meter = lamp.gear("__getattribute__", "meter")
    assert meter.energy_wh - 2.1 <= energy_wh <= meter.energy_wh
    assert 13 <= energy_wh <= 15


@pytest.mark.parametrize("powers", [(3, 1), (-6, -6), (0, 0)])
def test_the_meters_powers_of_ten(start: Start, powers: tuple[int, int]) -> None:
    gear = Gear(3, maker=Maker(energy_power=powers[0], power_power=powers[1]))
    gear.meter.energy_wh = 7_654_321.0
    lamp = start(f"powers{powers[0]}", "bridge", gear)
    lamp.run(10)
    expected = {3: (7_654_000, 300), -6: (7_654_321, 362), 0: (7_654_321, 360)}[powers[0]]
    assert tuple(lamp.last[2:]) == expected


def test_meters_that_have_no_value_now_or_are_not_there(start: Start) -> None:
    gear = Gear(3)
    gear.banks.unavailable |= {(202, 0x04), (202, 0x0B)}
    lamp = start("tmask", "bridge", gear)
    lamp.run(10)
    assert lamp.last == [False, OK, None, None]
    lamp = start("plain", "bridge", Gear(3, maker=Maker(banks=(0,))))
    lamp.run(10)
    assert lamp.last == [False, OK, None, None]


@both
def test_diagnostics_as_it_ships(start: Start, kind: str) -> None:
    gear = Gear(3)
    gear.meter.operating_s, gear.meter.burnt_s = 40_000_000.0, 20_000_000.0
    lamp = start("banks", kind, gear, DIAGNOSTICS, shipped, address=3)
    lamp.run(20)
    said = re.findall(r"bank (\[.*\])\r", lamp.board.console())
    banks = dict(json.loads(line) for line in said)
    assert 0 <= banks[205].pop("operating_s") - 40_000_000 < 20
    assert banks[205] == {
        "starts": 1,
        "supply_dv": 2310,
        "supply_hz": 50,
        "power_factor_percent": 78,
        "failure": 0,
        "failures": 0,
        "undervoltage": 0,
        "undervoltages": 0,
        "overvoltage": 0,
        "overvoltages": 0,
        "power_limited": 0,
        "power_limits": 0,
        "derating": 0,
        "deratings": 0,
        "shutdown": 0,
        "shutdowns": 0,
        "temperature_c": 41,
        "output_percent": 60,
    }
    assert 0 <= banks[206].pop("on_s") - 20_000_000 < 20
    assert banks[206]["voltage_dv"] == 480
    assert banks[206]["current_ma"] == 744
    assert banks[206]["open"] == 0
    assert "temperature_c" not in banks[206], "it has no sensor there"
    assert banks[207] == {
        "rated_life_kh": 100,
        "reference_temperature_c": 65,
        "rated_starts_h": 200,
    }
    assert banks[202][1] == 362
    assert banks[203][1] == 462
    assert banks[204][1] == 359


def test_inverted_pins(start: Start) -> None:
    lamp = start("inverted", "pins", invert_tx=True, invert_rx=True)
    lamp.run(10)
    assert lamp.level == DESIGN_ARC
    assert lamp.last[:2] == [False, OK]


@pytest.mark.parametrize("te", [0.9, 1.1])
def test_gear_whose_clock_is_a_tenth_off(start: Start, te: float) -> None:
    gear = Gear(3)
    gear.te, gear.answer_s = te, 0.0029 if te < 1 else 0.0091
    lamp = start(f"te{te}", "pins", gear)
    lamp.run(10)
    assert lamp.last[:2] == [False, OK]


def test_a_node_that_dies_leaves_the_street_lit(start: Start) -> None:
    """Its line stays up, so the gear keeps its level; a line pulled low sends it to the design."""
    lamp = start("death", "pins", more=LEVELS.format(levels=(2000,), pause_ms=3000))
    lamp.run(10)
    assert lamp.level == 195
    lamp.board.power_off()
    lamp.bench.run_for(60)
    assert lamp.level == 195
    lamp.fault("down")
    lamp.bench.run_for(1)
    assert lamp.level == DESIGN_ARC
