"""The models of the particle sensors, against the bytes that their makers' documents print."""

import pickle
import struct

import pytest
from lampione_hil.virtual.devices import I2CDevice, UartDevice
from lampione_hil.virtual.devices.pms5003 import Pms5003
from lampione_hil.virtual.devices.sds011 import Sds011
from lampione_hil.virtual.devices.sps30 import Sps30
from lampione_hil.virtual.devices.sps30_uart import Sps30Uart
from lampione_hil.virtual.dust import Dust

STILL = Dust(pm1=9.0, pm2_5=14.0, pm10=22.0, noise=0.0)


# asked, answered: in this order. Datasheet version 2, chapter 5.3, and its rules.
SHDLC = [
    ("7e 00 01 00 fe 7e", "7e 00 01 43 00 bb 7e"),  # stop, while it is idle
    ("7e 00 00 02 01 03 f9 7e", "7e 00 00 00 00 ff 7e"),
    ("7e 00 03 00 fc 7e", "7e 00 03 00 00 fc 7e"),  # nothing new
    ("7e 00 56 00 a9 7e", "7e 00 56 00 00 a9 7e"),
    ("7e 00 80 05 00 00 00 00 00 7a 7e", "7e 00 80 00 00 7f 7e"),
    ("7e 00 80 01 00 7d 5e 7e", "7e 00 80 00 04 00 00 00 00 7b 7e"),
    # the datasheet prints 9b here, which is not the checksum that it defines
    ("7e 00 d0 01 00 2e 7e", "7e 00 d0 00 09 30 30 30 38 30 30 30 30 00 9e 7e"),
    ("7e 00 d2 01 00 2c 7e", "7e 00 d2 00 05 00 00 00 00 00 28 7e"),
    ("7e 00 01 00 fe 7e", "7e 00 01 00 00 fe 7e"),
    ("7e 00 10 00 ef 7e", "7e 00 10 00 00 ef 7e"),
    ("7e 00 d1 00 2e 7e", ""),  # asleep
    # the datasheet prints these without the stuffing of 0x11 that it asks for
    ("ff 7e 00 11 00 ee 7e", "7e 00 7d 31 00 00 ee 7e"),
    ("7e 00 d3 00 2c 7e", "7e 00 d3 00 00 2c 7e"),
    ("7e 00 42 00 bd 7e", "7e 00 42 02 00 bb 7e"),  # unknown
    ("7e 00 01 01 00 fd 7e", "7e 00 01 01 00 fd 7e"),  # wrong length
    ("7e 00 03 00 fd 7e", ""),  # wrong checksum
    ("7e 01 03 00 fb 7e", ""),  # for another
]


def test_shdlc() -> None:
    part = Sps30Uart(STILL)
    for number, (asked, answer) in enumerate(SHDLC):
        said = part.feed(bytes.fromhex(asked), 0.5 * number)
        assert said == bytes.fromhex(answer), asked


def test_i2c() -> None:
    part = Sps30(STILL)

    def ask(pointer: str, length: int, now_s: float) -> str | None:
        assert part.write(bytes.fromhex(pointer), now_s)
        found = part.read(length, now_s)
        return None if found is None else found.hex()

    # checksums by the datasheet's chapter 6.2
    assert ask("d100", 3, 0.0) == "02030b"
    assert ask("d002", 12, 0.0) == "3030f630384f3030f63030f6"
    assert ask("8004", 6, 0.0) is None  # takes 5 ms
    assert part.read(6, 0.005) == bytes.fromhex("0009093a80a7")
    assert ask("0202", 3, 0.1) == "000081"
    assert not part.write(bytes.fromhex("0010030000"), 0.1)  # wrong checksum
    assert part.write(bytes.fromhex("00100300ac"), 0.1)
    assert not part.write(b"\x02\x02", 0.119)  # busy for 20 ms
    assert ask("0202", 3, 1.05) == "000081"
    assert ask("0202", 3, 1.1) == "0001b0"
    assert part.read(3, 1.2) == b"\x00\x01\xb0"  # the pointer stays
    assert ask("0300", 60, 40.1) is not None
    assert ask("0202", 3, 40.2) == "000081"
    values = bytes.fromhex(ask("0300", 24, 40.3) or "")
    words = b"".join(values[at : at + 2] for at in range(0, 24, 3))
    assert struct.unpack(">4f", words)[::3] == (9.0, 22.0)


