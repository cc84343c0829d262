"""The drivers on a virtual board, each before its part's model, with every fault of it.

The clock is virtual: a fault shows at the same millisecond on any computer.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.boards import VirtualBoard
from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.devices.ld2415h import Ld2415h
from lampione_hil.virtual.devices.moving import Steady
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.devices.pzem import Load, Pzem

from tests import virtual_bench
from tests.node.micro import sources
from tests.node.stubborn import Stubborn

OK, WARMING, STALE, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)

MAIN = """
import asyncio, machine, time
from lampione_node.drivers.{module} import {name}
part = {name}(machine.UART(1, baudrate=9600, tx=17, rx=18))
async def main():
    old = None
    while True:
        found = await part.measure()
        state = part.watch.state()
        if state != old:
            old = state
            print("state", time.ticks_ms(), state)
        if found:
            print("value", time.ticks_ms(), *(found[{index}] if {index} >= 0 else found))
        await asyncio.sleep_ms({pause})
asyncio.run(main())
"""
SOURCES = ("", "drivers/", "drivers/health", "drivers/watch", "drivers/line", "drivers/lines")
NAMES = {"pzem": "Pzem", "ops243": "Ops243", "ld2415h": "Ld2415h"}
Start = Callable[[str, UartDevice], "Watched"]
CAR = Steady([(12.0, 30.0)])  # 43.2 km/h, inbound
bench = virtual_bench.fixture("virtual", "module")


@dataclass
class Watched:
    """A board that says each state and value of one part, and the times of both in ms."""

    bench: VirtualBench
    board: VirtualBoard
    part: str
    now_ms: int = 0
    states: list[tuple[int, int]] = field(default_factory=list)
    values: list[tuple[int, list[int]]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Let time pass; what was said in it is in `states` and `values`."""
        before_ms, self.now_ms = self.now_ms, self.now_ms + round(seconds * 1000)
        self.bench.run_for(seconds)
        console = self.board.console()
        assert "Traceback" not in console, console[-2000:]
        found = re.findall(r"(state|value) (\d+) ([-\d ]+)\r", console)
        said = [(kind, int(ms), [int(n) for n in rest.split()]) for kind, ms, rest in found]
        self.states = [(ms, n[0]) for kind, ms, n in said if kind == "state" and ms > before_ms]
        self.values = [(ms, n) for kind, ms, n in said if kind == "value" and ms > before_ms]

    def fault(self, kind: str) -> None:
        if kind == "unplugged":
            self.board.world.unplug(self.part)
        else:
            self.board.world.fault(self.part, kind)

    def heal(self) -> None:
        self.board.world.plug(self.part)
        self.board.world.heal(self.part)


@pytest.fixture
def start(bench: VirtualBench) -> Iterator[Start]:
    """Start a board before a part; the boards of a test are off at its end."""
    made: list[Watched] = []

    def make(label: str, part: UartDevice) -> Watched:
        for before in made:
            before.board.power_off()
        made.append(connect(bench, label, part))
        return made[-1]

    yield make
    for before in made:
        before.board.power_off()


def connect(bench: VirtualBench, label: str, part: UartDevice) -> Watched:
    name = NAMES[part.name]
    modules = [
        *SOURCES,
        f"drivers/{part.name}",
        *(["drivers/radar"] if part.name != "pzem" else []),
    ]
    files = sources(modules)
    index, pause = (-1, 5000) if part.name == "pzem" else (0, 0)
    main = MAIN.format(module=part.name, name=name, index=index, pause=pause)
    world = World(street=None, air=None, uarts={1: part})
    board = bench.board(f"{part.name}-{label}", {"/main.py": main.encode(), **files}, world=world)
    board.power_on()
    return Watched(bench, board, part.name)


# part, fault: (its state, shown within s, back within s)
PZEM = {
    "stuck": (STUCK, 181, 6),
    "crc": (STALE, 26, 6),
    "exception": (STALE, 26, 6),
    "silent": (SILENT, 26, 6),
    "half": (SILENT, 26, 6),
    "implausible": (IMPLAUSIBLE, 6, 6),
    "unplugged": (SILENT, 26, 6),
}
RADAR = {
    "crc": (STALE, 16, 10),
    "silent": (SILENT, 16, 10),
    "half": (SILENT, 16, 10),
    "implausible": (IMPLAUSIBLE, 1, 1),
    "unplugged": (SILENT, 16, 10),
}
OPS243 = {**RADAR, "usb": (SILENT, 16, 10), "stuck": (STUCK, 6, 1)}
LD2415H = {**RADAR, "stuck": (STUCK, 46, 1)}


