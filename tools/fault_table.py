"""Every part × every fault × what the node said: `python -m tools.fault_table [--write]`.

A whole lamppost runs on the virtual clock, its report every 5 s; one fault after the other is put
into one part, held, and taken away. The table says from the reports alone when the part's value
turned invalid, as what, when it came back by itself, and whether any other sensor lost a value
meanwhile. --write puts the table into docs/faults.md.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lampione_hil import firmware, outbox
from lampione_hil.board import BenchError
from lampione_hil.testing.parts import CALLED
from lampione_hil.virtual import SteadyAir, Tone, VirtualBench, VirtualBoard
from lampione_hil.virtual.devices.bme280 import Bme280
from lampione_hil.virtual.devices.ld2415h import Ld2415h
from lampione_hil.virtual.devices.lis3dh import Lis3dh
from lampione_hil.virtual.devices.pms5003 import Pms5003
from lampione_hil.virtual.devices.sds011 import Sds011
from lampione_hil.virtual.devices.veml7700 import Light, Veml7700
from lampione_hil.virtual.doppler import DopplerLoop, DopplerSignal
from lampione_hil.virtual.lamppost import ENERGY_UART, RADAR_UART, lamppost
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_hil.virtual.world import World
from lampione_protocol import names, schema

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
KEY = bytes(range(32))
INTERVAL_S = 5
SETTLE_S = 180  # every part has warmed up
BACK_S = 90  # a part that was without power has warmed up again
I2C = {"i2c": 0, "scl": 9, "sda": 8}
KINDS = (
    "unplugged",
    "silent",
    "half",
    "crc",
    "exception",
    "usb",
    "implausible",
    "stuck",
    "fan",
    "laser",
    "speed",
    "clipped",
    "brownout",
)
BUS = "bus held low"  # SDA stuck at 0: one fault of all parts on I2C
STREAMS = ("microphone", "doppler")  # a line that is held, or without a driver, is flat


@dataclass(frozen=True)
class Part:
    """A part under test.

    Args:
        name: its model's.
        sensors: the sensors that depend on it.
        limit_s: how long a fault may stay unseen, as the driver's file says, and the report's
            interval.
        stuck_s: the same of "stuck"; 0: nobody can tell.
        i2c: whether it is on the bus.
    """

    name: str
    sensors: tuple[str, ...]
    limit_s: int
    stuck_s: int
    i2c: bool = False


@dataclass(frozen=True)
class Row:
    """What happened. Times in s after the fault began and ended; None: it did not happen."""

    part: str
    fault: str
    state: str
    seen_s: int | None
    limit_s: int
    back_s: int | None
    others: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether that is what should happen."""
        if self.others or self.back_s is None:
            return False
        flat = self.part in STREAMS and self.fault != "clipped"
        expected = {"stuck"} if flat else CALLED["held" if self.fault == BUS else self.fault]
        if not expected & set(self.state.split(" → ")):
            return False
        return self.fault == "brownout" or (self.seen_s is not None and self.seen_s <= self.limit_s)


@dataclass(frozen=True)
class Lamppost:
    """A node with its parts' settings, its world, and the parts to break."""

    name: str
    settings: Mapping[str, Mapping[str, int | str]]
    world: Callable[[], World]
    parts: Sequence[Part]


def _busy() -> TrafficStreet:
    return TrafficStreet(seed=7, per_hour=1200)


def _usual() -> World:
    world = lamppost(1, Tone(1000, 70), traffic=_busy())
    # By day: in the dark a light sensor that is stuck is none.
    i2c = [Veml7700(Light(3000)) if part.name == "veml7700" else part for part in world.i2c]
    return dataclasses.replace(world, i2c=i2c, i2s_frames=1024)


def _alternates() -> World:
    return World(
        street=None,
        air=None,
        i2c=[Bme280(SteadyAir(18.0, 55.0)), Veml7700(Light(3000)), Lis3dh()],
        uarts={ENERGY_UART: Pms5003(), RADAR_UART: Ld2415h(_busy())},
    )


def _second() -> World:
    return World(street=None, uarts={ENERGY_UART: Sds011()})


