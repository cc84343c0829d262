"""The BME280: Bosch's integers against Bosch's floating point, the driver, the model."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import SteadyAir, VirtualBench, World
from lampione_hil.virtual.devices.bme280 import Bme280, Trim

from tests.node import i2c_rig, micro
from tests.node.i2c_rig import OK

VALUES = """
import sys, json
from lampione_node.drivers.bme280 import coefficients, compensated
for t, h1, h, raws in json.loads(sys.stdin.readline()):
    c = coefficients(t, h1, h)
    print(json.dumps([c, [compensated(c, *raw) for raw in raws]]))
"""


def registers(trim: Trim) -> tuple[list[int], int, list[int]]:
    found = trim.registers()
    low = [found[a] for a in range(0x88, 0x8E)]
    return low, found[0xA1], [found[a] for a in range(0xE1, 0xE8)]


trims = st.builds(
    Trim,
    t1=st.integers(26000, 30000),
    t2=st.integers(25000, 28000),
    t3=st.integers(-1000, 1000),
    h1=st.integers(60, 90),
    h2=st.integers(340, 400),
    h3=st.integers(0, 5),
    h4=st.integers(250, 400),
    h5=st.integers(-60, 60),
    h6=st.integers(20, 40),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(trims, min_size=5, max_size=20), st.data())
def test_integers_against_the_data_sheets_floating_point(made: list[Trim], data: Any) -> None:
    """Within 0.02 °C and 0.1 % from -40 to 85 °C and 0 to 100 %."""
    raws = st.lists(
        st.tuples(st.integers(280_000, 740_000), st.integers(15_000, 50_000)), min_size=5
    )
    batch = [[*registers(trim), data.draw(raws)] for trim in made]
    for trim, sent, (c, found) in zip(made, batch, micro.run(VALUES, batch), strict=True):
        assert c == [
            trim.t1,
            trim.t2,
            trim.t3,
            trim.h1,
            trim.h2,
            trim.h3,
            trim.h4,
            trim.h5,
            trim.h6,
        ]
        for (raw_t, raw_h), (t, h) in zip(sent[3], found, strict=True):
            celsius = trim.temperature_c(raw_t)
            if -40 <= celsius <= 85:
                assert t / 100 == pytest.approx(celsius, abs=0.02)
                right = trim.humidity_percent(raw_h, trim.fine(raw_t))
                assert h / 1024 == pytest.approx(min(100, max(0, right)), abs=0.1)


def test_the_data_sheets_example() -> None:
    """T1 27504, T2 26435, T3 -1000, raw 519888: 25.08 °C (data sheet of the BMP280, 3.12)."""
    trim = Trim(t1=27504, t2=26435, t3=-1000)
    [[_, [[t, _]]]] = micro.run(VALUES, [[*registers(trim), [[519888, 30000]]]])
    assert t == 2508


def test_air_of_every_kind() -> None:
    with VirtualBench(clock="virtual") as bench:
        world = World(street=None, air=SteadyAir(), i2c=[Bme280()])
        made = i2c_rig.board(bench, world, bme280={})
        for celsius, percent in (
            (-15.3, 88.0),
            (0.0, 20.0),
            (23.4, 45.0),
            (41.2, 12.0),
            (8.0, 100.0),
        ):
            made.world.air(SteadyAir(celsius, percent))
            bench.run_for(61)
            state, found = i2c_rig.minutes(made)[-1]["bme280"]
            assert state == [OK]
            assert found[0] == pytest.approx(celsius * 10, abs=1)
            assert found[1] == pytest.approx(percent, abs=1)


def test_another_part_in_its_place_is_calibrated_anew() -> None:
    with VirtualBench(clock="virtual") as bench:
        made = i2c_rig.board(
            bench, World(street=None, air=SteadyAir(20.0, 50.0), i2c=[Bme280()]), bme280={}
        )
        bench.run_for(62)
        made.world.unplug("bme280")
        made.world.set("bme280", trim=Trim(t1=27000, h2=390, h4=280))
        made.world.air(SteadyAir(20.0, 50.0))
        bench.run_for(30)
        made.world.plug("bme280")
        bench.run_for(92)
        state, found = i2c_rig.minutes(made)[-1]["bme280"]
        assert state == [OK]
        assert found[0] == pytest.approx(200, abs=1)
        assert found[1] == pytest.approx(50, abs=1)


def test_the_models_registers() -> None:
    part = Bme280(SteadyAir(25.0, 40.0))
    assert part.write(b"\xd0", 0.0)
    assert part.read(1, 0.0) == b"\x60"
    assert part.write(b"\xf7", 0.0)
    assert part.read(8, 0.0) == bytes.fromhex("8000008000008000")  # nothing measured
    assert part.write(bytes([0xF2, 1, 0xF4, 0x25]), 1.0)
    assert part.write(b"\xf3", 1.005)
    assert part.read(2, 1.005) == bytes([8, 0x25])  # it measures
    assert part.write(b"\xf3", 1.0094)
    assert part.read(2, 1.0094) == bytes([0, 0x24])  # it sleeps again
    assert part.write(b"\xfa", 1.01)
    data = part.read(5, 1.01)
    assert data is not None
    raw = int.from_bytes(data[:3], "big") >> 4
    assert part.trim.temperature_c(raw) == pytest.approx(25.0, abs=0.03)
    assert part.write(b"\xe0\xb6", 2.0)
    assert part.write(b"\xf2", 2.001)
    assert part.read(3, 2.001) == bytes([0, 1, 0])  # it copies its calibration
