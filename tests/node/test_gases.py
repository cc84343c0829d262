"""Gas concentrations from electrodes: AAN 803-05 exactly, the cells' model, the node."""

from bisect import bisect_right
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import SteadyAir, VirtualBench, World
from lampione_hil.virtual.devices.ads1115 import Ads1115, Voltages
from lampione_hil.virtual.devices.cells import Cell, Cells

from tests.node import i2c_rig, micro
from tests.node.i2c_rig import OK, STALE, WARMING

# AAN 803-05, table of algorithm 1, at -30, -20, ..., 50 °C
N_NO2 = [Fraction(n) for n in ("1.3", "1.3", "1.3", "1.3", "1", "0.6", "0.4", "0.2", "-1.5")]
N_OX = [Fraction(n) for n in ("0.9", "0.9", "1", "1.3", "1.5", "1.7", "2", "2.5", "3.7")]
TYPICAL = [2250, 2450, 309, 2600, 3000, 298, 298]

SCRIPT = """
import sys, json
from lampione_node.sensing.gas import gases
for raw, unit, temperature in json.loads(sys.stdin.readline()):
    print(json.dumps(gases(raw, unit, temperature)))
"""


def interpolated(table: list[Fraction], celsius: Fraction) -> Fraction:
    knots = [Fraction(k) for k in range(-30, 51, 10)]
    i = min(bisect_right(knots, celsius), 8) - 1
    return table[i] + (table[i + 1] - table[i]) * (celsius - knots[i]) / 10


def exact(raw: list[int], unit: list[int], temperature: int) -> tuple[Fraction, Fraction]:
    """Return NO2 and O3 in ppb: the note's formulas in mV and mV/ppb."""
    we, ae, ox_we, ox_ae = (Fraction(n) * Fraction("0.0625") for n in raw)
    offsets = [Fraction(n, 10) for n in unit]
    sensitivity = [Fraction(n, 1000) for n in unit]
    celsius = Fraction(temperature, 10)
    no2 = (we - offsets[0]) - interpolated(N_NO2, celsius) * (ae - offsets[1])
    no2 /= sensitivity[2]
    o3 = (ox_we - offsets[3]) - interpolated(N_OX, celsius) * (ox_ae - offsets[4])
    return no2, (o3 - no2 * sensitivity[5]) / sensitivity[6]


# electrodes in steps of 62.5 µV up to 1.5 V; offsets 150 to 350 mV; sensitivities 100 to 600 µV/ppb
cases = st.tuples(
    st.lists(st.integers(0, 24000), min_size=4, max_size=4),
    st.tuples(
        *[
            st.integers(1500, 3500) if i not in (2, 5, 6) else st.integers(100, 600)
            for i in range(7)
        ]
    ).map(list),
    st.integers(-300, 500),
)


@settings(max_examples=12, deadline=None)
@given(st.lists(cases, min_size=60, max_size=120))
def test_integers_keep_to_the_stated_error(batch: list[Any]) -> None:
    found = micro.run(SCRIPT, batch)
    for (raw, unit, temperature), (no2, o3) in zip(batch, found, strict=True):
        right = exact(raw, unit, temperature)
        assert abs(Fraction(no2, 10) - right[0]) <= Fraction("0.05")
        limit = Fraction("0.05") * (1 + Fraction(unit[5], unit[6]))
        assert abs(Fraction(o3, 10) - right[1]) <= limit


def test_by_hand() -> None:
    """Worked with pencil: typical offsets, 20 °C (nT 0.6 and 1.7), and the table's ends."""
    zero = [3600, 3920, 4160, 4800]  # 225, 245, 260, 300 mV
    vectors = [
        (zero, TYPICAL, 200, [0, 0]),
        # NO2 WE + 30.875 mV: 99.92 ppb; the OX cell + 60.0 mV, of which 29.78 are NO2's: 101.4
        ([3600 + 494, 3920, 4160 + 960, 4800], TYPICAL, 200, [999, 1014]),
        # AE + 10 mV: at 20 °C -6 mV, at -30 °C -13 mV, at 50 °C +15 mV
        ([3600, 3920 + 160, 4160, 4800], TYPICAL, 200, [-194, 194]),
        ([3600, 3920 + 160, 4160, 4800], TYPICAL, -300, [-421, 421]),
        ([3600, 3920 + 160, 4160, 4800], TYPICAL, 500, [485, -485]),
        # OX AE + 10 mV at 25 °C: nT 1.85, -18.5 mV
        ([3600, 3920, 4160, 4800 + 160], TYPICAL, 250, [0, -621]),
        (zero, TYPICAL, -301, None),
        (zero, TYPICAL, 501, None),
    ]
    found = micro.run(SCRIPT, [vector[:3] for vector in vectors])
    assert found == [vector[3] for vector in vectors]