def faulty(watched: Watched, kind: str, state: int, shown_s: float, back_s: float) -> None:
    """Let a healthy part go wrong and come back: nothing wrong is a value, and both in time."""
    assert watched.states[-1][1] == OK
    wrong_ms = watched.now_ms
    watched.fault(kind)
    watched.run(shown_s)
    assert [n for _, n in watched.states][-1:] == [state]
    shown_ms = watched.states[-1][0]
    assert shown_ms <= wrong_ms + 1000 * shown_s
    watched.run(12)
    assert watched.values == []
    assert {n for _, n in watched.states} <= {state, STALE}
    watched.heal()
    if watched.part != "pzem":
        watched.board.world.call(watched.part, "look", Steady([(13.0, 30.0)]))
    watched.run(back_s)
    assert watched.states[-1][1] == OK
    assert watched.values


@pytest.mark.parametrize("kind", PZEM)
def test_pzem(start: Start, kind: str) -> None:
    watched = start(kind, Pzem(Load(power_w=55.0)))
    watched.run(17)  # it needs a second to start: the first request is not answered
    assert [value[2] for _, value in watched.values] == [550] * 3
    faulty(watched, kind, *PZEM[kind])


def test_pzem_browns_out(start: Start) -> None:
    watched = start("brownout", Pzem(Load(power_w=55.0)))
    watched.run(12)
    watched.fault("brownout")
    watched.run(12)
    assert watched.states == []
    assert len(watched.values) == 1


@pytest.mark.parametrize("kind", OPS243)
def test_ops243(start: Start, kind: str) -> None:
    watched = start(kind, Ops243(CAR))
    watched.run(6)
    assert {value[1] for _, value in watched.values} == {433}  # 99 steps of 0.437 km/h
    faulty(watched, kind, *OPS243[kind])


@pytest.mark.parametrize("kind", LD2415H)
def test_ld2415h(start: Start, kind: str) -> None:
    watched = start(kind, Ld2415h(CAR))
    watched.run(6)
    assert {tuple(value[1:]) for _, value in watched.values} == {(432, 0)}
    faulty(watched, kind, *LD2415H[kind])


def test_ops243_forgets_its_settings_and_is_told_again(start: Start) -> None:
    """A brown-out: m/s, plain, 10,000 a second. No speed is ever believed in the wrong unit."""
    watched = start("brownout", Ops243(CAR))
    watched.run(6)
    watched.fault("brownout")
    watched.run(10)
    assert watched.states == []
    assert {value[1] for _, value in watched.values} == {433}
    gap_ms = max(b - a for (a, _), (b, _) in itertools.pairwise(watched.values))
    assert gap_ms < 1500, "a bare number shows it at once"
    watched.board.world.call("ops243", "look", Steady())
    watched.fault("brownout")
    watched.run(12)
    watched.board.world.call("ops243", "look", CAR)
    watched.run(1)
    assert {value[1] for _, value in watched.values} == {433}
    assert watched.values[0][0] < watched.now_ms - 700, "the query had found it before"


def test_ops243_with_settings_of_somebody_else(start: Start) -> None:
    """Saved: another rate, mph, JSON and magnitudes, so that no line looks wrong."""
    part = Ops243(CAR, quoted=True)
    part.feed(b"USOMOJF3O3A!I3AI", 0.0)
    watched = start("saved", part)
    watched.run(6)
    assert watched.values[0][0] < 4000
    assert {value[1] for _, value in watched.values} == {433}
    watched.fault("brownout")
    watched.run(10)
    wrong = [ms for ms, value in watched.values if value[1] != 433]
    assert not wrong or wrong[-1] - wrong[0] < 10_000, "until the next query"
    watched.run(10)
    assert {value[1] for _, value in watched.values} == {433}


def test_ops243_changes_its_rate(start: Start) -> None:
    watched = start("rate", Ops243(CAR))
    watched.run(3)
    for command in (b"I1", b"I4", b"I2"):
        watched.board.world.call("ops243", "feed", command, 0.0)
        watched.run(19)
        assert watched.states == []
        assert watched.values[-1][0] > watched.now_ms - 500


def test_an_idle_street_is_no_fault(start: Start) -> None:
    for part in (Ops243(), Ld2415h()):
        watched = start("idle", part)
        watched.run(600)
        assert watched.states[-1][1] == OK
        assert watched.states[-1][0] < 3000
        assert watched.values == []


def test_no_part_at_all(start: Start) -> None:
    for part in (Ops243(), Ld2415h(), Pzem()):
        watched = start("absent", part)
        watched.board.power_off()
        watched.board.world.unplug(part.name)
        watched.board.power_on()
        watched.run(60)
        assert [n for _, n in watched.states] in ([ABSENT], [WARMING, ABSENT])
        assert watched.states[-1][0] <= 2100
        watched.board.world.plug(part.name)
        watched.run(10)
        assert watched.states[-1][1] == OK


def test_a_part_that_does_not_listen_is_told_twice(start: Start) -> None:
    """Its settings are in its flash: written for ever, they would wear it out."""
    watched = start("stubborn", Stubborn(CAR))
    watched.run(60)
    assert watched.states[-1][1] == STALE
    assert watched.values == []
    assert watched.board.world.call("ld2415h", "told") == 4
