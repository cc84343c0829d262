"""The particle sensors' drivers against the models of their parts, fault by fault."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from lampione_hil.virtual import VirtualBench
from lampione_hil.virtual.devices import I2CDevice, UartDevice
from lampione_hil.virtual.devices.pms5003 import Pms5003
from lampione_hil.virtual.devices.sds011 import Sds011
from lampione_hil.virtual.devices.sps30 import Sps30
from lampione_hil.virtual.dust import Dust

from tests.node.dust_rig import (
    ABSENT,
    IMPLAUSIBLE,
    OK,
    SILENT,
    STALE,
    STUCK,
    WARMING,
    DustRig,
    Reading,
)

DUST = Dust(pm1=9.0, pm2_5=14.0, pm10=22.0)
RUNS = 90  # seconds after which each of them is warm, whatever was before
STEP_MS = 3000


@pytest.fixture(scope="module")
def rigs() -> Iterator[dict[str, DustRig]]:
    parts: list[tuple[I2CDevice | UartDevice, str]] = [
        (Sps30(DUST), "Sps30"),
        (Pms5003(DUST), "Pms5003"),
        (Sds011(DUST), "Sds011"),
    ]
    made: dict[str, DustRig] = {}
    with ExitStack() as stack:
        for device, driver in parts:
            bench = stack.enter_context(VirtualBench(clock="virtual"))
            made[device.name] = DustRig(bench, device, driver)
        yield made


class Says(UartDevice):
    """Sends the same bytes again and again."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data

    def feed(self, data: bytes, now_s: float) -> bytes:
        return b""

    def next_due_s(self, now_s: float) -> float:
        return now_s // 1 + 1

    def due(self, now_s: float) -> bytes:
        return self.data


class Holds(I2CDevice):
    """Answers what is written down for a pointer."""

    name = "sps30"
    address = 0x69

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.answers = answers
        self.pointer = b""

    def write(self, data: bytes, now_s: float) -> bool:
        self.pointer = data[:2]
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        return self.answers[self.pointer][:length]


def last_of(device: I2CDevice | UartDevice, driver: str, seconds: float = 40) -> Reading:
    """Return the last reading of a new board with one part."""
    with VirtualBench(clock="virtual") as bench:
        return DustRig(bench, device, driver).run(seconds)[-1]


def test_bytes_of_an_sps30() -> None:
    # 8.5, 12.25, 15 and 20 µg/m³; ready; no bit of the status register
    values = bytes.fromhex("410845000081 414405000081 417004000081 41a000000081")
    device = Holds(
        {
            b"\x02\x02": b"\x00\x01\xb0",
            b"\xd2\x06": b"\x00\x00\x81\x00\x00\x81",
            b"\x03\x00": values,
        }
    )
    assert last_of(device, "Sps30")[1:] == (OK, [85, 123, 200])


def test_an_sps30_that_never_has_values() -> None:
    device = Holds({b"\x02\x02": b"\x00\x00\x81", b"\x80\x04": bytes.fromhex("0009093a80a7")})
    with VirtualBench(clock="virtual") as bench:
        said = DustRig(bench, device, "Sps30").run(130)
    stale = next(i for i, reading in enumerate(said) if reading.state == STALE)
    assert said[stale].ms <= 40_000
    assert {reading.state for reading in said[:stale]} == {WARMING}
    assert {reading.state for reading in said[stale:]} == {STALE}


def test_bytes_of_a_pms5003() -> None:
    # as one was heard: 4, 5 and 8 µg/m³ of the atmosphere, 795 particles above 0.3 µm
    data = bytes.fromhex("424d001c000300040007000400050008031b00f9001b0006000300039a0002a2")
    assert last_of(Says("pms5003", data), "Pms5003")[1:] == (OK, [40, 50, 80])


def test_bytes_of_an_sds011() -> None:
    # the control protocol's example: 0x04D4 = 123.6 and 0x0A3A = 261.8 µg/m³
    data = bytes.fromhex("aac0d4043a0aa1601dab")
    assert last_of(Says("sds011", data), "Sds011")[1:] == (OK, [None, 1236, 2618])


