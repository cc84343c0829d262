"""How often each part is asked: no faster than it needs, and never left out."""

import json

import pytest
from lampione_hil import firmware
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import PlausibleDay, VirtualBench, World
from lampione_hil.virtual.devices import Sht45
from lampione_hil.virtual.devices.base import I2CDevice
from lampione_hil.virtual.devices.pzem import Pzem
from lampione_hil.virtual.lamppost import ENERGY_UART, lamppost

from tests.node.days import PARTS

MINUTES = 5
# Transactions a minute that hold a write, and how they come about.
ASKED = {
    "sht45": 6,  # every 10 s
    "sps30": 60,  # every 3 s: ready, status, values
    "ads1115": 204,  # every 5 s: who it is, and of four inputs begin, ready, the result twice
    "veml7700": 18,  # every 10 s: settings, the result twice
    "lis3dh": 522,  # every 230 ms: level of the FIFO, samples; it is full after 320 ms
    "pzem": 12,  # every 5 s
}


class Counted(I2CDevice):
    """A part that counts the writes to it."""

    def __init__(self, part: I2CDevice) -> None:
        self.part = part
        self.name = part.name
        self.address = part.address
        self.writes = 0

    def count(self) -> int:
        return self.writes

    def power_up(self, now_s: float) -> None:
        self.part.power_up(now_s)

    def write(self, data: bytes, now_s: float) -> bool:
        self.writes += 1
        return self.part.write(data, now_s)

    def read(self, length: int, now_s: float) -> bytes | None:
        return self.part.read(length, now_s)


class CountedPzem(Pzem):
    """A meter that counts what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def count(self) -> int:
        return self.writes

    def feed(self, data: bytes, now_s: float) -> bytes:
        self.writes += 1
        return super().feed(data, now_s)


def world() -> World:
    usual = lamppost(1)
    assert usual.air is not None
    return World(
        street=None,
        air=None,
        i2c=[Counted(part) for part in [*usual.i2c, Sht45(PlausibleDay(1))]],
        uarts={ENERGY_UART: CountedPzem()},
    )


def test_nothing_is_asked_more_often_than_it_needs() -> None:
    settings = {
        "node": "often",
        "shard": "bench",
        "report_interval_s": 60,
        "parts": {name: pins for name, pins in PARTS.items() if name != "radar"},
    }
    files = {**firmware.compile_tree(), "/settings.json": json.dumps(settings).encode()}
    try:
        with VirtualBench(clock="virtual") as bench:
            board = bench.board("often", {**files, "/node.key": bytes(32)}, world=world())
            board.power_on()
            bench.run_for(120)  # all are set up
            before = {name: board.world.call(name, "count") for name in ASKED}
            bench.run_for(60 * MINUTES)
            asked = {name: board.world.call(name, "count") - before[name] for name in ASKED}
    except NoInterpreterError as error:
        pytest.skip(str(error))
    print({name: count / MINUTES for name, count in asked.items()})
    for name, count in asked.items():
        assert 0.85 * ASKED[name] * MINUTES <= count <= ASKED[name] * MINUTES + 3, name
