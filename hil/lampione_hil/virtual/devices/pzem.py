"""Peacefair PZEM-004T v3 (100 A): a meter of the mains, a Modbus-RTU slave at 9600 8N1 (V3 manual).

Input registers 0-9: 0.1 V; mA, 0.1 W and Wh of 32 bits, low word first; 0.1 Hz; power factor in
hundredths; alarm FFFF above the threshold. Holding registers 1, 2: threshold (W), address (1 to
247); 0xF8 is an address that every slave of its own line answers to, 0 one that none answers.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from lampione_hil.virtual.devices.base import UartDevice

Value = float | Callable[[float], float]

GENERAL = 0xF8
STANDBY_W = 0.5
_GAP_S = 0.05  # a new frame begins after it; the standard's 4 ms no computer's clock keeps
_START_S = 1.0  # after power-up
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_DATA = 1, 2, 3
_FAULTS = ("", "stuck", "crc", "silent", "half", "exception", "implausible", "brownout")


@dataclass
class Load:
    """What hangs on the mains: numbers, or functions of the world's seconds (that pickle).

    noise_v: how far the voltage of one moment is from that of the next, at most; 0: it stands
        still, as no mains does.
    """

    voltage_v: Value = 230.0
    power_w: Value = 0.0
    power_factor: Value = 0.95
    frequency_hz: Value = 50.0
    noise_v: float = 0.4


def at(value: Value, now_s: float) -> float:
    """Return what a value is now."""
    return value(now_s) if callable(value) else value


def crc16(data: bytes) -> bytes:
    """CRC-16 of Modbus, in the order of the wire: 01 04 00 00 00 0A -> 70 0D."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc, low = crc >> 1, crc & 1
            crc ^= 0xA001 * low
    return crc.to_bytes(2, "little")


class Pzem(UartDevice):
    """The part with `load` behind it: of a lamp of `rated_w` it follows the board's PWM.

    Faults: "stuck" repeats the last measurement, "crc" sends wrong checksums, "silent" nothing,
    "half" ends in the middle of an answer, "exception" answers with error 4 (slave), "implausible"
    measures 400 V; "brownout" loses the measurement and starts again (its settings outlive that).
    """

    name = "pzem"
    baud = 9600

    def __init__(self, load: Load | None = None, address: int = 1, rated_w: float = 0.0) -> None:
        self.load = load or Load()
        self.rated_w = rated_w
        self.address = address
        self.threshold_w = 23_000
        self.energy_wh = 0.0
        self._fault = ""
        self._typed = b""
        self._typed_s = 0.0
        self._since_s: float | None = None  # energy is counted up to here
        self._silent_s = 0.0
        self._brownout = False
        self._last: bytes | None = None
        self._dice = random.Random(4)  # noqa: S311 - noise, not a key

    def dim(self, level: float) -> None:
        """See Part. A driver takes half a watt by itself, and in proportion above that."""
        if self.rated_w:
            self.load.power_w = STANDBY_W + self.rated_w * level

    def draw(self, load: Load) -> None:
        """Hang another load on it; the energy goes on."""
        self.load = load

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in _FAULTS:
            raise ValueError(f"pzem has no fault {kind!r}: {', '.join(_FAULTS[1:])}")
        if kind == "brownout":
            self._brownout = True
        else:
            self._fault = kind

    def power_up(self, now_s: float) -> None:
        """See Part."""
        self._typed = b""
        self._since_s = now_s
        self._silent_s = now_s + _START_S

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        self._count(now_s)
        if self._brownout:
            self._brownout = False
            self.power_up(now_s)
        if now_s - self._typed_s > _GAP_S:
            self._typed = b""
        self._typed_s = now_s
        self._typed += data
        if len(self._typed) < 4:
            return b""
        length = 4 if self._typed[1] == 0x42 else 8
        if len(self._typed) < length:
            return b""
        frame, self._typed = self._typed, b""
        if len(frame) != length or crc16(frame[:-2]) != frame[-2:]:
            return b""
        if frame[0] not in (self.address, GENERAL, 0) or now_s < self._silent_s:
            return b""
        said = self._answer(frame[1], frame[2:-2], now_s)
        return b"" if frame[0] == 0 or not said else self._sent(frame[:1] + said)

    def _count(self, now_s: float) -> None:
        if self._since_s is not None:
            power_w = _over(at(self.load.power_w, now_s), 0.4)
            self.energy_wh += power_w * (now_s - self._since_s) / 3600
        self._since_s = now_s

    def _answer(self, function: int, body: bytes, now_s: float) -> bytes:
        """Return function and data, or nothing."""
        if self._fault == "exception":
            return bytes([function | 0x80, 4])
        if function == 0x42:
            self.energy_wh = 0.0
            return bytes([function])
        first, value = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:], "big")
        if function == 0x04:
            return self._read(function, self._measured(now_s), first, value, 0)
        if function == 0x03:
            registers = [self.threshold_w, self.address]
            return self._read(
                function, b"".join(r.to_bytes(2, "big") for r in registers), first, value, 1
            )
        if function != 0x06:
            return bytes([function | 0x80, _ILLEGAL_FUNCTION])
        if first == 1:
            self.threshold_w = value
        elif first == 2 and 1 <= value <= 247:
            self.address = value
        else:
            return bytes([function | 0x80, _ILLEGAL_DATA if first == 2 else _ILLEGAL_ADDRESS])
        return bytes([function]) + body

    def _read(self, function: int, data: bytes, first: int, count: int, base: int) -> bytes:
        part = data[2 * (first - base) : 2 * (first - base + count)]
        if first < base or not count or len(part) != 2 * count:
            return bytes([function | 0x80, _ILLEGAL_ADDRESS])
        return bytes([function, len(part)]) + part

    def _measured(self, now_s: float) -> bytes:
        if self._fault == "stuck" and self._last is not None:
            return self._last
        load = self.load
        power_w = _over(at(load.power_w, now_s), 0.4)
        voltage_v = at(load.voltage_v, now_s) + self._dice.uniform(-1, 1) * load.noise_v
        if self._fault == "implausible":
            voltage_v = 400.0
        factor = at(load.power_factor, now_s) if power_w else 0.0
        current_a = _over(power_w / (voltage_v * factor), 0.02) if factor else 0.0
        words = [
            round(voltage_v * 10),
            *_low_first(round(current_a * 1000)),
            *_low_first(round(power_w * 10)),
            *_low_first(int(self.energy_wh) % 10_000_000),
            round(at(load.frequency_hz, now_s) * 10),
            round(factor * 100),
            0xFFFF if power_w > self.threshold_w else 0,
        ]
        self._last = b"".join(word.to_bytes(2, "big") for word in words)
        return self._last

    def _sent(self, data: bytes) -> bytes:
        data += crc16(data)
        if self._fault == "silent":
            return b""
        if self._fault == "half":
            self._fault = "silent"
            return data[: len(data) // 2]
        if self._fault == "crc":
            return data[:-1] + bytes([data[-1] ^ 0x5A])
        return data


def _low_first(number: int) -> tuple[int, int]:
    return number & 0xFFFF, number >> 16


def _over(value: float, least: float) -> float:
    """What lies below the part's start of measurement reads as nothing."""
    return value if value >= least else 0.0
