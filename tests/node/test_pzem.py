"""The PZEM-004T's driver, under MicroPython with a line that plays the meter."""

import itertools
import random
import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node import micro

OK, WARMING, STALE, STUCK, IMPLAUSIBLE, SILENT, ABSENT = range(7)

# Each case is a list of measurements; each of these what the line says, as chunks in hex.
_PLAY = """
import asyncio, json, sys
from lampione_node.drivers import pzem, watch
now = [0]
pzem.ticks_ms = watch.ticks_ms = lambda: now[0]
class Line:
    def __init__(self):
        self.chunks = []
        self.sent = []
    def write(self, data):
        self.sent.append(bytes(data).hex())
async def read_some(uart, buf, timeout_ms):
    if not uart.chunks:
        now[0] += timeout_ms
        return 0
    now[0] += 5
    chunk = uart.chunks[0][:len(buf)]
    uart.chunks[0] = uart.chunks[0][len(buf):]
    if not uart.chunks[0]:
        uart.chunks.pop(0)
    buf[:len(chunk)] = chunk
    return len(chunk)
pzem.read_some = read_some
pzem.drop = lambda uart, buf: None
for case in sys.stdin:
    line = Line()
    meter = pzem.Pzem(line, 1)
    out = [[None, meter.watch.state()]] if not line.sent else []
    for chunks in json.loads(case):
        began = now[0]
        line.chunks = [bytes.fromhex(chunk) for chunk in chunks if chunk]
        found = asyncio.run(meter.measure())
        assert now[0] - began <= 600
        out.append([found, meter.watch.state()])
        now[0] = began + 5000
    print(json.dumps([out, line.sent]))
"""

# The maker's example, its checksum worked out by long division below.
EXAMPLE = "010414" + "0898" + "03e80000" + "08980000" + "00000000" + "01f4" + "0064" + "0000"
VALUES = [2200, 1000, 2200, 0, 500, 100, 0]


def remainder(data: bytes) -> bytes:
    """The checksum of Modbus the school way: bits reflected, divided by x^16 + x^15 + x^2 + 1."""
    bits = [byte >> n & 1 for byte in data for n in range(8)] + [0] * 16
    for n in range(16):
        bits[n] ^= 1
    for n in range(len(bits) - 16):
        if bits[n]:
            for power in (16, 15, 2, 0):
                bits[n + 16 - power] ^= 1
    crc = sum(bit << n for n, bit in enumerate(bits[-16:]))
    return crc.to_bytes(2, "little")


def whole(body: str) -> str:
    data = bytes.fromhex(body)
    return (data + remainder(data)).hex()


def reply(voltage: int = 2300, ma: int = 250, power: int = 550, wh: int = 0, hz: int = 500) -> str:
    pairs = (x for value in (ma, power, wh) for x in (value & 0xFFFF, value >> 16))
    words = struct.pack(">10H", voltage, *pairs, hz, 95, 0)
    return whole("010414" + words.hex())


def play(*cases: list[list[str]]) -> list[Any]:
    return micro.run(_PLAY, *cases)


def test_the_request_and_the_makers_example() -> None:
    assert remainder(bytes.fromhex("01040000000a")).hex() == "700d"
    ((made, found), sent), *_ = play([[whole(EXAMPLE)]])
    assert made == [None, WARMING]
    assert found == [VALUES, OK]
    assert sent == ["01040000000a700d"]


def test_32_bits_have_their_low_word_first() -> None:
    body = "010414" + "0906" + "1170 0001" + "4e20 0003" + "967f 0098" + "01f5" + "0063" + "ffff"
    ((_, found), _), *_ = play([[whole(body.replace(" ", ""))]])
    assert found == [[2310, 70000, 216608, 9_999_999, 501, 99, 65535], OK]


def test_pieces_echoes_and_rubbish_before_the_answer() -> None:
    good = reply()
    echo = "01040000000a700d"
    noise = "0104140000" * 20  # beginnings of frames, and more than the buffer holds
    lines = [
        [good[:2], good[2:20], good[20:]],
        [echo, good],
        [echo + good],
        [echo[:4], echo[4:] + good[:30], good[30:]],
        ["00ff" + good],
        [noise + good],
        [noise, good + "0000"],
    ]
    for n, ((_, found), _) in enumerate(play(*([line] for line in lines))):
        assert found == [[2300, 250, 550, 0, 500, 95, 0], OK], n


def test_what_is_no_answer_is_not_believed() -> None:
    good = reply()
    other = bytearray.fromhex(good[:-4])
    other[0] = 2
    cases: dict[str, tuple[list[str], int]] = {
        "nothing": ([], ABSENT),
        "echo alone": (["01040000000a700d"], ABSENT),
        "half": ([good[:24]], STALE),
        "all but a byte": ([good[:-2]], STALE),
        "checksum": ([good[:-2] + f"{int(good[-2:], 16) ^ 1:02x}"], STALE),
        "of another address": ([whole(bytes(other).hex())], STALE),
        "error": ([whole("018404")], STALE),
        "of another request": ([whole("010300")], STALE),
    }
    found = play(*([chunks] for chunks, _ in cases.values()))
    for (name, (_, state)), ((_, last), _) in zip(cases.items(), found, strict=True):
        assert last == [None, state], name


