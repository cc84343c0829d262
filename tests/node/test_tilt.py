"""The pole: angles in integers, what a shock and the wind look like, events."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices.lis3dh import Lis3dh, Pole, Shock

from tests.node import i2c_rig, micro
from tests.node.i2c_rig import OK

IMPACT, TILTED, SEVERE = 10, 11, 1

ANGLES = """
import sys, json
from lampione_node.parts.tilt import angle, upright
for a, b in json.loads(sys.stdin.readline()):
    print(json.dumps([angle(a, b), upright(a)]))
"""


@st.composite
def vector(draw: st.DrawFn) -> list[int]:
    """About gravity, in any direction."""
    azimuth, height = draw(st.floats(0, math.tau)), draw(st.floats(-1, 1))
    flat, length = math.sqrt(1 - height * height), draw(st.floats(800, 1200))
    return [round(length * n) for n in (flat * math.cos(azimuth), flat * math.sin(azimuth), height)]


@st.composite
def pair(draw: st.DrawFn) -> list[list[int]]:
    a, b = draw(vector()), draw(vector())
    if draw(st.booleans()):  # a small angle
        b = [n + draw(st.integers(-90, 90)) for n in a]
    return [a, b]


def degrees(a: list[int], b: list[int]) -> float:
    cross = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return math.degrees(
        math.atan2(math.hypot(*cross), sum(p * q for p, q in zip(a, b, strict=True)))
    )


@settings(max_examples=12, deadline=None)
@given(st.lists(pair(), min_size=50, max_size=100))
def test_angles_are_right_within_their_rounding(pairs: list[Any]) -> None:
    edges = [
        [[0, 0, 1000], [0, 0, 1000]],
        [[0, 0, 1000], [0, 0, -1000]],
        [[900, 0, 0], [0, 0, 990]],
    ]
    found = micro.run(ANGLES, [*edges, *pairs])
    assert [half for half, _ in found[:3]] == [0, 360, 180]
    for (a, b), (half, reference) in zip([*edges, *pairs], found, strict=True):
        assert abs(half / 2 - degrees(a, b)) < 0.3
        axis = [0, 0, 0]
        longest = max(range(3), key=lambda i: abs(a[i]))
        axis[longest] = 1000 if a[longest] > 0 else -1000
        off = degrees(a, axis)
        if abs(off - 10) > 0.4:
            assert reference == (a if off < 10 else axis)


SCAN = """
import sys, json
from array import array
from lampione_node.drivers.lis3dh import scan, root
for samples, mean in json.loads(sys.stdin.readline()):
    buf = bytearray(192)
    for i, word in enumerate(samples):
        buf[2 * i] = word & 255
        buf[2 * i + 1] = word >> 8 & 255
    sums = array("i", [7, 7, 7, 7] + mean)
    scan(buf, len(samples) // 3, sums)
    print(json.dumps(list(sums[:4]) + [root(sums[3])]))
"""


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 32).flatmap(
                lambda n: st.lists(st.integers(-32768, 32767), min_size=3 * n, max_size=3 * n)
            ),
            st.lists(st.integers(-2048, 2047), min_size=3, max_size=3),
        ),
        min_size=5,
        max_size=20,
    )
)
def test_a_block_of_samples_is_summed_as_written_plainly(batch: list[Any]) -> None:
    for (samples, mean), found in zip(batch, micro.run(SCAN, batch), strict=True):
        words = [word >> 4 for word in samples]
        axes = [words[axis::3] for axis in range(3)]
        peak = max(
            sum((axes[axis][i] - mean[axis]) ** 2 for axis in range(3)) for i in range(len(axes[0]))
        )
        assert found == [*(sum(axis) for axis in axes), peak, math.isqrt(peak)]


BYTES = """
import asyncio, json
from lampione_node.drivers.lis3dh import Lis3dh
class Bus:
    def __init__(self):
        self.registers = {0x0F: 0x33, 0x2E: 0, 0x2F: 0x20}
        self.log = []
    def readfrom_mem_into(self, address, register, buf):
        self.log.append([address, register, len(buf)])
        if register == 0xA8:
            # -16 mg, 32 mg, 1000 mg; left-justified 12 bits
            buf[:] = bytes((0x00, 0xFF, 0x00, 0x02, 0x80, 0x3E)) * (len(buf) // 6)
            return
        for i in range(len(buf)):
            buf[i] = self.registers.get((register & 0x7F) + i, 0)
    def writeto_mem(self, address, register, data):
        self.log.append([address, register, bytes(data).hex()])
        self.registers[register] = data[0]
        if register == 0x2E and data[0]:
            self.registers[0x2F] = 10
bus = Bus()
made = Lis3dh(bus)
print(json.dumps(bus.log))
print(json.dumps(asyncio.run(made.measure())))
print(json.dumps(bus.log))
print(json.dumps(made.watch.state()))
"""


def test_bytes_of_the_data_sheet() -> None:
    before, found, log, state = micro.run(BYTES)
    assert before == []
    assert found == [-16, 32, 1000, 0]
    assert [entry[1:] for entry in log] == [
        [0xAE, 2],
        [0x0F, 2],
        [0x20, "57"],
        [0x23, "88"],
        [0x24, "40"],
        [0x2E, "00"],
        [0x2E, "80"],
        [0xAE, 2],
        [0xA8, 60],
    ]
    assert {entry[0] for entry in log} == {0x18}
    assert state == OK


def start(bench: VirtualBench, pole: Pole, **settings: int) -> VirtualBoard:
    world = World(street=None, air=SteadyAir(), i2c=[Lis3dh(pole)])
    return i2c_rig.board(bench, world, tilt=settings)


def lean(made: VirtualBoard) -> int | None:
    found: int | None = i2c_rig.minutes(made)[-1]["lean"]
    return found


def test_a_pole_that_leans_from_the_start_is_seen_with_a_reference() -> None:
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(tilt_deg=7.0, azimuth_deg=130.0), ref_z=1000)
        bench.run_for(125)
        assert lean(made) == pytest.approx(14, abs=1)
        [event] = i2c_rig.events(made)
        assert event[:2] == [TILTED, SEVERE]
        assert event[2] == pytest.approx(14, abs=1)


def test_without_a_reference_the_first_minute_counts_unless_it_lies_far_off() -> None:
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(tilt_deg=4.0))
        bench.run_for(182)
        assert i2c_rig.minutes(made)[-1]["tilt"][0] == [OK]
        assert lean(made) in (0, 1)
        made.world.set("lis3dh.pole", tilt_deg=12.0)
        bench.run_for(120)
        assert lean(made) == pytest.approx(16, abs=1)
        assert [event[0] for event in i2c_rig.events(made)] == [TILTED]
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(tilt_deg=14.0))
        bench.run_for(182)
        assert lean(made) == pytest.approx(28, abs=1)


def test_tilt_has_hysteresis() -> None:
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(), ref_z=1000)
        for tilt in (5.3, 4.7, 5.3, 4.7, 5.3):
            made.world.set("lis3dh.pole", tilt_deg=tilt)
            bench.run_for(120)
        assert len(i2c_rig.events(made)) == 1
        made.world.set("lis3dh.pole", tilt_deg=3.5)
        bench.run_for(120)
        made.world.set("lis3dh.pole", tilt_deg=6.0)
        bench.run_for(120)
        assert [event[0] for event in i2c_rig.events(made)] == [TILTED, TILTED]


def test_a_swaying_pole_is_no_event() -> None:
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(), ref_z=1000)
        for sway_deg, sway_hz in ((5.0, 0.5), (8.0, 1.0), (4.0, 2.3)):
            made.world.set("lis3dh.pole", sway_deg=sway_deg, sway_hz=sway_hz)
            bench.run_for(240)
            assert lean(made) in (0, 1)
        assert i2c_rig.events(made) == []


def test_shocks_of_10_ms_are_caught_whenever_they_come() -> None:
    """Thirty of them, 4 g each way, at every phase of sample and reading; one event each."""
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(), ref_z=1000)
        bench.run_for(10)
        for number in range(30):
            made.world.call("lis3dh", "hit", 4.0 if number & 1 else -4.0, 0.01, number % 3)
            bench.run_for(10.0037)
        found = i2c_rig.events(made)
        assert [event[:2] for event in found] == [[IMPACT, SEVERE]] * 30
        peaks = [event[2] for event in found]
        assert min(peaks) > 600, peaks  # of 4000: the part's filter
        assert max(peaks) < 2500
        assert lean(made) in (0, 1)


def test_a_series_of_shocks_is_one_event_until_it_is_quiet() -> None:
    with VirtualBench(clock="virtual") as bench:
        made = start(bench, Pole(), ref_z=1000)
        bench.run_for(10)
        for _ in range(20):  # a pile driver beside it, for 10 s
            made.world.call("lis3dh", "hit", 6.0)
            bench.run_for(0.5)
        bench.run_for(10)
        assert len(i2c_rig.events(made)) == 1
        made.world.call("lis3dh", "hit", 1.0)  # a bump below the limit
        bench.run_for(5)
        assert len(i2c_rig.events(made)) == 1


def test_the_models_filter_is_that_of_one_pole() -> None:
    """The closed form against small steps."""
    shock = Shock(0.0, 3.0, 0.01, 0)
    bandwidth_hz = 100 / 9
    value, step_s = 0.0, 1e-6
    for i in range(60_000):
        if i % 5000 == 0:
            assert shock.filtered_g(i * step_s, bandwidth_hz) == pytest.approx(value, abs=1e-3)
        t = i * step_s
        push = 3.0 * math.sin(math.pi * t / 0.01) if t < 0.01 else 0.0
        value += (push - value) * math.tau * bandwidth_hz * step_s


def test_the_models_blocks() -> None:
    parts = [Lis3dh(Pole(tilt_deg=2, sway_deg=1)) for _ in range(2)]
    for part in parts:
        for register, value in ((0x20, 0x57), (0x23, 0x88), (0x24, 0x40), (0x2E, 0x80)):
            assert part.write(bytes([register, value]), 0.0)
    blocks, samples = parts
    for n in range(1, 111):  # 27 s: what repeats itself does so after ten
        now_s = n / 4 + 0.001
        singles = []
        for at in range(25):
            assert samples.write(b"\xa8", now_s - 0.24 + at / 100)
            singles.append(samples.read(6, now_s - 0.24 + at / 100))
        assert blocks.write(b"\xa8", now_s)
        block = blocks.read(150, now_s)
        assert block is not None
        assert [block[at : at + 6] for at in range(0, 150, 6)] == singles


def test_the_models_fifo() -> None:
    part = Lis3dh(Pole())
    for register, value in ((0x20, 0x57), (0x23, 0x88), (0x24, 0x40), (0x2E, 0x80)):
        assert part.write(bytes([register, value]), 0.0)
    assert part.write(b"\x2f", 0.105)
    assert part.read(1, 0.105) == bytes([0x80 | 10])
    assert part.write(b"\xa8", 0.105)
    data = part.read(60, 0.105)
    assert data is not None
    z = int.from_bytes(data[4:6], "little", signed=True)
    assert z >> 4 == pytest.approx(1000, abs=8)
    assert z & 63 == 0  # the FIFO holds 10 bits
    assert part.write(b"\x2f", 0.106)
    assert part.read(1, 0.106) == b"\x20"
    assert part.write(b"\x2f", 0.9)
    assert part.read(1, 0.9) == bytes([0x80 | 0x40 | 31])  # overrun
