"""Bytes of the particle sensors, worked out from the datasheets, and frames out of rubbish."""

import math
import random
import struct
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil.virtual.devices.pms5003 import Pms5003
from lampione_hil.virtual.devices.sds011 import Sds011
from lampione_hil.virtual.devices.sht45 import crc8

from tests.node import micro

MASS = """
import json, sys
from lampione_node.drivers.sps30 import mass
buf = bytearray(9)
for case in json.loads(sys.stdin.readline()):
    buf[3:9] = bytes(case)
    print(mass(buf, 3))
"""


def masses(patterns: Sequence[int]) -> list[int]:
    """Return what the SPS30's driver makes of bit patterns of floats."""
    cases = []
    for pattern in patterns:
        high, low = pattern.to_bytes(4, "big")[:2], pattern.to_bytes(4, "big")[2:]
        cases.append([*high, crc8(high), *low, crc8(low)])
    return micro.run(MASS, cases)


@pytest.mark.parametrize(
    ("pattern", "tenths"),
    [
        (0x00000000, 0),
        (0x41080000, 85),  # sign 0, exponent 130, 1.0625: 8.5
        (0x41440000, 123),  # 12.25
        (0x42C80000, 1000),  # 100
        (0x447A0000, 10000),  # 1000
        (0x3D4CCCCD, 1),  # 0.05
        (0x3D4CCCCC, 0),  # the last below it
        (0x00000001, 0),  # the smallest there is
        (0x477FFFFF, 655360),  # the last below 65536
        (0x47800000, -1),  # 65536
        (0x7F800000, -1),  # infinite
        (0x7FC00000, -1),  # no number
        (0x80000000, -1),  # minus zero is none of a mass
        (0xC1080000, -1),  # -8.5
    ],
)
def test_a_float_is_read_as_tenths(pattern: int, tenths: int) -> None:
    assert masses([pattern]) == [tenths]


def test_floats_are_read_as_the_computer_reads_them() -> None:
    draw = random.Random(5)
    patterns = [draw.getrandbits(32) for _ in range(1500)]
    patterns += [struct.unpack(">I", struct.pack(">f", draw.uniform(0, 1100)))[0] for _ in range(9)]
    patterns += [(127 + n << 23) + draw.getrandbits(23) for n in range(-6, 12) for _ in range(40)]
    for pattern, found in zip(patterns, masses(patterns), strict=True):
        value = struct.unpack(">f", pattern.to_bytes(4, "big"))[0]
        if math.isnan(value) or pattern >> 31 or value >= 65536:
            assert found == -1, hex(pattern)
        else:
            assert found == math.floor(value * 10 + 0.5), hex(pattern)


PARSE = """
import json, sys
from lampione_node.drivers.stream import shift
from lampione_node.drivers.{module} import fits
buf = bytearray({size})
for line in sys.stdin:
    found = []
    n = 0
    pieces = json.loads(line)
    for piece in pieces:
        data = bytes(piece)
        while data:  # as a read into what is free of the buffer
            part, data = data[:{size} - n], data[{size} - n:]
            buf[n:n + len(part)] = part
            n = shift(buf, n + len(part), fits)
            if n == {size}:
                found.append(list(buf))
                n = 0
    print(json.dumps(found))
"""


def good_pms5003(frame: bytes) -> bool:
    """Whether 32 bytes are a frame, by the data manual."""
    return frame[:4] == b"\x42\x4d\x00\x1c" and sum(frame[:30]) == int.from_bytes(frame[30:], "big")


def good_sds011(frame: bytes) -> bool:
    """Whether 10 bytes are a frame, by the control protocol."""
    return frame[:2] == b"\xaa\xc0" and frame[9] == 0xAB and sum(frame[2:8]) % 256 == frame[8]


def reference(data: bytes, size: int, good: object) -> list[bytes]:
    """Return the frames in a stream: the leftmost, then the leftmost after it."""
    found, at = [], 0
    while at + size <= len(data):
        if good(data[at : at + size]):  # type: ignore[operator]
            found.append(data[at : at + size])
            at += size
        else:
            at += 1
    return found


PMS_FRAME = Pms5003().frame((9, 14, 22, 9, 14, 22, 2380, 700, 126, 13, 4, 1), False)
SDS_FRAME = bytes.fromhex("aac0d4043a0aa1601dab")  # the control protocol's example


def noisy(frame: bytes) -> st.SearchStrategy[list[bytes]]:
    """Streams in pieces: rubbish, beginnings and ends of frames, whole frames."""
    cut = st.integers(0, len(frame))
    spoilt = st.tuples(cut, st.integers(1, 255)).map(
        lambda at: bytes(b ^ at[1] if i == at[0] else b for i, b in enumerate(frame))
    )
    piece = st.one_of(
        st.binary(max_size=40),
        cut.map(lambda n: frame[:n]),
        cut.map(lambda n: frame[n:]),
        st.sampled_from([frame, frame[:2], frame[:1], frame + frame]),
        spoilt,
    )
    return st.lists(piece, max_size=8)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    pms=st.lists(noisy(PMS_FRAME), min_size=30, max_size=60),
    sds=st.lists(noisy(SDS_FRAME), min_size=30, max_size=60),
)
def test_every_whole_frame_is_found_in_any_rubbish(
    pms: list[list[bytes]], sds: list[list[bytes]]
) -> None:
    for module, frame, good, streams in (
        ("pms5003", PMS_FRAME, good_pms5003, pms),
        ("sds011", SDS_FRAME, good_sds011, sds),
    ):
        whole = [[*stream, frame, frame] for stream in streams]
        script = PARSE.format(module=module, size=len(frame))
        found = micro.run(script, *[[list(piece) for piece in stream] for stream in whole])
        for stream, frames in zip(whole, found, strict=True):
            expected = reference(b"".join(stream), len(frame), good)
            assert [bytes(one) for one in frames] == expected
            assert expected[-1] == frame


def test_the_models_frames_are_the_makers() -> None:
    assert good_pms5003(PMS_FRAME)
    assert Sds011(identity=b"\xa1\x60").frame((1236, 2618), False) == SDS_FRAME


DRY = """
import json, sys
from lampione_node.parts.particulates import dry
for mass, humidity in json.loads(sys.stdin.readline()):
    print(dry(mass, humidity))
"""


def test_the_growth_by_humidity() -> None:
    cases = [(mass, humidity) for mass in (0, 1, 7, 140, 10000) for humidity in range(-2, 103)]
    found = dict(zip(cases, micro.run(DRY, cases), strict=True))
    for (mass, humidity), value in found.items():
        water = min(95, max(0, humidity)) / 100
        growth = 1 + (0.4 / 1.65) / (1 / water - 1) if water else 1.0
        assert abs(value - mass / growth) <= 0.5000001
        assert 0 <= value <= mass
        if humidity > -2:
            assert value <= found[mass, humidity - 1]
    # by hand: 1 + 0.2424 · 0.8/0.2 = 1.9697; 1 + 0.2424 · 19 = 5.606, for 95 % and more
    assert found[10000, 80] == 5077
    assert found[10000, 95] == found[10000, 100] == 1784
