"""The ADC of a Doppler module: its stream, and what the signal tells of it."""

import types
from pathlib import Path
from typing import Any

from lampione_hil.firmware import ESP32, compile_module

from tests.node import micro

DRIVER = Path(__file__).parents[2] / "firmware/lampione_node/drivers/if_adc.py"

# A receiver that hands over buffers of one kind after the other; "" is silence for 1 s.
NODE = """
import asyncio, io, json, random, sys, time
from array import array
now = 0
from lampione_node.drivers import if_adc, watch
watch.ticks_ms = lambda: now
random.seed(4)
def frames(kind):
    words = array("i", [0] * 1024)
    for i in range(0, 1024, 2):
        if kind == "noise":
            words[i] = random.getrandbits(12) - 2048 << 8
        elif kind == "clipped":
            words[i] = 0x7FFFFF00 if i & 64 else -0x80000000
        elif kind == "hiss":
            words[i] = random.getrandbits(5) << 8
        elif kind == "high":
            words[i] = -1
    return bytes(words)
class I2S(io.IOBase):
    def ioctl(self, request, argument):
        return argument & 1 if request == 3 and self.data else 0
    def readinto(self, buf):
        n = min(len(buf), 1024, len(self.data))
        buf[:n] = self.data[:n]
        self.data = self.data[n:]
        return n
async def main():
    global now
    i2s = I2S()
    adc = if_adc.IfAdc(i2s)
    adc._stream._timeout_ms = 250  # of real time: a busy machine may stop us for some
    view = memoryview(bytearray(if_adc.BUFFER_BYTES))
    for kind, count in json.loads(sys.stdin.readline()):
        states = []
        for _ in range(count):
            i2s.data = frames(kind) if kind else b""
            usable = await adc.measure(view)
            now += 21 if kind else 1000
            states.append([usable, adc.watch.state()])
        print(json.dumps(states))
asyncio.run(main())
"""
OK, WARMING, _, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)


def test_each_fault_shows_within_its_time_and_goes_by_itself() -> None:
    kinds = [
        ("", 3), ("noise", 3), ("hiss", 60), ("noise", 2), ("high", 60), ("noise", 2),
        ("clipped", 60), ("noise", 2), ("", 4), ("noise", 2),
    ]  # fmt: skip
    absent, first, hiss, _, high, _, clipped, after, silent, last = micro.run(NODE, kinds)
    assert absent == [[False, ABSENT]] * 3
    assert first == [[True, OK]] * 3
    for flat in (hiss, high):
        assert flat[45] == [True, OK]
        assert flat[46:] == [[None, STUCK]] * 14
    assert clipped[45] == [True, OK]
    assert clipped[46:] == [[None, IMPLAUSIBLE]] * 14
    assert after == [[True, OK]] * 2
    assert silent[-1] == [False, SILENT]
    assert last == [[True, OK]] * 2


def test_the_receiver_is_opened_as_the_adc_wants_it() -> None:
    source = DRIVER.read_text()
    start, end = source.index("_RATE_HZ"), source.index("@micropython.viper")
    names: dict[str, Any] = {"const": lambda value: value}
    exec(source[start:end], names)
    made: list[Any] = []

    class I2S:
        RX, STEREO = "rx", "stereo"

        def __init__(self, number: int, **how: Any) -> None:
            made.append((number, how))

    machine = types.SimpleNamespace(I2S=I2S, Pin=lambda number: ("pin", number))
    names["open_i2s"](machine, {"i2s": 1, "sck": 4, "ws": 5, "sd": 6})
    [(number, how)] = made
    assert number == 1
    assert (how["sck"], how["ws"], how["sd"]) == (("pin", 4), ("pin", 5), ("pin", 6))
    assert (how["mode"], how["bits"], how["format"]) == ("rx", 32, "stereo")
    assert how["rate"] == 24_000
    assert how["ibuf"] % (256 * 8) == 0
    assert how["ibuf"] / 8 / 24_000 > 0.08


def test_it_is_small() -> None:
    code = compile_module(DRIVER.read_text(), "lampione_node/drivers/if_adc.py", ESP32)
    assert len(code) < 1000
