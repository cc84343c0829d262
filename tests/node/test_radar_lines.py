"""What the node reads out of radars' lines, under MicroPython: any rubbish, then the next line."""

import json
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node import micro

_EACH = """
import json, sys
from lampione_node.drivers import ld2415h, lines, ops243
for case in sys.stdin:
    name, data = json.loads(case)
    f = {"tenths": lines.tenths, "ops243": ops243.pairs, "ld2415h": ld2415h.pairs}[name]
    print(json.dumps(f(bytes.fromhex(data))))
"""

_LINES = """
import asyncio, json, sys
from lampione_node.drivers import lines
now = [0]
lines.ticks_ms = lambda: now[0]
async def read_some(chunks, buf, timeout_ms):
    if not chunks:
        now[0] += timeout_ms
        return 0
    now[0] += 1
    chunk = chunks.pop(0)
    if len(chunk) > len(buf):
        chunks.insert(0, chunk[len(buf):])
    n = min(len(chunk), len(buf))
    buf[:n] = chunk[:n]
    return n
lines.read_some = read_some
for case in sys.stdin:
    size, chunks = json.loads(case)
    reader = lines.Lines([bytes.fromhex(chunk) for chunk in chunks], size)
    found = []
    while True:
        line = asyncio.run(reader.next(100000))
        if line is None:
            break
        found.append(line.hex())
    print(json.dumps([found, reader.heard]))
"""


def each(name: str, *lines: bytes) -> list[Any]:
    return micro.run(_EACH, *([name, line.hex()] for line in lines))


def tenths(text: str) -> int:
    return int((Decimal(text) * 10).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def test_numbers() -> None:
    good = ["0", "1", "-1", "+2", "12.3", "-12.34", "12.35", "-12.35", "0.05", "0.04", "001.9"]
    good += ["9999999.99", "0.949"]
    assert each("tenths", *(text.encode() for text in good)) == [tenths(text) for text in good]
    bad = [b"", b"-", b".", b"+-1", b"1-", b"1.2.3", b"1e3", b"0x1", b"1_0", b" 1", b"\xb2"]
    bad += [b"--1", b"nan", b"1,2", b"12345678", b"1.-2", b".5", b"3."]
    assert each("tenths", *bad) == [None] * len(bad)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.decimals(-99999, 99999, places=2), min_size=1, max_size=60))
def test_any_number_is_rounded_half_away_from_nought(numbers: list[Decimal]) -> None:
    found = each("tenths", *(str(number).encode() for number in numbers))
    assert found == [tenths(str(number)) for number in numbers]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.binary(max_size=12), min_size=1, max_size=60))
def test_no_bytes_raise(lines: list[bytes]) -> None:
    cases = [[name, line.hex()] for name in ("tenths", "ops243", "ld2415h") for line in lines]
    cases += [["ops243", (b"{" + line + b"}").hex()] for line in lines]
    cases += [["ops243", (b'{"magnitude":1,"speed":' + line + b"}").hex()] for line in lines]
    assert len(micro.run(_EACH, *cases)) == len(cases)


