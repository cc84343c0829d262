"""The microphone's stream under MicroPython's asyncio: short reads, silence, and coming back."""

import json
import re
import types
from pathlib import Path
from typing import Any

import pytest
from lampione_hil import interpreter

FIRMWARE = Path(__file__).parents[2] / "firmware"

STREAM = """
import asyncio, io, json
from lampione_node.drivers import ics43434
class I2S(io.IOBase):
    '''Hands over pieces of a count; a piece of None is silence until woken by a new one.'''
    def __init__(self, pieces):
        self.pieces = pieces
        self.next = 0
        self.asked = []
    def ioctl(self, request, argument):
        if request == 3:
            return argument & 1 if self.pieces else 0
        return -22
    def readinto(self, buf):
        self.asked.append(len(buf))
        size = min(self.pieces.pop(0), len(buf))
        for i in range(size):
            buf[i] = self.next & 255
            self.next += 1
        return size
"""


def run(folder: Path, script: str) -> Any:
    (folder / "main.py").write_text(STREAM + script)
    return json.loads(interpreter.run([str(folder / "main.py")], path=[FIRMWARE]))


def test_short_reads_fill_the_buffer(tmp_path: Path) -> None:
    script = """
async def main():
    i2s = I2S([4, 400, 0, 800, 1200, 796, 2000] + [100] * 100)
    microphone = ics43434.Ics43434(i2s)
    asked = list(i2s.asked)
    buf = bytearray(2400)
    view = memoryview(buf)
    whole = []
    for _ in range(3):
        start = i2s.next
        await microphone.read_into(view)
        whole.append(bytes(buf) == bytes((start + i) & 255 for i in range(2400)))
    print(json.dumps([asked, whole, i2s.next, microphone.timeouts, [n % 4 for n in i2s.asked]]))
asyncio.run(main())
"""
    asked, whole, total, timeouts, parts = run(tmp_path, script)
    assert asked == []  # the constructor reads nothing
    assert whole == [True, True, True]
    assert total == 7200
    assert timeouts == 0
    assert not any(parts)


def test_a_silent_receiver_times_out_and_comes_back(tmp_path: Path) -> None:
    script = """
async def main():
    i2s = I2S([400])
    microphone = ics43434.Ics43434(i2s, timeout_ms=20)
    buf = bytearray(1200)
    out = []
    for _ in range(2):
        try:
            await microphone.read_into(memoryview(buf))
        except OSError as error:
            out.append(error.errno)
    i2s.pieces += [800, 800]
    start = i2s.next
    await microphone.read_into(memoryview(buf))
    out.append(bytes(buf) == bytes((start + i) & 255 for i in range(1200)))
    out.append(microphone.timeouts)
    print(json.dumps(out))
asyncio.run(main())
"""
    assert run(tmp_path, script) == [110, 110, True, 2]


def test_other_errors_of_the_receiver_are_passed_on(tmp_path: Path) -> None:
    script = """
async def main():
    class Broken(I2S):
        def readinto(self, buf):
            raise OSError(5)
    try:
        await ics43434.Ics43434(Broken([1])).read_into(memoryview(bytearray(4)))
    except OSError as error:
        print(error.errno)
asyncio.run(main())
"""
    assert run(tmp_path, script) == 5


def test_receiver_is_opened_as_the_microphone_wants_it() -> None:
    source = (FIRMWARE / "lampione_node" / "drivers" / "ics43434.py").read_text()
    for line in ("from time import", "from micropython import", "from .line import"):
        source = re.sub(f"^{line}.*$", "", source, flags=re.M)
    names: dict[str, Any] = {"const": lambda value: value}
    exec(compile(source, "ics43434", "exec"), names)
    made: list[Any] = []

    class I2S:
        RX, MONO = "rx", "mono"

        def __init__(self, number: int, **how: Any) -> None:
            made.append((number, how))

    machine = types.SimpleNamespace(I2S=I2S, Pin=lambda number: ("pin", number))
    names["open_i2s"](machine, {"i2s": 0, "sck": 14, "ws": 15, "sd": 32})
    [(number, how)] = made
    assert number == 0
    assert (how["sck"], how["ws"], how["sd"]) == (("pin", 14), ("pin", 15), ("pin", 32))
    assert (how["mode"], how["bits"], how["format"], how["rate"]) == ("rx", 32, "mono", 48_000)
    # the DMA's frames are 8 bytes whatever is asked for: it bridges the erase of a flash sector
    assert how["ibuf"] / 8 / 48_000 == pytest.approx(0.053, abs=0.001)
    assert how["ibuf"] % (256 * 8) == 0
    assert names["BUFFER_BYTES"] % 1200 == 0
