"""Ambient light: ranges and the maker's curve, in integers on the node."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import SteadyAir, VirtualBench, World
from lampione_hil.virtual.devices.veml7700 import Light, Veml7700

from tests.node import i2c_rig, micro
from tests.node.i2c_rig import OK

CURVE = """
import sys, json
from lampione_node.drivers.veml7700 import corrected
for lux in json.loads(sys.stdin.readline()):
    print(corrected(lux))
"""


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1000, 25000), min_size=100, max_size=300))
def test_the_integers_follow_the_makers_polynomial(lights: list[int]) -> None:
    found = micro.run(CURVE, [1000, 25000, *lights])
    for x, y in zip([1000, 25000, *lights], found, strict=True):
        right = 6.0135e-13 * x**4 - 9.3924e-9 * x**3 + 8.1488e-5 * x**2 + 1.0023 * x
        assert y == pytest.approx(right, rel=0.002)


RANGES = """
import asyncio, json, sys
from lampione_node.drivers.veml7700 import Veml7700
class Bus:
    def __init__(self, counts):
        self.counts = counts
        self.config = 1
        self.log = []
    def readfrom_mem_into(self, address, register, buf):
        value = self.config if register == 0 else self.counts[self.config]
        buf[0] = value & 255
        buf[1] = value >> 8
    def writeto_mem(self, address, register, data):
        self.config = data[0] | data[1] << 8
        self.log.append([address, register, bytes(data).hex()])
for counts in json.loads(sys.stdin.readline()):
    bus = Bus({int(k): v for k, v in counts.items()})
    made = Veml7700(bus)
    assert not bus.log
    print(json.dumps([asyncio.run(made.measure()), bus.log, made.watch.state()]))
"""
COARSE, MIDDLE, FINE = "0013", "8010", "c008"  # low byte first


def test_bytes_and_ranges_of_the_application_note() -> None:
    """0.0042 lx a count at gain 2 and 800 ms, 0.1344 at 1/8 and 400 ms, 2.1504 at 1/8, 25 ms."""
    cases = [
        {0x1300: 900, 0x1080: 900, 0x08C0: 10000},  # 42.00 lx
        {0x1300: 100, 0x1080: 4000, 0x08C0: 65535},  # 537.6 lx
        {0x1300: 2000},  # 4300.8 lx, by the curve 5276
        {0x1300: 65535},  # more than the sun
        {0x1300: 0, 0x1080: 0, 0x08C0: 0},
    ]
    found = micro.run(RANGES, cases)
    values = [value for value, _, _ in found]
    assert values[:2] == [840, 10752]
    x = 4300.8
    right = 6.0135e-13 * x**4 - 9.3924e-9 * x**3 + 8.1488e-5 * x**2 + 1.0023 * x
    assert values[2] == pytest.approx(right * 20, rel=0.002)
    assert values[3:] == [None, 0]
    assert [state for _, _, state in found] == [OK, OK, OK, i2c_rig.IMPLAUSIBLE, OK]
    writes = [[data for _, _, data in log] for _, log, _ in found]
    off = {COARSE: "0113", MIDDLE: "8110", FINE: "c108"}
    assert writes[0] == [off[COARSE], COARSE, off[MIDDLE], MIDDLE, off[FINE], FINE]
    assert writes[1] == [off[COARSE], COARSE, off[MIDDLE], MIDDLE]
    assert writes[2] == [off[COARSE], COARSE]
    assert {(address, register) for _, log, _ in found for address, register, _ in log} == {(16, 0)}


def test_from_starlight_to_noon_and_back() -> None:
    with VirtualBench(clock="virtual") as bench:
        light = Light(0.05, flicker=0.001)
        world = World(street=None, air=SteadyAir(), i2c=[Veml7700(light)])
        made = i2c_rig.board(bench, world, ambient={})
        up = (0.05, 4.0, 60.0, 190.0, 700.0, 3000.0, 12000.0, 100_000.0)
        for lux in (*up, *reversed(up)):
            made.world.set("veml7700.light", lux=lux)
            bench.run_for(121)
            states, values = i2c_rig.minutes(made)[-1]["ambient"]
            assert states == [OK]
            assert values["22"] / 20 == pytest.approx(lux, rel=0.006, abs=0.03)


def test_darkness_may_repeat_itself() -> None:
    with VirtualBench(clock="virtual") as bench:
        world = World(street=None, air=SteadyAir(), i2c=[Veml7700(Light(0.0))])
        made = i2c_rig.board(bench, world, ambient={})
        bench.run_for(1205)
        assert {tuple(m["ambient"][0]) for m in i2c_rig.minutes(made)} == {(OK,)}
        assert i2c_rig.minutes(made)[-1]["ambient"][1] == {"22": 0}


def test_the_model_keeps_the_data_sheets_words() -> None:
    part = Veml7700(Light(42.0, flicker=0.0))
    assert part.write(b"\x00", 0.0)
    assert part.read(2, 0.0) == b"\x01\x00"  # shut down
    assert part.write(b"\x07", 0.0)
    assert part.read(2, 0.0) == b"\x81\xc4"
    assert part.write(bytes.fromhex("00c008"), 1.0)
    assert part.write(b"\x04", 1.5)
    assert part.read(2, 1.5) == b"\x00\x00"  # not before an integration
    assert part.write(b"\x04", 1.81)
    assert part.read(2, 1.81) == (10000).to_bytes(2, "little")
