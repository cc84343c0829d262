"""What a board senses: SHT45, UART parts, faults; the oracle is the data sheet."""

import math
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.board import BenchError
from lampione_hil.virtual import PlausibleDay, SteadyAir, VirtualBench, World
from lampione_hil.virtual.devices import Sht45
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.devices.sht45 import crc8
from lampione_hil.virtual.lamppost import lamppost
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_hil.virtual.world import start

from tests.hil.parts import Doubler


def long_division(word: bytes) -> int:
    """CRC-8 the school way: the remainder of a division by x^8 + x^5 + x^4 + 1."""
    value = (int.from_bytes(word, "big") ^ 0xFF << 8 * (len(word) - 1)) << 8
    for bit in range(value.bit_length(), 8, -1):
        if value >> (bit - 1) & 1:
            value ^= 0x131 << (bit - 9)
    return value


def test_the_makers_checksum() -> None:
    assert crc8(bytes.fromhex("beef")) == 0x92
    assert long_division(bytes.fromhex("beef")) == 0x92


@given(st.binary(min_size=2, max_size=2))
def test_checksum_is_a_division(word: bytes) -> None:
    assert crc8(word) == long_division(word)


@pytest.mark.parametrize(
    ("air", "words"),
    [
        # t = (T + 45) / 175 * 65535, h = (RH + 6) / 125 * 65535, by hand
        (SteadyAir(-45, -6), "00000000"),
        (SteadyAir(130, 119), "ffffffff"),
        (SteadyAir(20, 50), "5f1672b0"),
        (SteadyAir(-10, 100), "3333d916"),
        (SteadyAir(200, 200), "ffffffff"),
    ],
)
def test_sht45_encodes_the_air(air: SteadyAir, words: str) -> None:
    part = Sht45(air)
    assert part.write(b"\xfd", 1.0)
    reply = part.read(6, 1.010)
    raw = bytes.fromhex(words)
    assert reply is not None
    assert reply[0:2] + reply[3:5] == raw
    assert reply[2] == long_division(raw[:2])
    assert reply[5] == long_division(raw[2:])


def test_sht45_answers_only_when_it_has_something_to_say() -> None:
    part = Sht45(SteadyAir(), serial=0x01020304)
    assert part.read(6, 0.0) is None, "nothing was asked"
    assert part.write(b"\xfd", 0.0)
    assert part.read(6, 0.006) is None, "it measures"
    assert not part.write(b"\xfd", 0.006)
    assert part.read(6, 0.0084) is not None
    assert part.read(6, 0.0085) is None, "a result is read once"
    assert part.write(b"\x89", 1.0)
    serial = part.read(6, 1.01)
    assert serial is not None
    assert serial[0:2] + serial[3:5] == bytes.fromhex("01020304")
    assert part.write(b"\xfd", 2.0)
    assert not part.write(b"\x94", 2.001)
    assert part.write(b"\x94", 2.01)
    assert part.read(6, 2.02) is None, "a reset forgets"
    assert not part.write(b"\x00", 3.0), "no such command"
    assert part.write(b"", 4.0), "a scan finds it"


def test_sht45_heater_warms_and_dries() -> None:
    part = Sht45(SteadyAir(20, 50))
    assert part.write(b"\x39", 0.0)
    assert part.read(6, 1.0) is None
    reply = part.read(6, 1.11)
    assert reply is not None
    temperature = -45 + 175 * int.from_bytes(reply[:2], "big") / 65535
    humidity = -6 + 125 * int.from_bytes(reply[3:5], "big") / 65535
    assert 60 < temperature < 90
    assert humidity < 10


@given(st.integers(0, 50), st.floats(1.7e9, 1.9e9))
def test_a_plausible_day_is_plausible(seed: int, unix_s: float) -> None:
    air = PlausibleDay(seed)
    temperature, humidity = air.at(unix_s)
    assert 5 < temperature < 27
    assert 5 <= humidity <= 99
    later = air.at(unix_s + 60)
    assert math.dist((temperature, humidity), later) < 6
    assert PlausibleDay(seed).at(unix_s) == (temperature, humidity)


READ = b"""
import machine, time
bus = machine.I2C(0, scl=machine.Pin(5), sda=machine.Pin(6), freq=100000)
while True:
    try:
        bus.writeto(0x44, b"\\xfd")
        time.sleep_ms(10)
        print("read", bus.readfrom(0x44, 6).hex(), bus.scan())
    except OSError as error:
        print("error", error.errno)
    time.sleep_ms(10)
"""


def test_faults_of_a_part_on_a_running_board(bench: VirtualBench) -> None:
    world = World(street=None, air=SteadyAir(20, 50))
    board = bench.board("faults", {"/main.py": READ}, world=world)
    good = bytes.fromhex("5f1672b0")
    plain = (good[:2] + bytes([crc8(good[:2])]) + good[2:] + bytes([crc8(good[2:])])).hex()
    board.power_on()
    board.wait_console(rf"read {plain} \[68\]")
    board.world.unplug("sht45")
    board.wait_console("error 19")
    board.world.plug("sht45")
    board.world.spoil_crc("sht45")
    board.wait_console(rf"read 5f16[0-9a-f]{{2}}72b0(?!{plain[-2:]})")
    board.world.heal("sht45")
    board.world.stick("sht45")
    board.world.air(SteadyAir(25, 40))
    # Its noise repeats after three readings: the same four times is none.
    board.wait_console(r"(read 5f1[5-7][0-9a-f]{8} \[68\]\s+)\1{3}")
    assert "read 6666" not in board.console()
    board.world.heal("sht45")
    board.wait_console("read 6666")
    board.world.fault("i2c", "held")
    board.wait_console("error 110")
    board.world.heal("i2c")
    board.wait_console("(?s)error 110.*read 6666")
    with pytest.raises(BenchError, match="i2c has no fault 'crc': held"):
        board.world.spoil_crc("i2c")
    with pytest.raises(BenchError, match="no part 'sps30'"):
        board.world.unplug("sps30")


def test_a_part_on_a_uart(bench: VirtualBench) -> None:
    world = World(street=None, air=None, uarts={1: Doubler()})
    board = bench.board(
        "uart",
        {
            "/main.py": b"""
import asyncio, machine
line = machine.UART(1, baudrate=9600, tx=17, rx=18)
print("first", line.read(), line.any())
async def main():
    stream = asyncio.StreamReader(line)
    line.write(b"hello\\n")
    print("back", await stream.readline())
asyncio.run(main())
print("absent", machine.UART(2, 9600).read())
"""
        },
        world=world,
    )
    board.power_on()
    board.wait_console(r"back b'hello\\n'")
    board.wait_console("absent None")
    assert "first None 0" in board.console()


def test_a_lamppost_comes_to_the_supervisor_without_numpy(tmp_path: Path) -> None:
    """It takes a tenth of a second to load, and most boards have no radar."""
    world = start(lamppost(1, traffic=TrafficStreet(5)), tmp_path, "post")
    load = "import pickle, sys; pickle.load(sys.stdin.buffer); sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", load], input=pickle.dumps(world), check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_supervisor_has_one_thread_with_numpy_too() -> None:
    """It forks."""
    world = World(street=None, uarts={1: Ops243(TrafficStreet(5))})
    with VirtualBench(clock="virtual") as virtual:
        board = virtual.board("one", world=world)
        board.power_on()
        virtual.run_for(2)
        board.world.call("ops243", "due", 1.0)
        own = Path(f"/proc/{virtual.supervisor_pid}")
        assert "numpy" in (own / "maps").read_text()
        assert len(list((own / "task").iterdir())) == 1
