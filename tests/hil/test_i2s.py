"""Two I2S receivers side by side: the microphone (MONO) and a radar's raw signal (STEREO)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from lampione_hil.board import BenchError
from lampione_hil.virtual import Tone, VirtualBench, VirtualBoard, World
from lampione_hil.virtual.microphone import Loop

FRAMES = 5_000
SOUND = Tone(441, 94)

LISTEN = b"""
import asyncio, machine
def line(id, format, rate):
    return machine.I2S(id, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),
        mode=machine.I2S.RX, bits=32, format=format, rate=rate, ibuf=16000)
async def listen(id, format, rate, stop):
    stream = asyncio.StreamReader(line(id, format, rate))
    block = bytearray(1200)
    seen = 0
    with open("/heard%%d" %% id, "wb") as file:
        while seen < stop:
            n = await stream.readinto(block)
            file.write(memoryview(block)[:n])
            seen += n
async def main():
    await asyncio.gather(
        listen(0, machine.I2S.MONO, 48000, 40000 * 4),
        listen(1, machine.I2S.STEREO, %d, 12000 * 8))
    print("all heard")
asyncio.run(main())
"""

LEVELS = b"""
import machine
line = machine.I2S(1, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),
    mode=machine.I2S.RX, bits=32, format=machine.I2S.STEREO, rate=16000, ibuf=8000)
ear = machine.I2S(0, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),
    mode=machine.I2S.RX, bits=32, format=machine.I2S.MONO, rate=48000, ibuf=8000)
block = bytearray(6000)
def kind(line):
    n = line.readinto(block)
    return n, "same" if set(block) == {block[0]} else "alive", block[0]
while True:
    print(kind(line), kind(ear))
"""


@dataclass(frozen=True)
class Ramp:
    """A radar whose first channel counts up and whose second counts down."""

    rate_hz: int = 16_000

    def samples(self, folder: Path) -> Path:
        path = folder / "ramp.s32"
        n = np.arange(1, FRAMES + 1, dtype="<i4")
        path.write_bytes(np.column_stack([n << 8, -n << 8]).astype("<i4").tobytes())
        return path


def check(board: VirtualBoard, folder: Path) -> None:
    """Check that every frame came once and in order."""
    frames = np.frombuffer(board.read_file("/heard1"), "<i4").reshape(-1, 2)
    assert len(frames) >= 12_000
    want = np.arange(len(frames)) % FRAMES + 1 << 8
    assert (frames[:, 0] == want).all()
    assert (frames[:, 1] == -want).all()
    mono = np.frombuffer(board.read_file("/heard0"), "<i4")
    assert (mono == np.resize(np.fromfile(SOUND.samples(folder), "<i4"), len(mono))).all()


def test_two_receivers_with_the_wall_clock(bench: VirtualBench, tmp_path: Path) -> None:
    world = World(street=SOUND, doppler=Ramp())
    one = bench.board("both", {"/main.py": LISTEN % 16_000}, world=world)
    one.power_on()
    one.wait_console("all heard")
    one.power_off()
    check(one, tmp_path)


def test_two_receivers_in_virtual_time(tmp_path: Path) -> None:
    with VirtualBench(clock="virtual") as bench:
        world = World(street=SOUND, doppler=Ramp())
        one = bench.board("both", {"/main.py": LISTEN % 16_000}, world=world)
        one.power_on()
        bench.run_for(0.74)
        assert "all heard" not in one.console()
        bench.run_for(0.12)
        assert "all heard" in one.console()
        one.power_off()
        check(one, tmp_path)


def test_larger_buffers_come_later_and_lose_nothing(tmp_path: Path) -> None:
    with VirtualBench(clock="virtual") as bench:
        world = World(street=SOUND, doppler=Ramp(), i2s_frames=1024)
        one = bench.board("large", {"/main.py": LISTEN % 16_000}, world=world)
        one.power_on()
        bench.run_for(0.9)
        assert "all heard" in one.console()
        one.power_off()
        check(one, tmp_path)


def test_a_radar_at_another_rate_is_refused(bench: VirtualBench) -> None:
    one = bench.board("rate", {"/main.py": LISTEN % 8_000}, world=World(doppler=Ramp()))
    one.power_on()
    one.wait_console("ValueError: the world's radar streams 16000 Hz only")


def test_who_does_not_read_loses_of_the_radar_too(bench: VirtualBench) -> None:
    program = LISTEN.replace(b"    seen = 0\n", b"    seen = 0\n    __import__('time').sleep(1)\n")
    one = bench.board("deaf", {"/main.py": program % 16_000}, world=World(doppler=Ramp()))
    one.power_on()
    one.wait_console("all heard")
    assert one.doppler_dropped > 2_000


def test_plugs_and_faults_of_both_in_virtual_time() -> None:
    with VirtualBench(clock="virtual") as bench:
        world = World(street=SOUND, doppler=Ramp())
        one = bench.board("plugs", {"/main.py": LEVELS}, world=world)
        one.power_on()

        def last() -> str:
            bench.run_for(1)
            return one.console().splitlines()[-1]

        def alive(line: str) -> tuple[bool, bool]:
            return line.count("'alive'") == 2, line.startswith("(6000, 'alive'")

        assert alive(last()) == (True, True)
        one.world.unplug("doppler")
        assert last().startswith("(6000, 'same', 0) (6000, 'alive'")
        one.world.fault("microphone", "stuck")
        assert last() == "(6000, 'same', 0) (6000, 'same', 255)"
        one.world.plug("doppler")
        one.world.fault("doppler", "stuck")
        one.world.fault("microphone", "silent")
        assert last() == "(6000, 'same', 255) (6000, 'same', 0)"
        one.world.fault("doppler", "clipped")
        one.world.fault("microphone", "clipped")
        assert alive(last()) == (True, True)
        one.world.heal("doppler")
        one.world.heal("microphone")
        assert alive(last()) == (True, True)
        with pytest.raises(BenchError, match="no fault 'crc': stuck, silent, clipped"):
            one.world.spoil_crc("microphone")


def test_faults_of_both_with_the_wall_clock(bench: VirtualBench) -> None:
    one = bench.board("held", {"/main.py": LEVELS}, world=World(street=SOUND, doppler=Ramp()))
    one.power_on()
    one.wait_console("alive.*alive")
    one.world.fault("doppler", "stuck")
    one.wait_console("'same', 255.*alive")
    one.world.heal("doppler")
    one.world.unplug("doppler")
    one.wait_console("'same', 0.*alive")
    one.power_off()


@pytest.mark.parametrize("clock", ["wall", "virtual"])
def test_a_world_without_sources_is_quiet(clock: Literal["wall", "virtual"]) -> None:
    with VirtualBench(clock=clock) as bench:
        one = bench.board("quiet", {"/main.py": LEVELS}, world=World(street=None))
        one.power_on()
        if clock == "virtual":
            bench.run_for(1)
        one.wait_console(r"\(6000, 'same', 0\) \(6000, 'same', 0\)")


def test_a_loop_of_two_channels_goes_round(tmp_path: Path) -> None:
    path = Ramp().samples(tmp_path)
    data = np.frombuffer(Loop(path, 2).read(FRAMES - 3, 10), "<i4").reshape(-1, 2)
    assert (data[:, 0] >> 8).tolist() == [FRAMES - 2, FRAMES - 1, FRAMES, 1, 2, 3, 4, 5, 6, 7]