def test_a_week_without_pause_cleans_the_fan_and_a_power_cut_begins_it_anew() -> None:
    part = Sps30(STILL)
    start = bytes.fromhex("00100300ac")
    week_s = 604800.0
    part.write(start, 0.0)
    part.write(b"\x02\x02", week_s - 1)
    assert part.cleanings() == 0
    part.power_up(week_s - 1)
    part.write(start, week_s)
    part.write(b"\x02\x02", week_s + 5)
    assert part.cleanings() == 0
    part.write(b"\x02\x02", 2 * week_s + 5)
    assert part.cleanings() == 1
    assert part.read(3, 2 * week_s + 5) == b"\x00\x01\xb0"  # of the second before
    part.write(b"\x03\x00", 2 * week_s + 6)
    part.read(24, 2 * week_s + 6)
    part.write(b"\x02\x02", 2 * week_s + 9)
    assert part.read(3, 2 * week_s + 9.9) == b"\x00\x00\x81"
    assert part.read(3, 2 * week_s + 10.1) == b"\x00\x01\xb0"


def test_pms5003_modes() -> None:
    part = Pms5003(STILL)
    assert part.next_due_s(5.0) == 6.0
    frame = part.due(40.0)
    assert frame[:4] == b"\x42\x4d\x00\x1c"
    assert struct.unpack(">3H", frame[10:16]) == (9, 14, 22)
    assert sum(frame[:30]) == int.from_bytes(frame[30:], "big")
    part.due(42.3)
    assert part.next_due_s(42.3) == pytest.approx(44.6)  # nothing changes: the stable mode
    part.dust = Dust(pm2_5=60.0, pm10=80.0)
    part.due(44.6)
    assert part.next_due_s(44.6) == pytest.approx(45.4)
    # appendix: passive mode, read, sleep, wake-up
    assert part.feed(bytes.fromhex("424de100000170"), 50.0) == bytes.fromhex("424d0004e1000174")
    assert part.next_due_s(50.0) is None
    assert len(part.feed(bytes.fromhex("424de200000171"), 51.0)) == 32
    assert part.feed(bytes.fromhex("424de400000173"), 52.0) == bytes.fromhex("424d0004e4000177")
    assert part.feed(bytes.fromhex("424de200000171"), 53.0) == b""
    assert part.feed(bytes.fromhex("424de400010174"), 54.0) == bytes.fromhex("424d0004e4010178")
    assert part.feed(bytes.fromhex("00424de1000101"), 55.0) == b""  # not whole
    assert part.feed(b"\x71", 55.1) == bytes.fromhex("424d0004e1010175")
    assert part.next_due_s(55.1) is not None


def test_sds011_commands() -> None:
    part = Sds011(STILL)

    def send(data: str, now_s: float) -> str:
        body = bytes.fromhex(data).ljust(13, b"\0") + b"\xff\xff"
        return part.feed(b"\xaa\xb4" + body + bytes([sum(body) & 0xFF, 0xAB]), now_s).hex()

    part.next_due_s(0.0)
    # control protocol: the answers end with the id A160
    assert send("020101", 40.0) == "aac5020101 00a16005ab".replace(" ", "")
    assert part.next_due_s(40.0) is None
    assert send("04", 41.0) == "aac08c00dc00a16069ab"  # 140, 220
    assert send("080105", 42.0) == "aac5080105 00a1600fab".replace(" ", "")
    assert send("020100", 43.0)[:10] == "aac5020100"
    assert part.pause_s() == 300
    part.power_up(50.0)
    assert part.pause_s() == 300  # it stays without power
    assert send("060100", 60.0)[:10] == "aac5060100"
    assert send("04", 61.0) == ""  # asleep
    assert send("060101", 62.0)[:10] == "aac5060101"
    assert send("07", 63.0)[:6] == "aac507"


@pytest.mark.parametrize("part", [Sps30(), Sps30Uart(), Pms5003(), Sds011()])
def test_what_a_world_needs_of_a_part(part: I2CDevice | UartDevice) -> None:
    pickle.loads(pickle.dumps(part)).power_up(3.0)
    with pytest.raises(ValueError, match="no fault 'smoke'"):
        part.fault("smoke")
    for kind in ("stuck", "crc", "silent", "brownout", "implausible", ""):
        part.fault(kind)


def test_dust_is_the_same_each_time_and_nested() -> None:
    dust = Dust(noise=0.5, swing=0.5)
    for second in range(200):
        masses = dust.at(second + 0.25)
        assert 0 <= masses.pm1 <= masses.pm2_5 <= masses.pm4 <= masses.pm10
    assert Dust().at(5.1) == Dust().at(5.9)
    assert Dust(seed=1).at(5) != Dust().at(5)
