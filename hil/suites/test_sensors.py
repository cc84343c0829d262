"""Every part: what it senses reaches the report in time, and no fault of it ever does.

Limits of values: what the maker's data sheet allows, and half a step of the wire. Limits of time:
what the driver's file promises, and an interval.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from lampione_hil.board import BenchError
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import (
    CALLED,
    DOPPLER,
    I2C,
    LAMP,
    RADAR,
    SENSORS,
    SERIAL,
    SOUND,
    reports,
    states,
    value,
)
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import SteadyAir, Tone, World, WorldControl
from lampione_hil.virtual.devices.ads1115 import Ads1115
from lampione_hil.virtual.devices.bme280 import Bme280
from lampione_hil.virtual.devices.cells import Cells
from lampione_hil.virtual.devices.ld2415h import Ld2415h
from lampione_hil.virtual.devices.lis3dh import Lis3dh, Pole
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.devices.pms5003 import Pms5003
from lampione_hil.virtual.devices.pzem import Load, Pzem
from lampione_hil.virtual.devices.sds011 import Sds011
from lampione_hil.virtual.devices.sps30 import Sps30
from lampione_hil.virtual.devices.veml7700 import Light, Veml7700
from lampione_hil.virtual.doppler import DopplerLoop, DopplerSignal
from lampione_hil.virtual.dust import Dust
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_protocol import names, schema

Reports = list[dict[str, Any]]
INTERVAL_S = 5
AIR = SteadyAir(21.5, 40.0)
DUST = Dust(9.0, 14.0, 22.0)
# Particles without the water that the air's 40 % have put on them (Crilley et al. 2018).
DRY = 1 / (1 + 0.4 / 1.65 / (1 / 0.4 - 1))


@dataclass(frozen=True)
class Case:
    """A part, wired up alone (with what corrects it).

    Args:
        part: its model's name.
        sensor: what it is called in a report.
        settings: of the node.
        world: what it senses.
        readings: {field of the Report or Health: (true value, tolerance)}.
        settle_s: until it has warmed up and an interval is over.
        limit_s: until a fault must be seen; `stuck_s` the same of a reading that stands still
            (0: nobody can tell).
        back_s: until the value must be good again, a warm-up included.
    """

    part: str
    sensor: str
    settings: Mapping[str, Mapping[str, int | str]]
    world: Callable[[], World]
    readings: Mapping[str, tuple[float, float]]
    settle_s: int
    limit_s: int
    stuck_s: int
    back_s: int = 30
    lamp: Mapping[str, int] = field(default_factory=dict)
    flat: bool = False  # a line without a driver stands still

    def __str__(self) -> str:
        return self.part


def _i2c(*parts: Any, air: SteadyAir | None = AIR) -> Callable[[], World]:
    return lambda: World(street=None, air=air, i2c=[part() for part in parts])


def _uart(number: int, part: Callable[[], Any]) -> Callable[[], World]:
    return lambda: World(street=None, air=AIR, uarts={number: part()})


def _street() -> TrafficStreet:
    return TrafficStreet(seed=7, per_hour=1200)


CLIMATE = {"temperature": (21.5, 0.2), "humidity": (40.0, 2.0)}
# All three counters: ±10 %
PM = {
    "pm1": (9 * DRY, 1.0),
    "pm2_5": (14 * DRY, 0.1 * 14 * DRY),
    "pm10": (22 * DRY, 0.1 * 22 * DRY),
}
CASES = (
    # SHT45: ±0.1 °C, ±1 % typically
    Case("sht45", "climate", {"climate": I2C}, _i2c(), CLIMATE, 30, 50, 620),
    # BME280: ±0.5 °C at 25 °C, ±3 %
    Case(
        "bme280",
        "climate",
        {"climate": {**I2C, "kind": "bme280"}},
        _i2c(lambda: Bme280(AIR), air=None),
        {"temperature": (21.5, 0.5), "humidity": (40.0, 3.0)},
        30,
        50,
        620,
    ),
    Case(
        "sps30",
        "particulates",
        {"particulates": I2C, "climate": I2C},
        _i2c(lambda: Sps30(DUST)),
        PM,
        60,
        45,
        190,
        60,
    ),
    Case(
        "pms5003",
        "particulates",
        {"particulates": {**SERIAL, "kind": "pms5003"}, "climate": I2C},
        _uart(0, lambda: Pms5003(DUST)),
        PM,
        60,
        20,
        135,
        60,
    ),
    Case(
        "sds011",
        "particulates",
        {"particulates": {**SERIAL, "kind": "sds011"}, "climate": I2C},
        _uart(0, lambda: Sds011(DUST)),
        {name: PM[name] for name in ("pm2_5", "pm10")},
        60,
        20,
        315,
        60,
    ),
    # NO2-B43F, OX-B431: 15 ppb of noise (two standard deviations), a report of 5 s is one reading
    Case(
        "ads1115",
        "no2",
        {"gases": {**I2C, "warm_min": 1}, "climate": I2C},
        _i2c(lambda: Ads1115(Cells(AIR, 40.0, 60.0, noise_ppb=1.0))),
        {"no2": (40.0, 5.0), "o3": (60.0, 8.0)},
        120,
        35,
        75,
        95,
    ),
    # VEML7700: ±10 %
    Case(
        "veml7700",
        "light",
        {"light": I2C},
        _i2c(lambda: Veml7700(Light(500.0))),
        {"ambient_light": (500.0, 50.0)},
        30,
        50,
        620,
    ),
    Case(
        "lis3dh",
        "tilt",
        {"tilt": {**I2C, "ref_z": 1000}},
        _i2c(lambda: Lis3dh(Pole(tilt_deg=3.0, azimuth_deg=40.0))),
        {"tilt": (3.0, 0.5)},
        20,
        10,
        75,
    ),
    # PZEM-004T v3: ±0.5 %; the lamp at 50 % of 60 W
    Case(
        "pzem",
        "energy",
        {"energy": SERIAL, "lamp": LAMP},
        _uart(0, lambda: Pzem(Load(voltage_v=231.0), rated_w=60.0)),
        {"lamp_power": (30.0, 1.0), "voltage": (231.0, 1.2)},
        30,
        35,
        195,
        lamp={"design_percent": 50},
    ),
    Case(
        "ops243",
        "radar",
        {"radar": RADAR},
        _uart(1, lambda: Ops243(_street())),
        {},
        30,
        25,
        30,
    ),
    Case(
        "ld2415h",
        "radar",
        {"radar": {**RADAR, "kind": "ld2415h"}},
        _uart(1, lambda: Ld2415h(_street())),
        {},
        30,
        25,
        120,
    ),
    Case(
        "doppler",
        "radar",
        {"radar": DOPPLER},
        lambda: World(street=None, air=None, doppler=DopplerLoop(DopplerSignal(_street()), 0, 20)),
        {},
        30,
        15,
        15,
        flat=True,
    ),
    # ICS-43434: ±1 dB of sensitivity is calibrated away; the chain itself within 0.2 dB
    Case(
        "microphone",
        "sound",
        {"sound": SOUND},
        lambda: World(street=Tone(1000, 70.0), air=None, i2s_frames=1024),
        {"laeq": (70.0, 0.2), "lceq": (70.0, 0.3), "lafmax": (70.0, 0.2)},
        15,
        15,
        15,
        flat=True,
    ),
)


@pytest.fixture
def virtual_world(case: Case) -> World:
    """What the part under test senses."""
    return case.world()


def start(case: Case, node: Nodes) -> Any:
    """Return a node with the part alone."""
    return node(
        parts=case.settings,
        lamp=case.lamp,
        report_interval_s=INTERVAL_S,
        health_interval_s=INTERVAL_S,
        outbox_bytes=1 << 20,
    )


@pytest.mark.needs("world", "uplink")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value(case: Case, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure) -> None:
    """What the part senses is in the report, and its sensor valid."""
    made = start(case, node)
    clock.run_for(case.settle_s)
    report = reports(uplink, made)[-1]
    bit = report["valid"] >> SENSORS[case.sensor] & 1
    measure(f"{case.sensor} valid", bit, low=1, high=1)
    health = uplink.of(made, schema.HEALTH)[-1]
    state = health[f"state_{case.sensor}"]
    measure(f"{case.sensor} state", state, low=0, high=0)
    for name, (true, tolerance) in case.readings.items():
        kind, said = (schema.HEALTH, health) if name in health else (schema.REPORT, report)
        measure(name, value(said, name, kind), low=true - tolerance, high=true + tolerance)


def faults(case: Case) -> list[str]:
    """Return what to try: a model that has no such fault says so."""
    kinds = [kind for kind in CALLED if kind != "stuck" or case.stuck_s]
    if not any("i2c" in pins for pins in case.settings.values()) or case.part not in I2C_PARTS:
        kinds.remove("held")
    return kinds


I2C_PARTS = ("sht45", "bme280", "sps30", "ads1115", "veml7700", "lis3dh")


def break_it(world: WorldControl, case: Case, kind: str) -> bool:
    """Put a fault into the part; False: its model has no such one."""
    try:
        if kind == "unplugged":
            world.unplug(case.part)
        elif kind == "held":
            world.fault("i2c", "held")
        else:
            world.fault(case.part, kind)
    except BenchError:
        return False
    return True


def mend(world: WorldControl, case: Case, kind: str) -> None:
    """Take the fault away."""
    if kind == "unplugged":
        world.plug(case.part)
    else:
        world.heal("i2c" if kind == "held" else case.part)


@pytest.mark.needs("world", "uplink")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fault(
    case: Case,
    node: Nodes,
    world: WorldControl,
    clock: Clock,
    uplink: Uplink,
    measure: Measure,
) -> None:
    """Each fault turns the value invalid in time, under its name, and is over when it is mended."""
    made = start(case, node)
    clock.run_for(case.settle_s)
    begun_s = clock.now_s() - uptime_s(reports(uplink, made))
    spans = []
    for kind in faults(case):
        from_s = clock.now_s() - begun_s
        if not break_it(world, case, kind):
            continue
        clock.run_for(case.stuck_s if kind == "stuck" else case.limit_s)
        till_s = clock.now_s() - begun_s
        mend(world, case, kind)
        clock.run_for(case.back_s)
        spans.append((kind, from_s, till_s, clock.now_s() - begun_s))
    told = reports(uplink, made)
    changes = states(uplink, made, case.sensor)
    for kind, from_s, till_s, over_s in spans:
        said = {name for at, name in changes if from_s < at <= till_s + 6}
        expected = {"stuck"} if case.flat and kind != "clipped" else CALLED[kind]
        seen_s = first(told, case, from_s, till_s + INTERVAL_S, valid=False)
        limit_s = case.stuck_s if kind == "stuck" else case.limit_s
        if kind != "brownout":
            assert said & expected, (kind, said)
            measure(f"{kind}: seen", seen_s, low=0, high=limit_s + 1, unit="s")
        back_s = first(told, case, till_s, over_s, valid=True)
        measure(f"{kind}: good again", back_s, low=0, high=case.back_s, unit="s")
    assert len(spans) >= 2


def uptime_s(told: Reports) -> float:
    """Return the end of the latest report: the clock is unset, it counts from the boot."""
    last = told[-1]
    return float(last["start"] + last["duration_s"])


def first(told: Reports, case: Case, from_s: float, till_s: float, *, valid: bool) -> float | None:
    """Return how long after `from_s` the first report ended whose sensor is so; None: none did.

    Of those that count as good all later ones must be, too.
    """
    found = None
    for report in told:
        end_s = report["start"] + report["duration_s"]
        if from_s < end_s <= till_s:
            good = bool(report["valid"] >> SENSORS[case.sensor] & 1)
            if good == valid and found is None:
                found = end_s - from_s
            elif valid and not good:
                found = None
    return found


assert set(names.SENSORS) >= {case.sensor for case in CASES}
