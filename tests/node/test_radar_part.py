"""The radar's part on a virtual board: an OPS243-A before a street, its reports, its faults."""

import json
import re
from typing import Any

import pytest
from lampione_hil.virtual import VirtualBench, World
from lampione_hil.virtual.boards import VirtualBoard
from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.devices.ld2415h import Ld2415h
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.traffic import TrafficStreet

from benchmarks.traffic import angle_deg
from tests import virtual_bench
from tests.node.micro import sources

MAIN = """
import asyncio, json, machine
from array import array
from lampione_node.parts.radar import Radar
class Hour: pass
part = Radar(machine, {settings}, None, None)
async def tell():
    while True:
        await asyncio.sleep(60)
        values = [None] * 28
        part.fill(values, 60000)
        hour = Hour()
        hour.speeds = array("H", [0] * 24)
        hour.toward = hour.away = 0
        part.fill_hour(hour)
        print("told", json.dumps([values[17:22], part.states, hour.toward, hour.away,
                                  sum(hour.speeds), hour.v85, hour.v85_too_few, hour.occupancy]))
async def main():
    asyncio.create_task(tell())
    await part.run(lambda: None)
asyncio.run(main())
"""
SOURCES = (
    *("__init__", "buses", "drivers/__init__", "drivers/health", "drivers/watch", "drivers/line"),
    *("drivers/lines", "drivers/radar", "drivers/ops243", "drivers/ld2415h"),
    *("sensing/__init__", "sensing/traffic", "parts/__init__", "parts/radar"),
)
OK, SILENT = 0, 5
PLACE = TrafficStreet(9200)
bench = virtual_bench.fixture("virtual", "module")


def connect(bench: VirtualBench, part: UartDevice) -> VirtualBoard:
    height_m = PLACE.view.height_m
    settings = {
        "kind": part.name,
        "uart": 1,
        "tx": 17,
        "rx": 18,
        "angle_deg": angle_deg(PLACE.near_m, height_m),
        "away_deg": angle_deg(PLACE.far_m, height_m),
    }
    files = sources(SOURCES)
    files["/main.py"] = MAIN.format(settings=settings).encode()
    world = World(street=None, air=None, uarts={1: part})
    return bench.board(f"traffic-{part.name}", files, world=world)


def told(board: VirtualBoard) -> list[list[Any]]:
    console = board.console()
    assert "Traceback" not in console, console[-2000:]
    return [json.loads(line) for line in re.findall(r"told (.*)\r", console)]


@pytest.mark.parametrize("part", [Ops243(PLACE), Ld2415h(PLACE)], ids=lambda part: part.name)
def test_a_street_is_reported_and_a_silent_radar_is_not_an_empty_one(
    bench: VirtualBench, part: UartDevice
) -> None:
    board = connect(bench, part)
    board.power_on()
    bench.run_for(305)
    minutes = told(board)
    assert len(minutes) == 5
    drove = PLACE.vehicles(5, 300)
    counted = sum(m[0][0] + m[0][1] for m in minutes)
    assert len(drove) - 10 <= counted <= len(drove) + 2
    for values, states, toward, away, binned, v85, too_few, occupancy in minutes:
        assert states == [OK]
        assert (toward, away) == (values[0], values[1])
        assert binned == toward + away > 2
        assert 25 < values[2] < values[3] < 90
        assert 25 < v85 <= values[3] + 5
        assert too_few == 1
        assert 10 < occupancy < 80
        assert 0 <= values[4] <= 25

    board.world.fault(part.name, "silent")
    bench.run_for(120)
    values, states, *_, v85, _, occupancy = told(board)[-1]
    assert values == [None] * 5
    assert (states, v85, occupancy) == ([SILENT], None, None)

    board.world.heal(part.name)
    bench.run_for(120)
    values, states, *_ = told(board)[-1]
    assert states == [OK]
    assert None not in values
    board.power_off()