SERIAL = {"uart": 0, "tx": 17, "rx": 18}
RADAR = {"uart": 1, "tx": 15, "rx": 16}
SOUND = {"i2s": 0, "sck": 5, "ws": 6, "sd": 7}
LAMPPOSTS = (
    Lamppost(
        "usual",
        {
            "climate": I2C,
            "particulates": I2C,
            "gases": {**I2C, "warm_min": 1},
            "light": I2C,
            "tilt": I2C,
            "energy": SERIAL,
            "radar": RADAR,
            "lamp": {"pin": 10},
            "sound": SOUND,
        },
        _usual,
        (
            Part("sht45", ("climate",), 50, 620, i2c=True),
            Part("sps30", ("particulates",), 45, 190, i2c=True),
            Part("ads1115", ("no2", "o3"), 35, 75, i2c=True),
            Part("veml7700", ("light",), 50, 620, i2c=True),
            Part("lis3dh", ("tilt",), 10, 75, i2c=True),
            Part("pzem", ("energy",), 35, 195),
            Part("ops243", ("radar",), 25, 30),
            Part("microphone", ("sound",), 15, 15),
        ),
    ),
    Lamppost(
        "alternates",
        {
            "climate": {**I2C, "kind": "bme280"},
            "particulates": {**SERIAL, "kind": "pms5003"},
            "light": I2C,
            "tilt": I2C,
            "radar": {**RADAR, "kind": "ld2415h"},
        },
        _alternates,
        (
            Part("bme280", ("climate",), 50, 620, i2c=True),
            Part("pms5003", ("particulates",), 20, 135),
            Part("ld2415h", ("radar",), 25, 120),
        ),
    ),
    Lamppost(
        "second alternate",
        {"climate": I2C, "particulates": {**SERIAL, "kind": "sds011"}},
        _second,
        (Part("sds011", ("particulates",), 20, 315),),
    ),
    Lamppost(
        "bare radar",
        {"climate": I2C, "radar": {"kind": "doppler", "i2s": 1, "sck": 11, "ws": 12, "sd": 13}},
        lambda: World(street=None, doppler=DopplerLoop(DopplerSignal(_busy()), 0, 20)),
        (Part("doppler", ("radar",), 15, 15),),
    ),
)


@dataclass(frozen=True)
class _Span:
    part: Part
    sensors: tuple[str, ...]  # that the fault may cost
    fault: str
    limit_s: int
    begin_s: int
    end_s: int
    over_s: int


def _plan(post: Lamppost, faults: Sequence[str]) -> Iterator[tuple[str, str, list[Part]]]:
    """Yield (what to break, how, the parts that feel it)."""
    for part in post.parts:
        for fault in faults:
            if fault != BUS and (part.stuck_s or fault != "stuck"):
                yield part.name, fault, [part]
    on_bus = [part for part in post.parts if part.i2c]
    if BUS in faults and on_bus:
        yield "i2c", BUS, on_bus


def _on_bus(post: Lamppost) -> tuple[str, ...]:
    parts = [name for name, pins in post.settings.items() if "i2c" in pins]
    return tuple(s for name in parts for s in (("no2", "o3") if name == "gases" else (name,)))


def _break(board: VirtualBoard, name: str, fault: str) -> None:
    if fault == "unplugged":
        board.world.unplug(name)
    else:
        board.world.fault(name, "held" if fault == BUS else fault)


def _mend(board: VirtualBoard, name: str, fault: str) -> None:
    if fault == "unplugged":
        board.world.plug(name)
    else:
        board.world.heal(name)


