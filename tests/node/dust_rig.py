"""A board that does nothing but ask one particle sensor, on the virtual clock."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from lampione_hil.virtual import VirtualBench
from lampione_hil.virtual.devices import I2CDevice, UartDevice
from lampione_hil.virtual.world import World

FIRMWARE = Path(__file__).parents[2] / "firmware" / "lampione_node"

OK, WARMING, STALE, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)

_MAIN = """
import asyncio, json, machine
from time import ticks_ms, ticks_diff
from lampione_node.drivers.{module} import {driver}
bus = {bus}
sensor = {driver}(bus)
async def main():
    while True:
        began = ticks_ms()
        found = await sensor.measure()
        print(json.dumps([began, sensor.watch.state(), found]))
        await asyncio.sleep_ms(max(0, 3000 - ticks_diff(ticks_ms(), began)))
asyncio.run(main())
"""
_I2C = "machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=100000)"
_UART = "machine.UART(1, baudrate=9600, tx=machine.Pin(17), rx=machine.Pin(18), rxbuf=256)"


class Reading(NamedTuple):
    """What one measure() said."""

    ms: int
    state: int
    found: list[int | None] | None


def sources(*folders: str) -> dict[str, bytes]:
    """Return the files of folders of the node's software, for a board."""
    files = {}
    for folder in folders:
        for file in (FIRMWARE / folder).glob("*.py"):
            files[f"/{file.relative_to(FIRMWARE.parent)}"] = file.read_bytes()
    return files


class DustRig:
    """A board with one sensor, which its driver asks every 3 s."""

    def __init__(
        self, bench: VirtualBench, device: I2CDevice | UartDevice, driver: str, main: str = _MAIN
    ) -> None:
        world = World(street=None, air=None)
        if isinstance(device, I2CDevice):
            world.i2c, bus = (device,), _I2C
        else:
            world.uarts, bus = {1: device}, _UART
        script = main.format(module=driver.lower(), driver=driver, bus=bus)
        self.part = device.name
        self._bench = bench
        self.board = bench.board(
            f"{device.name}-{len(bench.boards)}",
            {"/main.py": script.encode(), **sources("", "drivers", "sensing", "parts")},
            world=world,
        )
        self._read = 0
        self.board.power_on()

    def run(self, seconds: float) -> list[Reading]:
        """Let time pass; return what the driver said in it."""
        self._bench.run_for(seconds)
        text = self.board.console()
        assert len(text) < 65536  # all of it
        lines = [line for line in text.splitlines() if line.startswith("[")]
        new = [Reading(*json.loads(line)) for line in lines[self._read :]]
        self._read = len(lines)
        assert new or seconds < 3, self.board.console()
        return new

    def call(self, method: str, *values: object) -> Any:
        """Call a method of the sensor's model."""
        return self.board.world.call(self.part, method, *values)