def test_every_flipped_bit_is_seen() -> None:
    good = bytes.fromhex(reply())
    damaged = [
        bytes(b ^ (1 << bit if n == at else 0) for n, b in enumerate(good)).hex()
        for at in range(25)
        for bit in range(8)
    ]
    ((_, *found), _), *_ = play([[frame] for frame in damaged])
    assert [values for values, _ in found] == [None] * 200


def test_faults_show_in_time_and_the_meter_comes_back() -> None:
    """Every 5 s, each waits 0.5 s: the fourth that fails is 20.5 s after the last good one."""
    dice = random.Random(2)
    good = [[reply(voltage=2290 + n % 20 + dice.randrange(3))] for n in range(5)]
    ((_, *found), _), *_ = play(good + [[]] * 6 + good + [["00"]] * 6 + good)
    states = [state for _, state in found]
    assert states[:5] == states[11:16] == states[22:] == [OK] * 5
    assert states[5:11] == [OK] * 3 + [SILENT] * 3
    assert states[16:22] == [OK] * 3 + [STALE] * 3
    assert [values is not None for values, _ in found].count(True) == 15


def test_the_same_answer_for_three_minutes_is_stuck() -> None:
    ((_, *found), _), *_ = play([[reply()]] * 40 + [[reply(voltage=2301)]])
    assert [state for _, state in found] == [OK] * 35 + [STUCK] * 5 + [OK]
    assert [values is None for values, _ in found] == [False] * 35 + [True] * 5 + [False]


def test_what_no_street_has_is_implausible() -> None:
    odd = [
        reply(voltage=799),
        reply(voltage=2761),
        reply(hz=449),
        reply(hz=651),
        reply(ma=1 << 17),
        reply(power=1 << 18),
        reply(wh=1 << 24),
    ]
    for (_, found), _ in play(*([[frame]] for frame in odd)):
        assert found == [None, IMPLAUSIBLE]
    for (_, found), _ in play(*([[frame]] for frame in (reply(800), reply(2760), reply(hz=450)))):
        assert found[1] == OK


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(st.binary(max_size=90), max_size=4),
            st.integers(800, 2760),
            st.integers(0, 100_000),
            st.integers(0, 230_000),
            st.integers(0, 9_999_999),
            st.lists(st.integers(1, 24), max_size=3),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_after_any_rubbish_a_whole_frame_is_found(drawn: list[Any]) -> None:
    cases = []
    for rubbish, voltage, ma, power, wh, cuts in drawn:
        frame = reply(voltage, ma, power, wh)
        places = [0, *sorted({2 * cut for cut in cuts}), len(frame)]
        pieces = [frame[a:b] for a, b in itertools.pairwise(places)]
        chunks = [data.hex() for data in rubbish] + pieces
        cases.append([[chunk for chunk in chunks if chunk]])
    for (_, voltage, ma, power, wh, _), ((_, found), _) in zip(drawn, play(*cases), strict=True):
        assert found == [[voltage, ma, power, wh, 500, 95, 0], OK]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=90), max_size=4), min_size=1, max_size=30))
def test_rubbish_is_never_a_measurement(drawn: list[list[bytes]]) -> None:
    for (_, found), _ in play(*([[data.hex() for data in rubbish]] for rubbish in drawn)):
        assert found[0] is None
        assert found[1] in (STALE, ABSENT)


_PART = """
import asyncio, json, sys
from lampione_node.drivers import pzem
from lampione_node.parts import energy
class Machine:
    def Pin(self, number):
        return number
    def UART(self, *args, **settings):
        self.got = [args, settings]
machine = Machine()
part = energy.Energy(machine, {"uart": 0, "tx": 43, "rx": 44}, None, None)
readings = json.loads(sys.stdin.readline())
class Driver:
    class watch:
        lately = True
        state = lambda: 0 if Driver.watch.lately else 5
        fresh = lambda: Driver.watch.lately
    async def measure(self):
        return readings.pop(0) if readings else None
part._driver = Driver()
out = [machine.got]
def show():
    report, health = [None] * 28, [None] * 24
    part.fill(report, 20000)
    part.fill_health(health)
    out.append([{n: v for n, v in enumerate(report) if v is not None},
                {n: v for n, v in enumerate(health) if v is not None},
                part.power_dw, part.current_ma, list(part.states)])
class Over(Exception):
    pass
async def sleep_ms(ms):
    if not readings:
        raise Over
energy.asyncio = type("A", (), {"sleep_ms": sleep_ms})
def run():
    try:
        asyncio.run(part.run(lambda: None))
    except Over:
        pass
show()
run()
show()
Driver.watch.lately = False
show()
print(json.dumps(out))
"""


def test_the_part_fills_report_and_health() -> None:
    """Powers 60.1, 60.2, 60.3, 60.6 W have the mean 60.3: 121 half watts; 231.4 V are 463."""
    readings = [[2314, 270, power, 123_456, 500, 97, 0] for power in (601, 602, 603, 606)]
    ((made, before, found, lost),) = micro.run(_PART, readings)
    assert made[0] == [0]
    assert made[1]["baudrate"] == 9600
    assert before[:4] == [{}, {}, None, None]
    assert found == [{"25": 121}, {"3": 12345, "5": 463}, 606, 270, [OK]]
    assert lost == [{}, {}, None, None, [SILENT]]