def test_the_cells_model_and_the_node_agree_at_every_temperature() -> None:
    """Both come from the note, written apart: without noise they differ by rounding only."""
    batch, right = [], []
    for temperature in range(-300, 501, 25):
        for no2, o3 in ((0.0, 0.0), (100.0, 20.0), (7.0, 180.0)):
            cells = Cells(SteadyAir(temperature / 10), no2, o3, noise_ppb=0.0)
            raw = [round(cells.at(channel, 0.0) / 62.5e-6) for channel in range(4)]
            batch.append((raw, TYPICAL, temperature))
            right.append((no2, o3))
    for found, wanted in zip(micro.run(SCRIPT, batch), right, strict=True):
        # half a step of the converter at each electrode is 0.1 ppb; nT grows to 3.7
        assert abs(found[0] / 10 - wanted[0]) < 0.4
        assert abs(found[1] / 10 - wanted[1]) < 0.9


def test_clean_air_is_never_negative_and_the_hour_gives_the_electrodes() -> None:
    with VirtualBench(clock="virtual") as bench:
        air = SteadyAir(5.0)
        world = World(street=None, air=air, i2c=[Ads1115(Cells(air, 0.0, 0.0))])
        made = i2c_rig.board(bench, world, gases={"warm_min": 0})
        bench.run_for(3602)
        found = i2c_rig.minutes(made)
        pairs = [(m["gases"][1]["6"], m["gases"][1]["7"]) for m in found]
        assert min(min(pair) for pair in pairs) == 0
        assert max(max(pair) for pair in pairs) < 15
        assert all(m["gases"][0] == [OK, OK] for m in found)
        cells = Cells(air, 0.0, 0.0, noise_ppb=0.0)
        for channel, tenths in enumerate(found[59]["raw"]):
            assert abs(tenths - cells.at(channel, 0.0) * 1e4) <= 2


def test_a_units_cells_are_read_by_its_certificate() -> None:
    air = SteadyAir(18.0)
    cells = Cells(air, 40.0, 60.0, noise_ppb=0.0)
    cells.no2 = Cell(0.231, 0.238, 250e-6, 0.0, cells.no2.ratio)
    cells.ox = Cell(0.271, 0.289, 350e-6, 420e-6, cells.ox.ratio)
    certificate = {"no2_we": 2310, "no2_ae": 2380, "no2_s": 250}
    certificate |= {"ox_we": 2710, "ox_ae": 2890, "ox_s_no2": 350, "ox_s_o3": 420}
    found = []
    for unit in (certificate, {}):
        with VirtualBench(clock="virtual") as bench:
            world = World(street=None, air=air, i2c=[Ads1115(cells)])
            made = i2c_rig.board(bench, world, gases={"warm_min": 0, **unit})
            bench.run_for(122)
            found.append(i2c_rig.minutes(made)[-1]["gases"][1])
    assert (found[0]["6"], found[0]["7"]) == (pytest.approx(40, abs=1), pytest.approx(60, abs=1))
    assert abs(found[1]["6"] - 40) > 5
    assert abs(found[1]["7"] - 60) > 5


def test_without_a_temperature_both_are_stale_and_come_back() -> None:
    with VirtualBench(clock="virtual") as bench:
        air = SteadyAir(18.0)
        world = World(street=None, air=air, i2c=[Ads1115(Cells(air))])
        made = i2c_rig.board(bench, world, gases={"warm_min": 0})
        bench.run_for(62)
        made.world.unplug("sht45")
        bench.run_for(1740)  # bridged for half an hour
        assert i2c_rig.minutes(made)[-1]["gases"][0] == [OK, OK]
        bench.run_for(180)
        assert i2c_rig.minutes(made)[-1]["gases"] == [[STALE, STALE], {}]
        made.world.plug("sht45")
        bench.run_for(120)
        last = i2c_rig.minutes(made)[-1]["gases"]
        assert last[0] == [OK, OK]
        assert set(last[1]) == {"6", "7"}