def run(post: Lamppost, faults: Sequence[str] = (*KINDS, BUS)) -> Iterator[Row]:
    """Break each part of one lamppost in each way that its model can; yield what happened."""
    text = {
        "node": "faults",
        "shard": "bench",
        "report_interval_s": INTERVAL_S,
        "health_interval_s": 3600,
        "outbox_bytes": 1 << 20,
        "parts": post.settings,
    }
    flash = {
        **firmware.compile_tree(),
        "/settings.json": json.dumps(text).encode(),
        "/node.key": KEY,
    }
    spans = []
    with VirtualBench(clock="virtual") as bench:
        board = bench.board("faults", flash, world=post.world())
        board.power_on()
        now_s = SETTLE_S
        bench.run_for(SETTLE_S)
        for name, fault, broken in _plan(post, faults):
            hold_s = max(p.stuck_s if fault == "stuck" else p.limit_s for p in broken)
            try:
                _break(board, name, fault)
            except BenchError:
                continue  # its model has no such fault
            bench.run_for(hold_s)
            _mend(board, name, fault)
            bench.run_for(BACK_S)
            end_s = now_s + hold_s
            sensors = _on_bus(post) if fault == BUS else broken[0].sensors
            for part in broken:
                limit_s = part.stuck_s if fault == "stuck" else part.limit_s
                spans.append(_Span(part, sensors, fault, limit_s, now_s, end_s, end_s + BACK_S))
            now_s = end_s + BACK_S
        board.power_off()
        found = outbox.messages(board, KEY)
    reports = [values for kind, values in found if kind == schema.REPORT]
    states = [
        (values["time"], names.SENSORS[values["argument"] >> 4], values["argument"] & 15)
        for kind, values in found
        if kind == schema.EVENT and names.EVENTS[values["code"]] == "sensor state"
    ]
    for span in spans:
        yield _row(span, reports, states)


def _row(
    span: _Span, reports: Sequence[Mapping[str, Any]], states: Sequence[tuple[int, str, int]]
) -> Row:
    mine, excused = (
        sum(1 << names.SENSORS.index(sensor) for sensor in sensors)
        for sensors in (span.part.sensors, span.sensors)
    )
    seen_s = back_s = None
    lost = 0
    before = None
    for report in reports:
        end_s = report["start"] + report["duration_s"]
        if end_s <= span.begin_s:
            before = report["valid"]
        elif end_s <= span.over_s and before is not None:
            valid = report["valid"]
            lost |= before & ~valid & ~excused
            if seen_s is None and valid & mine != mine:
                seen_s = end_s - span.begin_s
            if valid & mine != mine:
                back_s = None
            elif back_s is None and end_s > span.end_s:
                back_s = end_s - span.end_s
    said = [
        names.SENSOR_STATES[state]
        for time_s, sensor, state in states
        if sensor == span.part.sensors[0] and span.begin_s < time_s <= span.end_s + 5 and state
    ]
    return Row(
        part=span.part.name,
        fault=span.fault,
        state=" → ".join(said) if said else "ok",
        seen_s=seen_s,
        limit_s=span.limit_s,
        back_s=back_s,
        others=tuple(s for i, s in enumerate(names.SENSORS) if lost >> i & 1),
    )


def lines(rows: Sequence[Row]) -> list[str]:
    """Return a table in Markdown."""
    made = [
        "| part | fault | the node says | invalid after | at most | good again after | others |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    for row in rows:
        seen = "no value lost" if row.seen_s is None else f"{row.seen_s} s"
        back = "never" if row.back_s is None else f"{row.back_s} s"
        others = "lost: " + ", ".join(row.others) if row.others else "go on"
        cells = (row.part, row.fault, row.state, seen, f"{row.limit_s} s", back, others)
        made.append(f"| {' | '.join(cells)} |")
    return made


HEAD = """\
# What each fault of a part does

Made by `make faults`: a lamppost with the shipping firmware on the virtual clock, a report every
5 s, one fault at a time. "Invalid after" is counted from the fault to the end of the first report
that says so; "at most" is what the driver's file promises, with the report's 5 s; "good again"
counts from the fault's end, a warm-up included (SPS30, PMS5003, SDS011 30 s, and the SPS30 cleans
its fan first; the gas cells 1 min here, 2 h in the street). A brown-out may cost no value: the
part is set up again in time. "Others" are all sensors of the same node that do without the part,
sound and traffic among them; a bus held low (SDA at 0, each transfer ends after 50 ms) is one
fault of all parts on it, and theirs alone.
"""


def main() -> int:
    """Print or write the table; 1 when a row is not as it should be."""
    parser = argparse.ArgumentParser(description="Break every part in every way.")
    parser.add_argument("--write", action="store_true", help="into docs/faults.md")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for post in LAMPPOSTS:
        print(f"{post.name} ...", file=sys.stderr, flush=True)
        rows += run(post)
    text = lines(rows)
    if arguments.write:
        PAGE.write_text(HEAD + "\n" + "\n".join(text) + "\n", encoding="utf-8")
    else:
        print("\n".join(text))
    wrong = [row for row in rows if not row.good]
    for row in wrong:
        print(f"not as it should be: {row}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
