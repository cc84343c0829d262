"""Gases, light, tilt and the BME280 on one board: each fault, what is said of it, and after it."""

from typing import Any

from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices.ads1115 import Ads1115
from lampione_hil.virtual.devices.bme280 import Bme280
from lampione_hil.virtual.devices.cells import Cells
from lampione_hil.virtual.devices.lis3dh import Lis3dh, Pole
from lampione_hil.virtual.devices.veml7700 import Light, Veml7700

from tests.node import i2c_rig
from tests.node.i2c_rig import IMPLAUSIBLE, OK, SILENT, STALE, STUCK, WARMING

AIR = SteadyAir(18.0, 55.0)
PARTS = {"gases": "ads1115", "ambient": "veml7700", "tilt": "lis3dh", "bme280": "bme280"}
STATES = {
    "stuck": STUCK,
    "crc": STALE,
    "silent": SILENT,
    "implausible": IMPLAUSIBLE,
    "unplug": SILENT,
}
KINDS = [*STATES, "brownout"]


def rig(bench: VirtualBench) -> VirtualBoard:
    world = World(
        street=None,
        air=AIR,
        i2c=[
            Ads1115(Cells(AIR, 25.0, 40.0)),
            Veml7700(Light(300.0)),
            Lis3dh(Pole(tilt_deg=2.0)),
            Bme280(AIR),
        ],
    )
    return i2c_rig.board(
        bench, world, gases={"warm_min": 2}, ambient={}, tilt={"ref_z": 1000}, bme280={}
    )


def healthy(minute: dict[str, Any]) -> None:
    states, values = minute["gases"]
    assert states == [OK, OK], minute
    assert abs(values["6"] - 25) <= 8
    assert abs(values["7"] - 40) <= 12
    states, values = minute["ambient"]
    assert states == [OK]
    assert abs(values["22"] - 6000) < 60
    assert minute["tilt"] == [[OK], {}]
    assert minute["lean"] in (4, 5, 3)
    assert minute["bme280"] == [[OK], [180, 55]]


def test_every_fault_of_every_part() -> None:
    """In each round every part has another fault; a fault of one never shows in another."""
    with VirtualBench(clock="virtual") as bench:
        made = rig(bench)
        bench.run_for(242)
        first = i2c_rig.minutes(made)
        assert first[0]["gases"][0] == [WARMING, WARMING]
        healthy(first[3])
        for number in range(len(KINDS)):
            faults = {
                part: KINDS[(number + shift) % len(KINDS)] for shift, part in enumerate(PARTS)
            }
            for part, kind in faults.items():
                if kind == "unplug":
                    made.world.unplug(PARTS[part])
                else:
                    made.world.fault(PARTS[part], kind)
            # light and climate are read every 10 s, and stuck after 60 readings
            slow = "stuck" in (faults["ambient"], faults["bme280"])
            bench.run_for(660 if slow else 240)
            seen = i2c_rig.minutes(made)[-11 if slow else -4 :]
            for part, kind in faults.items():
                states = [minute[part][0][0] for minute in seen]
                if kind == "brownout":
                    # all come back within the minute, the gas cells after their warm-up
                    assert states[0] == (WARMING if part == "gases" else OK), (part, states)
                    assert states[3] == OK
                elif kind == "stuck":
                    assert states[-1] == STUCK, (part, states)
                    if part in ("gases", "tilt"):  # documented: a minute
                        assert states[1] == STUCK
                else:
                    # in the first minute half of the readings may have been good before
                    assert set(states[1:]) == {STATES[kind]}, (part, kind, states)
                    assert states[0] in (STATES[kind], OK)
                if states[-1] != OK and part == "ambient":
                    assert seen[-1][part][1] == {}
                if states[-1] != OK and part == "gases":
                    assert seen[-1][part][1] == {}
            for part, kind in faults.items():
                if kind == "unplug":
                    made.world.plug(PARTS[part])
                elif kind != "brownout":
                    made.world.fault(PARTS[part], "")
            bench.run_for(180)
            healthy(i2c_rig.minutes(made)[-1])
        assert not i2c_rig.events(made)
