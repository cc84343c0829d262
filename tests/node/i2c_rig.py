"""A board that serves the small I2C parts and says every minute what it found."""

import json
from collections.abc import Mapping
from typing import Any

from lampione_hil.virtual import VirtualBench, VirtualBoard, World

from tests.node.micro import ROOT

BUS = {"i2c": 0, "scl": 9, "sda": 8}
CLASSES = {"gases": "Gases", "ambient": "Ambient", "tilt": "Tilt"}
OK, WARMING, STALE, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)

MAIN = """
import asyncio, json, machine
from lampione_node.drivers.sht45 import Sht45
from lampione_node.sensing.air import Air
from lampione_node.buses import i2c
given = json.loads(%(given)r)
air = Air()
class Post:
    def event(self, code, severity, argument=0):
        print(json.dumps({"event": [code, severity, argument]}))
        return 1
parts = {}
%(imports)s
if "bme280" in given:
    from lampione_node.drivers.bme280 import Bme280
    bme280 = Bme280(i2c(machine, given["bme280"]))
async def climate():
    sensor = Sht45(i2c(machine, %(bus)r))
    while True:
        found = await sensor.measure()
        if found:
            air.put(*found)
        await asyncio.sleep(10)
async def other():
    global found
    while True:
        found = await bme280.measure()
        await asyncio.sleep(10)
found = None
async def main():
    asyncio.create_task(climate())
    if "bme280" in given:
        asyncio.create_task(other())
    for part in parts.values():
        asyncio.create_task(part.run(lambda: None))
    minute = 0
    while True:
        await asyncio.sleep(60)
        minute += 1
        said = {"minute": minute}
        for name, part in parts.items():
            values = [None] * 28
            part.fill(values, 60000)
            said[name] = [part.states, {i: v for i, v in enumerate(values) if v is not None}]
            if name == "tilt":
                part.fill_health(values)
                said["lean"] = values[8]
            if name == "gases" and minute %% 60 == 0:
                part.fill_raw(values)
                said["raw"] = values[6:10]
        if "bme280" in given:
            said["bme280"] = [[bme280.watch.state()], found]
        print(json.dumps(said))
asyncio.run(main())
"""


def files(parts: Mapping[str, Mapping[str, int]]) -> dict[str, bytes]:
    """Return a board's files that serve `parts`: {name: settings without the bus}."""
    imports = ""
    for name in parts:
        if name in CLASSES:
            imports += f"from lampione_node.parts.{name} import {CLASSES[name]}\n"
            imports += f"parts[{name!r}] = {CLASSES[name]}(machine, given[{name!r}], Post(), air)\n"
    given = json.dumps({name: {**BUS, **settings} for name, settings in parts.items()})
    main = MAIN % {"given": given, "imports": imports, "bus": BUS}
    found = {"/main.py": main.encode()}
    node, protocol = ROOT / "firmware" / "lampione_node", ROOT / "protocol" / "lampione_protocol"
    for path in (node / "__init__.py", node / "buses.py", node / "post.py", node / "outbox.py"):
        found[f"/lib/lampione_node/{path.name}"] = path.read_bytes()
    for folder in ("drivers", "parts", "sensing"):
        for path in (node / folder).glob("*.py"):
            found[f"/lib/lampione_node/{folder}/{path.name}"] = path.read_bytes()
    for path in protocol.glob("*.py"):
        found[f"/lib/lampione_protocol/{path.name}"] = path.read_bytes()
    return found


def board(
    bench: VirtualBench, world: World, name: str = "one", **parts: Mapping[str, int]
) -> VirtualBoard:
    """Start a board with these parts and their settings."""
    made = bench.board(name, files(parts), world=world, heap_bytes=4 << 20)
    made.power_on()
    return made


def said(made: VirtualBoard) -> list[dict[str, Any]]:
    """Return the minutes and events that a board has printed."""
    lines = made.console().splitlines()
    assert not [line for line in lines if "Error" in line], "\n".join(lines[-20:])
    return [json.loads(line) for line in lines if line.startswith("{")]


def minutes(made: VirtualBoard) -> list[dict[str, Any]]:
    """Return its minutes."""
    return [one for one in said(made) if "minute" in one]


def events(made: VirtualBoard) -> list[list[int]]:
    """Return its events: code, severity, argument."""
    return [one["event"] for one in said(made) if "event" in one]
