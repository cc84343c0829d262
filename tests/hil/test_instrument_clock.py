"""The instrument and a node on the virtual clock: what takes its time on a real one."""

import os
from collections.abc import Iterator

import pytest
from lampione_hil.instrument import Instrument
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World
from lampione_protocol import names, schema

from tests.hil import instrument_rig as rig
from tests.hil.test_instrument_node import dry, pzem, sds011
from tests.hil.test_instrument_node import modbus as framed
from tests.node.controller import VirtualController, node_files

LAMP, ENERGY, DUST = 5, 0, 1
HUMIDITY = 10.0
PM2_5, PM10 = 12.0, 21.0
Rig = tuple[VirtualController, VirtualBoard, Instrument]


def pms5003(pm1: int, pm2_5: int, pm10: int) -> bytes:
    """Return a frame of a PMS5003 (maker's manual): CF=1, then atmospheric, then counts."""
    words = [28, pm1, pm2_5, pm10, pm1, pm2_5, pm10, *[100] * 6, 0]
    data = b"BM" + b"".join(word.to_bytes(2, "big") for word in words)
    return data + (sum(data) & 0xFFFF).to_bytes(2, "big")


@pytest.fixture(params=["sds011", "pms5003"])
def wired(request: pytest.FixtureRequest) -> Iterator[tuple[str, Rig]]:
    kind: str = request.param
    parts = {
        "lamp": {"pin": LAMP},
        "climate": {"i2c": 0, "scl": 22, "sda": 21},
        "energy": {"uart": ENERGY, "tx": 1, "rx": 2},
        "particulates": {"kind": kind, "uart": DUST, "tx": 17, "rx": 18},
    }
    try:
        with VirtualBench(clock="virtual") as bench:
            desk = VirtualController(bench)
            key = desk.keys[kind] = os.urandom(32)
            files = node_files(kind, key, 1883, parts=parts, report_interval_s=5)
            world = World(street=None, air=SteadyAir(20.0, HUMIDITY))
            node = bench.board(kind, files, world=world)
            board = rig.board(bench, "instrument", {**rig.SETTINGS, "i2c": None, "tone": None})
            bench.wire(node, LAMP, board, rig.PWM_IN)
            bench.wire(node, LAMP, board, rig.VOLTAGE, "volts", full_uv=2_500_000)
            bench.wire(board, rig.RESET, node, -1, "reset")
            for number in (ENERGY, DUST):
                bench.wire(board, number, node, number, "uart")
            board.power_on()
            with Instrument(board.port, turn=lambda: desk.run_for(0.25)) as held:
                yield kind, (desk, node, held)
    except NoInterpreterError as error:
        pytest.skip(str(error))


def test_sensors_that_it_plays_are_reported(wired: tuple[str, Rig]) -> None:
    kind, (desk, node, instrument) = wired
    frame = sds011(PM2_5, PM10) if kind == "sds011" else pms5003(8, int(PM2_5), int(PM10))
    instrument.play_uart(DUST, frame, baud=9600, every_s=1.0, times=None)
    asked = framed(b"\x01\x04\x00\x00\x00\x0a")
    instrument.answer_uart(ENERGY, asked, pzem(230.0, 0.2, 44.0), baud=9600)
    node.power_on()
    desk.wait_for("a report", lambda: desk.of(kind, schema.REPORT))

    def said(field: str) -> list[int]:
        values = [report[field] for report in desk.of(kind, schema.REPORT)]
        return [value for value in values if value is not None]

    desk.wait_for("dust", lambda: said("pm2_5"), 60)
    assert said("pm2_5")[0] == pytest.approx(dry(PM2_5, HUMIDITY), abs=1)
    assert said("pm10")[0] == pytest.approx(dry(PM10, HUMIDITY), abs=1)
    assert 88 in said("lamp_power")
    assert instrument.measure_pwm().duty_percent == 100
    instrument.uart(DUST, 0)
    desk.wait_for("its silence", lambda: "silent" in states(desk, kind), 60)
    instrument.press_reset(0.1)
    hellos = len(desk.hellos[kind])
    desk.wait_for("its hello", lambda: len(desk.hellos[kind]) > hellos)
    assert node.boots == 2


def states(desk: VirtualController, node: str) -> set[str]:
    """Return the states of its dust sensor that the node has told of."""
    code = names.EVENTS.index("sensor state")
    dust = names.SENSORS.index("particulates")
    told = [e["argument"] for e in desk.events(node, code)]
    return {names.SENSOR_STATES[n & 15] for n in told if n >> 4 == dust}
