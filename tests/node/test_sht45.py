"""The SHT45's bytes and faults, under MicroPython with a bus that plays the sensor."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lampione_hil import interpreter

FIRMWARE = Path(__file__).parents[2] / "firmware"
OK, WARMING, STALE, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)

BUS = """
import asyncio, json, sys
from lampione_node.drivers import sht45, watch
now = [0]
watch.ticks_ms = lambda: now[0]
class Bus:
    def __init__(self, replies):
        self.replies = replies
        self.log = []
    def writeto(self, address, data):
        self.log.append([address, list(data)])
        if self.replies[0] is None:
            self.replies.pop(0)
            raise OSError(19)
    def readfrom_into(self, address, buf):
        reply = self.replies.pop(0)
        if reply == "late":
            raise OSError(19)
        buf[:] = bytes(reply)
async def main(step_ms, replies):
    bus = Bus(replies)
    sensor = sht45.Sht45(bus)
    out = [[list(bus.log), sensor.watch.state()]]
    while bus.replies:
        now[0] += step_ms
        found = await sensor.measure()
        out.append([found and list(found), sensor.watch.state()])
    return [out, bus.log]
with open(sys.argv[1]) as f:
    print(json.dumps(asyncio.run(main(*json.load(f)))))
"""


def crc(data: bytes) -> int:
    """CRC-8/NRSC-5, by polynomial division of the whole message as one number."""
    number = (int.from_bytes(bytes([data[0] ^ 0xFF, *data[1:]]), "big")) << 8
    for bit in range(8 * len(data) + 7, 7, -1):
        if number >> bit & 1:
            number ^= 0x131 << (bit - 8)
    return number


def reply(temperature: int, humidity: int) -> list[int]:
    t, h = temperature.to_bytes(2, "big"), humidity.to_bytes(2, "big")
    return [*t, crc(t), *h, crc(h)]


def measure(folder: Path, replies: Sequence[list[int] | str | None], step_ms: int = 36_000) -> Any:
    """Measure once a reply, `step_ms` apart; 36 s: each failure makes the value too old."""
    (folder / "main.py").write_text(BUS)
    (folder / "in.json").write_text(json.dumps([step_ms, replies]))
    return json.loads(
        interpreter.run([str(folder / "main.py"), str(folder / "in.json")], path=[FIRMWARE])
    )


def test_checksum_of_the_datasheet(tmp_path: Path) -> None:
    assert crc(b"\xbe\xef") == 0x92
    out = interpreter.run(
        ["-c", "from lampione_node.drivers.sht45 import crc8; print(crc8(b'\\xbe\\xef', 0, 2))"],
        path=[FIRMWARE],
    )
    assert out.strip() == b"146"


def test_values_computed_by_hand(tmp_path: Path) -> None:
    """-45 + 175 t / 65535 and -6 + 125 h / 65535, rounded; the constructor asks nothing."""
    vectors = [
        # 0x6666 = 26214 = 0.4 x 65535: 25.0 °C; 0x72B0 = 29360: 50.0 %
        ([0x66, 0x66, 0x93, 0x72, 0xB0, 0xDC], [250, 50]),
        (reply(16852, 0), [0, 0]),  # -45 + 175 x 16852 / 65535 = 0.0007; -6 is clamped
        (reply(16834, 65535), [0, 100]),  # -0.0477 rounds to 0.0; 119 is clamped
        (reply(16833, 3146), [-1, 0]),  # -0.0504 rounds to -0.1; 0.0006
        (reply(48000, 32768), [832, 57]),  # 83.18; 56.5009
        (reply(1873, 10000), [-400, 13]),  # -39.998; 13.07
    ]
    [made, *found], log = measure(tmp_path, [list(bytes_) for bytes_, _ in vectors])
    assert made == [[], WARMING]
    assert found == [[values, OK] for _, values in vectors]
    assert log == [[0x44, [0xFD]]] * len(vectors)


def test_any_two_words_give_the_rounded_formula(tmp_path: Path) -> None:
    dice = random.Random(9)
    words = [(dice.randrange(1873, 48683), dice.randrange(65536)) for _ in range(50)]
    [_, *found], _ = measure(tmp_path, [reply(*pair) for pair in words])
    for (t, h), (values, state) in zip(words, found, strict=True):
        assert state == OK
        assert values[0] == pytest.approx(10 * (-45 + 175 * t / 65535), abs=0.5001)
        assert values[1] == pytest.approx(min(100, max(0, -6 + 125 * h / 65535)), abs=0.5001)


def test_each_fault_shows_and_the_sensor_comes_back(tmp_path: Path) -> None:
    good = reply(26214, 29360)
    wrong = [*good[:5], good[5] ^ 1]
    hot = reply(60000, 29360)
    replies = [None, good, None, "late", wrong, good, hot, good]
    [_, *found], _ = measure(tmp_path, replies)
    assert found == [
        [None, ABSENT],
        [[250, 50], OK],
        [None, SILENT],
        [None, SILENT],
        [None, STALE],
        [[250, 50], OK],
        [None, IMPLAUSIBLE],
        [[250, 50], OK],
    ]


def test_a_value_is_good_for_three_measurements(tmp_path: Path) -> None:
    replies = [reply(26214, 29360), None, None, None, None]
    [_, *found], _ = measure(tmp_path, replies, step_ms=10_000)
    assert [state for _, state in found] == [OK, OK, OK, OK, SILENT]


def test_the_same_reading_for_ten_minutes_is_stuck(tmp_path: Path) -> None:
    replies = [reply(26214, 29360)] * 61 + [reply(26215, 29360)]
    [_, *found], _ = measure(tmp_path, replies, step_ms=10_000)
    assert [state for _, state in found] == [OK] * 59 + [STUCK] * 2 + [OK]
    assert found[60][0] is None


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    good = reply(26214, 29360)
    damaged = [
        [byte ^ (1 << bit if i == at else 0) for i, byte in enumerate(good)]
        for at in range(6)
        for bit in range(8)
    ]
    [_, *found], _ = measure(tmp_path, damaged)
    assert [values for values, _ in found] == [None] * 48