OPS243: list[tuple[bytes, list[list[int | None]]]] = [
    # plain, as delivered, and with OM and OT
    (b"3.6", [[36, None]]),
    (b"-12.3", [[-123, None]]),
    (b"235.4,-35.2", [[-352, 235]]),
    (b"137.429,1200,41.0", [[410, 1200]]),
    (b' "kmph", 88.1, 41.0', [[410, 88]]),
    # JSON of the manual, and of newer firmware
    (b'{"speed":0.58, "direction":"inbound", "time":105, "tick":135}', [[6, None]]),
    (b'{"magnitude":120.5,"speed":47.3,"direction":"inbound"}', [[473, 121]]),
    (b'{"magnitude":120.4,"speed":47.3,"direction":"outbound"}', [[-473, 120]]),
    (b'{"magnitude":120.4,"speed":-47.3,"direction":"outbound"}', [[-473, 120]]),
    (b'{"unit":"kmph","magnitude":"251.9","speed":"-5.5"}', [[-55, 252]]),
    (b'{"speed":"-5.5","magnitude":"251"}', [[-55, 251]]),
    (b'{"magnitude" : [ 251, 90 ] , "speed" : [ 5.5 , -3 ]}', [[55, 251], [-30, 90]]),
    (b'{"magnitude":["251","90"],"speed":["5.5","-3.04"]}', [[55, 251], [-30, 90]]),
    (b'{"magnitude":["251"],"speed":["5.5","-3.0"]}', []),
    # no readings
    (b'{"Units":"km-per-hr"}', []),
    (b'{"Product":"OPS243"}', []),
    (b'{"SamplingRate":10000, "resolution":0.0607}', []),
    (b'{"magnitude":251,"speed":}', []),
    (b'{"magnitude":251,"speed":-}', []),
    (b'{"magnitude":251,"speed":5.5', []),
    (b'{"magnitude":2x1,"speed":5.5}', []),
    (b'{"magnitude":251,"speed":"fast"}', []),
    (b'{"magnitude":[251,"speed":5.5}', []),
    (b'{"speed"}', []),
    (b'{"speed":[}', []),
    (b"", []),
    (b",", []),
    (b"x,3.6", []),
    (b"\xb235.4,\xb5.2", []),
    (b"{}", []),
]


def test_lines_of_the_ops243() -> None:
    found = each("ops243", *(line for line, _ in OPS243))
    for (line, expected), pairs in zip(OPS243, found, strict=True):
        assert pairs == expected, line


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.decimals(-250, 250, places=1), st.integers(0, 99_999)),
                min_size=1,
                max_size=3,
            ),
            st.booleans(),
            st.booleans(),
            st.permutations(["speed", "magnitude", "unit", "time"]),
            st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_any_json_with_speeds_is_read(drawn: list[Any]) -> None:
    lines = []
    for pairs, texts, array, order, separators in drawn:
        convert = str if texts else float
        lists: dict[str, Any] = {
            "speed": [convert(speed) for speed, _ in pairs],
            "magnitude": [str(m) if texts else m for _, m in pairs],
        }
        if len(pairs) == 1 and not array:
            lists = {key: value[0] for key, value in lists.items()}
        said = {"unit": "kmph", "time": "12.5", **lists}
        text = json.dumps({key: said[key] for key in order}, separators=separators)
        lines.append(text.encode())
    for (pairs, *_), found in zip(drawn, each("ops243", *lines), strict=True):
        assert found == [[int(speed * 10), magnitude] for speed, magnitude in pairs]


def test_lines_of_the_ld2415h() -> None:
    good = [b"V+001.9", b"V-035.0", b"V+999.9"]
    assert each("ld2415h", *good) == [[[19, 0]], [[-350, 0]], [[9999, 0]]]
    bad = [b"V+000.0", b"V001.9", b"V+01.9", b"V+0001.9", b"+001.9", b"V+00a.9", b"VV+01.9", b""]
    bad += [b"V 001.9", b"X1:01 X2:00", b"No.:20230801E v5.0", b"V+\xb001.9"]
    assert each("ld2415h", *bad) == [[]] * len(bad)


def split(data: bytes, size: int) -> list[str]:
    """What a reader of lines of fewer than `size` bytes ought to find."""
    *whole, _ = data.split(b"\n")
    return [line.strip(b" \t\n\r\v\f").hex() for line in whole if len(line) < size]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(8, 40),
            st.lists(
                st.one_of(
                    st.binary(max_size=60),
                    st.sampled_from([b"\n", b"\r\n", b"V+001.9\r\n", b"\n\n", b"x" * 100]),
                ),
                max_size=12,
            ),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_after_any_rubbish_a_whole_line_is_found(drawn: list[tuple[int, list[bytes]]]) -> None:
    cases = [(size, [*chunks, b"\n1,2.", b"3\r\n"]) for size, chunks in drawn]
    found = micro.run(_LINES, *([size, [c.hex() for c in chunks]] for size, chunks in cases))
    for (size, chunks), (lines, heard) in zip(cases, found, strict=True):
        assert lines == split(b"".join(chunks), size)
        assert lines[-1] == b"1,2.3".hex()
        assert heard
