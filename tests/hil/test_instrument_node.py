"""The instrument at a node: two boards with their real firmware, and wires between them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from lampione_hil.instrument import Instrument
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench, VirtualBoard
from lampione_protocol import names, schema

from tests.brokers import Broker, wait_until
from tests.hil import instrument_rig as rig
from tests.node.controller import DONE, Controller

NAME = "wired"
LAMP = 5
ENERGY, DUST, RADAR = range(3)  # UARTs of the node, and lines of the instrument
LEVEL_OP, READ_OP = names.OPS.index("level"), names.OPS.index("read")
PARTS = {
    "lamp": {"pin": LAMP},
    "climate": {"i2c": 0, "scl": 22, "sda": 21},
    "sound": {"i2s": 0, "sck": 14, "ws": 15, "sd": 32},
    "energy": {"uart": ENERGY, "tx": 1, "rx": 2},
    "particulates": {"kind": "sds011", "uart": DUST, "tx": 17, "rx": 18},
}


def crc8(data: bytes) -> int:
    """Return Sensirion's checksum: polynomial 0x31, begun with 0xFF."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def sht45(celsius: float, humidity: float) -> bytes:
    """Return what an SHT45 says of an air (data sheet: -45 + 175 t, -6 + 125 h)."""
    found = b""
    for raw in ((celsius + 45) / 175, (humidity + 6) / 125):
        word = round(raw * 65535).to_bytes(2, "big")
        found += word + bytes([crc8(word)])
    return found


def modbus(data: bytes) -> bytes:
    """Return a frame with its CRC-16, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return data + crc.to_bytes(2, "little")


def pzem(volts: float, amperes: float, watts: float) -> bytes:
    """Return what a PZEM-004T says: ten registers, of 32-bit values the low word first."""
    dw, ma = round(watts * 10), round(amperes * 1000)
    words = [round(volts * 10), ma & 0xFFFF, ma >> 16, dw & 0xFFFF, dw >> 16, 0, 0, 500, 95, 0]
    return modbus(b"\x01\x04\x14" + b"".join(w.to_bytes(2, "big") for w in words))


def sds011(pm2_5: float, pm10: float) -> bytes:
    """Return a frame of an SDS011 (control protocol 1.3)."""
    data = b"".join(round(v * 10).to_bytes(2, "little") for v in (pm2_5, pm10)) + b"\x12\x34"
    return b"\xaa\xc0" + data + bytes([sum(data) & 0xFF, 0xAB])


def dry(micrograms: float, humidity: float) -> float:
    """Return a reading in a Report's steps, without the water (kappa 0.4, see docs/sensors.md)."""
    return 2 * micrograms / (1 + 0.4 / 1.65 / (100 / humidity - 1))


@dataclass
class Bench:
    """A node, its instrument and its controller."""

    node: VirtualBoard
    instrument: Instrument
    controller: Controller

    def reported(self, field: str, what: Callable[[int], bool], timeout_s: float = 20) -> None:
        """Wait for a report whose field fits."""
        seen: list[int | None] = []

        def there() -> bool:
            seen[:] = [r[field] for r in self.controller.of(NAME, schema.REPORT)]
            return any(value is not None and what(value) for value in seen)

        wait_until(f"{field}: {seen}", there, timeout_s)

    def dim(self, percent: int) -> None:
        """Command a level, at once, and wait until it is done."""
        counter = self.controller.command(NAME, LEVEL_OP, level=percent, ramp=0, for_s=600)
        self.controller.outcome(NAME, counter, DONE)


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    try:
        with VirtualBench() as bench, Broker("nats", tmp_path_factory.mktemp("broker")) as broker:
            controller = Controller(broker)
            node = controller.node(bench, NAME, rig.QUIET, parts=PARTS)
            board = rig.board(bench, "instrument")
            bench.wire(node, LAMP, board, rig.PWM_IN)
            bench.wire(node, LAMP, board, rig.VOLTAGE, "volts", full_uv=10_000_000 // rig.DIVIDER)
            bench.wire(board, rig.RESET, node, -1, "reset")
            bench.wire(board, 0, node, 0, "i2c")
            bench.wire(board, 0, node, -1, "sound")
            for number in (ENERGY, DUST):
                bench.wire(board, number, node, number, "uart")
            board.power_on()
            with Instrument(board.port) as instrument:
                instrument.i2c_target(0x44, script=[(b"\xfd", sht45(21.5, 40.0), 0.008)])
                asked = modbus(b"\x01\x04\x00\x00\x00\x0a")
                instrument.answer_uart(ENERGY, asked, pzem(230.0, 0.2, 44.0), baud=9600)
                frame = sds011(12.5, 21.0)
                instrument.play_uart(DUST, frame, baud=9600, every_s=1.0, times=None)
                instrument.tone(1000, 80.0)
                node.power_on()
                wait_until("a report", lambda: controller.of(NAME, schema.REPORT))
                yield Bench(node, instrument, controller)
                assert not controller.errors
            controller.close()
    except NoInterpreterError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("percent", [100, 50, 7, 93, 3, 0])
def test_the_lamp_is_what_was_commanded(wired: Bench, percent: int) -> None:
    wired.dim(percent)
    found = wired.instrument.measure_pwm()
    assert found.duty_percent == pytest.approx(percent, abs=0.2)
    if percent in (0, 100):
        assert found.frequency_hz is None
    else:
        assert found.frequency_hz == pytest.approx(1000, rel=0.01)
    wait_until(
        "the filtered voltage",
        lambda: math.isclose(wired.instrument.millivolts(), percent * 100, abs_tol=5),
    )


def test_an_i2c_sensor_that_it_plays_is_reported(wired: Bench) -> None:
    wired.reported("temperature", lambda value: value == 215)
    wired.reported("humidity", lambda value: value == 40)
    assert set(wired.instrument.i2c_heard()) == {b"\xfd"}


def test_a_meter_that_it_answers_for_is_reported(wired: Bench) -> None:
    wired.reported("lamp_power", lambda value: value == 88)  # steps of 0.5 W


def test_a_tone_that_it_plays_is_reported(wired: Bench) -> None:
    wired.reported("laeq", lambda value: abs(value - 800) <= 3)


def test_a_sensor_that_speaks_by_itself_is_heard(wired: Bench) -> None:
    """It warms up for 30 s by its driver's clock: here it is not silent; the soak waits."""
    counter = wired.controller.command(NAME, READ_OP)
    wired.controller.outcome(NAME, counter, DONE)
    wait_until("its health", lambda: wired.controller.of(NAME, schema.HEALTH))
    health = wired.controller.of(NAME, schema.HEALTH)[-1]
    assert names.SENSOR_STATES[health["state_particulates"]] in ("warming", "ok")


@pytest.mark.soak
def test_a_sensor_that_speaks_by_itself_is_reported(wired: Bench) -> None:
    wired.reported("pm2_5", lambda value: abs(value - dry(12.5, 40)) <= 1, 60)
    wired.reported("pm10", lambda value: abs(value - dry(21.0, 40)) <= 1)


def test_reset_restarts_the_node(wired: Bench) -> None:
    boots = wired.node.boots
    hellos = len(wired.controller.hellos[NAME])
    wired.instrument.press_reset(0.1)
    wired.node.wait_boots(boots + 1)
    wait_until("its hello", lambda: len(wired.controller.hellos[NAME]) > hellos)
    hello = wired.controller.hellos[NAME][-1]
    assert hello["boot"] == wired.controller.hellos[NAME][0]["boot"] + 1
    assert hello["reset_cause"] == 0
