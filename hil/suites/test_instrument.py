"""What an instrument board plays to a real board reaches the report, and its faults never do.

Limits of values as in test_sensors; times are real. Virtual boards have models instead.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from lampione_hil.testing.clock import Clock
from lampione_hil.testing.measuring import Measure
from lampione_hil.testing.node import Nodes
from lampione_hil.testing.parts import I2C, LAMP, SENSORS, SERIAL, SOUND, reports, value
from lampione_hil.testing.uplink import Uplink
from lampione_hil.virtual import SteadyAir
from lampione_hil.virtual.devices.pzem import Load, Pzem
from lampione_hil.virtual.devices.sht45 import Sht45
from lampione_protocol import schema

INTERVAL_S = 5
ANSWER_S = 75.0  # two intervals, and what a driver needs to be sure of a fault
SHT45, PRECISELY, MEASURES_S = 0x44, b"\xfd", 0.009  # data sheet: 8.3 ms at most
READ_ALL = bytes.fromhex("01 04 00 00 00 0a 70 0d")  # PZEM-004T, its ten registers
PZEM_BAUD = 9600
ENERGY_UART = int(SERIAL["uart"])


@pytest.fixture
def player(board: Any) -> Iterator[Any]:
    """The instrument at the board, playing nothing."""
    player = board.instrument.meter
    player.stop()
    yield player
    player.stop()


def air(celsius: float, humidity: float, fault: str = "") -> list[tuple[bytes, bytes, float]]:
    """Return what an SHT45 in this air says, as its model does."""
    model = Sht45(SteadyAir(celsius, humidity))
    model.fault(fault)
    model.write(PRECISELY, 0.0)
    said = model.read(6, 1.0)
    assert said is not None
    return [(PRECISELY, said, MEASURES_S)]


def start(node: Nodes, **parts: dict[str, int | str]) -> Any:
    return node(
        parts={"lamp": LAMP, **parts},
        report_interval_s=INTERVAL_S,
        health_interval_s=INTERVAL_S,
    )


def valid(uplink: Uplink, made: Any, sensor: str) -> dict[str, Any] | None:
    """Return the latest report, if the sensor's value is in it."""
    found = reports(uplink, made)[-1:]
    return found[0] if found and found[0]["valid"] >> SENSORS[sensor] & 1 else None


def near(report: dict[str, Any] | None, name: str, wanted: float, within: float) -> bool:
    """Whether a report has a value, about the one that is played."""
    found = None if report is None else value(report, name)
    return found is not None and abs(found - wanted) < within


@pytest.mark.needs("instrument", "played-i2c", "uplink")
def test_air(
    board: Any, player: Any, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Temperature and humidity; a wrong checksum, then silence, and it comes back."""
    player.i2c_target(SHT45, script=air(21.5, 40.0))
    made = start(node, climate=I2C)

    def said(celsius: float) -> Any:
        report = valid(uplink, made, "climate")
        return report if near(report, "temperature", celsius, 0.3) else None

    report = clock.wait(lambda: said(21.5), "21.5 °C in a report", ANSWER_S)
    measure("temperature", value(report, "temperature"), low=21.3, high=21.7, unit="°C")
    measure("humidity", value(report, "humidity"), low=38.0, high=42.0, unit="%")
    for wrong in (air(60.0, 40.0, "crc"), None):
        player.i2c_target(None if wrong is None else SHT45, script=wrong)
        count = len(reports(uplink, made))

        def gone(count: int = count) -> bool:
            return len(reports(uplink, made)) > count and not valid(uplink, made, "climate")

        clock.wait(gone, "no value while its sensor is wrong", ANSWER_S)
    player.i2c_target(SHT45, script=air(10.0, 70.0))
    clock.wait(lambda: said(10.0), "10 °C in a report", ANSWER_S)
    told = [value(report, "temperature") for report in reports(uplink, made)]
    highest = max(celsius for celsius in told if celsius is not None)
    measure("highest temperature", highest, high=21.7, unit="°C")


@pytest.mark.needs("instrument", "played-uart", "uplink")
def test_power(
    board: Any, player: Any, node: Nodes, clock: Clock, uplink: Uplink, measure: Measure
) -> None:
    """Power and voltage of the lamp's meter; silence turns them invalid."""
    line = board.instrument.uart[ENERGY_UART]
    answer = Pzem(Load(voltage_v=231.5, power_w=44.0, noise_v=0.0)).feed(READ_ALL, 1.0)
    player.answer_uart(line, READ_ALL, answer, baud=PZEM_BAUD)
    made = start(node, energy=SERIAL)

    def said() -> Any:
        found = uplink.of(made, schema.HEALTH)[-1:]
        return found[0] if found and found[0]["state_energy"] == 0 else None

    health = clock.wait(said, "a meter that is well", ANSWER_S)
    clock.wait(lambda: valid(uplink, made, "energy"), "a valid power", ANSWER_S)
    report = reports(uplink, made)[-1]
    measure("power", value(report, "lamp_power"), low=43.5, high=44.5, unit="W")
    measure("voltage", value(health, "voltage", schema.HEALTH), low=231, high=232, unit="V")
    player.stop("uart")
    clock.wait(lambda: not said(), "the meter's silence", ANSWER_S)


@pytest.mark.needs("instrument", "played-tone", "uplink")
@pytest.mark.parametrize("db", [60, 80, 94])
def test_tone(
    db: int,
    board: Any,
    player: Any,
    node: Nodes,
    clock: Clock,
    uplink: Uplink,
    measure: Measure,
) -> None:
    """A tone of 1 kHz is what it is: the A-weighting leaves it alone (IEC 61672-1)."""
    player.tone(1000, float(db))
    made = start(node, sound=SOUND)

    def loud() -> Any:
        report = valid(uplink, made, "sound")
        return report if near(report, "laeq", db, 1.0) else None

    report = clock.wait(loud, f"{db} dB in a report", ANSWER_S)
    measure("LAeq", value(report, "laeq"), low=db - 0.7, high=db + 0.7, unit="dB")