@pytest.mark.parametrize(
    ("device", "driver"),
    [
        (Sps30(DUST), "Sps30"),
        (Pms5003(DUST), "Pms5003"),
        (Sds011(DUST), "Sds011"),
    ],
)
def test_warm_up(device: I2CDevice | UartDevice, driver: str) -> None:
    with VirtualBench(clock="virtual") as bench:
        said = DustRig(bench, device, driver).run(RUNS)
    first = next(i for i, reading in enumerate(said) if reading.found)
    assert {reading.state for reading in said[:first]} == {WARMING}
    assert said[first].ms >= 30_000
    assert said[first].ms <= 42_000  # the SPS30 cleans its fan first
    for reading in said[first:]:
        assert reading.state == OK
        found = reading.found
        assert found is not None
        # the model grows to the truth for up to 30 s: a value from before would be too small
        for value, truth in zip(found, (90, 140, 220), strict=True):
            assert value is None or 0.85 * truth < value < 1.15 * truth


# part, fault, the state it must lead to, within how many seconds
FAULTS = [
    ("sps30", "stuck", STUCK, 183),
    ("sps30", "crc", STALE, 21),
    ("sps30", "silent", SILENT, 21),
    ("sps30", "implausible", IMPLAUSIBLE, 3),
    ("sps30", "fan", IMPLAUSIBLE, 9),
    ("sps30", "laser", IMPLAUSIBLE, 9),
    ("sps30", "speed", WARMING, 9),
    ("sps30", "brownout", WARMING, 9),
    ("sps30", "unplug", SILENT, 21),
    ("pms5003", "stuck", STUCK, 126),
    ("pms5003", "crc", STALE, 18),
    ("pms5003", "silent", SILENT, 18),
    ("pms5003", "half", SILENT, 18),
    ("pms5003", "implausible", IMPLAUSIBLE, 6),
    ("pms5003", "unplug", SILENT, 18),
    ("sds011", "stuck", STUCK, 306),
    ("sds011", "crc", STALE, 18),
    ("sds011", "silent", SILENT, 18),
    ("sds011", "half", SILENT, 18),
    ("sds011", "implausible", IMPLAUSIBLE, 6),
    ("sds011", "unplug", SILENT, 18),
]


@pytest.mark.parametrize(("part", "fault", "state", "within_s"), FAULTS)
def test_a_fault_shows_in_time_and_ends_by_itself(
    rigs: dict[str, DustRig], part: str, fault: str, state: int, within_s: int
) -> None:
    rig = rigs[part]
    before = rig.run(RUNS)[-1]
    assert before.state == OK
    assert before.found
    if fault == "unplug":
        rig.board.world.unplug(part)
    else:
        rig.call("fault", fault)
    said = rig.run(within_s + 10)
    shown = next((i for i, reading in enumerate(said) if reading.state == state), None)
    assert shown is not None, said
    assert said[shown].ms <= said[0].ms + within_s * 1000
    if fault != "brownout":
        assert said[-1].state == state
        assert said[-1].found is None
    # A value that is not to be believed is never handed out, not even before the state shows it.
    # What sticks cannot be told from what is true, nor a bad fan before two of the part's checks.
    if fault not in ("stuck", "fan", "laser", "speed"):
        late = said[1:]  # the frame that was on the line when it happened
        assert [reading for reading in late if reading.found] == []
    if fault == "unplug":
        rig.board.world.plug(part)
    else:
        rig.call("fault", "")
    healed = rig.run(RUNS)
    assert healed[-1].state == OK
    assert healed[-1].found
    back = next(reading for reading in healed if reading.found)
    assert back.ms <= healed[0].ms + 60_000


@pytest.mark.parametrize("part", ["pms5003", "sds011"])
def test_a_stream_that_starts_anew_goes_on(rigs: dict[str, DustRig], part: str) -> None:
    rig = rigs[part]
    rig.run(RUNS)
    rig.call("fault", "brownout")
    assert rig.run(RUNS)[-1].state == OK


def test_absent_parts() -> None:
    with VirtualBench(clock="virtual") as bench:
        for device, driver in ((Sps30(DUST), "Sps30"), (Pms5003(DUST), "Pms5003")):
            rig = DustRig(bench, device, driver)
            rig.board.world.unplug(device.name)
            rig.board.reset()
            said = rig.run(20)
            assert said[-1].state == ABSENT
            assert not any(reading.found for reading in said[2:])
            rig.board.world.plug(device.name)
            assert rig.run(RUNS)[-1].state == OK