def test_the_warm_up_survives_a_restart_of_the_node_and_not_one_of_the_cells() -> None:
    with VirtualBench(clock="virtual") as bench:
        air = SteadyAir(18.0)
        world = World(street=None, air=air, i2c=[Ads1115(Cells(air))])
        made = i2c_rig.board(bench, world, gases={"warm_min": 3})
        bench.run_for(182)
        states = [m["gases"] for m in i2c_rig.minutes(made)]
        assert [s[0] for s in states[:2]] == [[WARMING] * 2] * 2
        assert all(s[1] == {} for s in states)
        bench.run_for(120)
        assert i2c_rig.minutes(made)[-1]["gases"][0] == [OK, OK]
        made.reset()  # the reset line: the supply stays
        bench.run_for(65)
        assert made.boots == 2
        assert i2c_rig.minutes(made)[-1]["minute"] == 1
        assert i2c_rig.minutes(made)[-1]["gases"][0] == [OK, OK]
        made.power_off()
        made.power_on()
        bench.run_for(65)
        assert i2c_rig.minutes(made)[-1]["gases"] == [[WARMING, WARMING], {}]


def test_a_cell_that_fails_takes_ozone_with_it_only_where_it_must() -> None:
    with VirtualBench(clock="virtual") as bench:
        air = SteadyAir(18.0)
        cells = Cells(air)
        world = World(street=None, air=air, i2c=[Ads1115(cells)])
        made = i2c_rig.board(bench, world, gases={"warm_min": 0})
        bench.run_for(62)
        # the OX cell's board is off: its outputs are at ground
        made.world.set("ads1115.inputs.ox", working_v=0.0, auxiliary_v=0.0)
        bench.run_for(120)
        states, values = i2c_rig.minutes(made)[-1]["gases"]
        assert states[0] == OK
        assert states[1] != OK
        assert set(values) == {"6"}
        made.world.set("ads1115.inputs.ox", working_v=0.26, auxiliary_v=0.3)
        made.world.set("ads1115.inputs.no2", working_v=0.0, auxiliary_v=0.0)
        bench.run_for(120)
        states, values = i2c_rig.minutes(made)[-1]["gases"]
        assert OK not in states
        assert values == {}


REGISTERS = """
import asyncio, json
from lampione_node.drivers.ads1115 import Ads1115
class Bus:
    def __init__(self):
        self.log = []
        self.register = {0: 0, 1: 0x8583, 2: 0x8000, 3: 0x7FFF}
    def readfrom_mem_into(self, address, register, buf):
        value = self.register[register]
        buf[0] = value >> 8
        buf[1] = value & 255
    def writeto_mem(self, address, register, data):
        self.log.append([address, register, bytes(data).hex()])
        self.register[register] = data[0] << 8 | data[1]
        if register == 1:
            channel = (data[0] >> 4) - 12
            self.register[0] = (0x8000, 0x7FFF, 0xFFFF, 0x0E10)[channel]
bus = Bus()
made = Ads1115(bus)
print(json.dumps(bus.log))
print(json.dumps(asyncio.run(made.measure())))
print(json.dumps(bus.log))
print(json.dumps(made.watch.state()))
"""


def test_bytes_of_the_data_sheet() -> None:
    """C583, D583, E583, F583; two's complement; 0E10 is 3600 steps, 225 mV."""
    before, found, log, state = micro.run(REGISTERS)
    assert before == []
    assert found == [-32768, 32767, -1, 3600]
    assert log[0][:2] == [0x48, 2]
    assert log[1:] == [[0x48, 1, word] for word in ("c583", "d583", "e583", "f583")]
    assert state == OK


def test_the_model_converts_as_the_data_sheet_says() -> None:
    part = Ads1115(Voltages(0.225, 1.024, -0.5, 3.3))
    assert part.write(b"\x01", 0.0)
    assert part.read(2, 0.0) == b"\x85\x83"
    for channel, right in enumerate((3600, 16384, -8000, 32767)):
        assert part.write(bytes([1, 0xC5 + 0x10 * channel, 0x83]), 1.0 + channel)
        busy, done = part.read(2, 1.007 + channel), part.read(2, 1.008 + channel)
        assert busy is not None
        assert busy[0] & 0x80 == 0
        assert done is not None
        assert done[0] & 0x80
        assert part.write(b"\x00", 1.01 + channel)
        raw = part.read(2, 1.01 + channel)
        assert raw is not None
        assert abs(int.from_bytes(raw, "big", signed=True) - right) <= 2