def test_a_stream_that_was_put_to_sleep_is_woken(rigs: dict[str, DustRig]) -> None:
    def command(*data: int) -> bytes:
        return bytes([*b"BM", *data, *sum((*b"BM", *data)).to_bytes(2, "big")])

    rig = rigs["pms5003"]
    for data in (command(0xE4, 0, 0), command(0xE1, 0, 0)):
        rig.run(RUNS)
        rig.call("feed", data, 0.0)
        said = rig.run(RUNS)
        assert said[2].found is None
        assert said[-1].state == OK
    rig = rigs["sds011"]
    for head in (b"\x06\x01\x00", b"\x02\x01\x01", b"\x08\x01\x05"):
        body = head + bytes(10) + b"\xff\xff"
        rig.run(RUNS)
        rig.call("feed", b"\xaa\xb4" + body + bytes([sum(body) & 0xFF, 0xAB]), 0.0)
        said = rig.run(RUNS)
        assert said[2].found is None
        assert said[-1].state == OK


def test_the_sps30_cleans_its_fan_after_a_start_and_each_week() -> None:
    device = Sps30(DUST)
    device.core.interval_s = device.core.told_interval_s = 300  # somebody has changed it
    with VirtualBench(clock="virtual") as bench:
        rig = DustRig(bench, device, "Sps30")
        rig.run(60)
        assert rig.call("cleanings") == 1
        assert rig.run(840)[-1].state == OK
        assert rig.call("cleanings") == 1
        # so that the week is over at 950 s
        rig.board.world.call("sps30.core", "set_interval", 604800, 950.0 - 604800.0)
        said = rig.run(200)
        assert rig.call("cleanings") == 2
    states = [reading.state for reading in said]
    assert states.count(WARMING) * STEP_MS in range(30_000, 46_000)
    assert set(states) == {OK, WARMING}
    assert all((reading.found is not None) == (reading.state == OK) for reading in said[-30:])


PART = """
import asyncio, json, machine
from lampione_node.drivers import health
from lampione_node.parts.particulates import Particulates
from lampione_node.sensing.air import Air
air = Air()
part = Particulates(machine, {{"i2c": 0, "scl": 9, "sda": 8}}, None, air)
turns = [0]
def check_in():
    turns[0] += 1
async def main():
    asyncio.create_task(part.run(check_in))
    for minute in range(9):
        if minute == 5:
            air.put(200, 80)
        if minute == 7:
            print(json.dumps([0, 0, [await part.clean()]]))
        await asyncio.sleep_ms(60000)
        values = [None] * 28
        part.fill(values, 60000)
        print(json.dumps([turns[0], part.states[0], values[3:6]]))
    values = [None] * 13
    part.fill_raw(values)
    print(json.dumps([0, 0, values[3:6]]))
    print(json.dumps([0, 0, part.raw]))
asyncio.run(main())
# {module} {driver} {bus}
"""


def test_the_part_corrects_its_minutes_and_keeps_its_hour_raw() -> None:
    device = Sps30(Dust(pm1=9.0, pm2_5=14.0, pm10=22.0, noise=0.01))
    with VirtualBench(clock="virtual") as bench:
        said = DustRig(bench, device, "Sps30", PART).run(560)
    minutes = [reading for reading in said if reading.ms]
    assert minutes[0].found == [None] * 3  # warm for less than three quarters of it
    for reading in minutes[1:5]:
        assert (reading.state, reading.found) == (STALE, [None] * 3)  # no humidity yet
    # 80 %: divided by 1.9697, in halves of a µg/m³
    for reading in minutes[5:7]:
        assert (reading.state, reading.found) == (OK, [9, 14, 22])
    assert minutes[7].found == [None] * 3  # cleaning, and warming after it
    assert (minutes[8].state, minutes[8].found) == (OK, [9, 14, 22])
    assert minutes[-1].ms >= 175  # it checks in every 3 s
    others = [reading.found for reading in said if not reading.ms]
    assert others[0] == [True]
    assert others[1] == [18, 28, 44]
    assert others[2] is not None
    for value, truth in zip(others[2], (90, 140, 220), strict=True):
        assert value is not None
        assert abs(value - truth) <= 2
