"""Sensirion SHT45: temperature and humidity on I2C (data sheet SHT4x, version 6)."""

import math

from lampione_hil.virtual.air import Air
from lampione_hil.virtual.devices.base import I2CDevice

# command -> (seconds until the result can be read, heater W)
_MEASURE = {
    0xFD: (0.0083, 0.0),
    0xF6: (0.0045, 0.0),
    0xE0: (0.0016, 0.0),
    0x39: (1.1, 0.200),
    0x32: (0.11, 0.200),
    0x2F: (1.1, 0.110),
    0x24: (0.11, 0.110),
    0x1E: (1.1, 0.020),
    0x15: (0.11, 0.020),
}
_FAULTS = ("stuck", "crc", "silent", "implausible", "brownout")
_SERIAL, _RESET = 0x89, 0x94
_COMMAND_S = 0.001  # soft reset and serial number
_HEATER_C_PER_W = 300.0  # about 60 °C at 200 mW after a second


def _shifted(crc: int) -> int:
    for _ in range(8):
        crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


_SHIFTED = bytes(_shifted(byte) for byte in range(256))


def crc8(word: bytes) -> int:
    """CRC-8 of the Sensirion parts: polynomial 0x31, start 0xFF (0xBEEF -> 0x92)."""
    crc = 0xFF
    for byte in word:
        crc = _SHIFTED[crc ^ byte]
    return crc


def saturation_hpa(temperature_c: float) -> float:
    """Saturation vapour pressure over water (Magnus)."""
    return 6.112 * math.exp(17.62 * temperature_c / (243.12 + temperature_c))


class Sht45(I2CDevice):
    """The part in `air`. Not acknowledged: anything while it measures, a read of nothing.

    Faults: "stuck" repeats the last reading, "crc" sends wrong checksums, "silent" acknowledges
    nothing, "implausible" is at 120 °C, "brownout" (at once, and over) loses what it measured.
    """

    name = "sht45"
    address = 0x44

    def __init__(self, air: Air, serial: int = 0x10203040) -> None:
        self.air = air
        self.serial = serial
        self._busy_until_s = 0.0
        self._words: tuple[int, int] | None = None
        self._last: tuple[int, int] | None = None
        self._fault = ""
        self._count = 0

    def move(self, air: Air) -> None:
        """See I2CDevice."""
        self.air = air

    def fault(self, kind: str) -> None:
        """See I2CDevice."""
        if kind not in ("", *_FAULTS):
            raise ValueError(f"sht45 has no fault {kind!r}: {', '.join(_FAULTS)}")
        if kind == "brownout":
            self._words = None
            kind = ""
        self._fault = kind

    def write(self, data: bytes, now_s: float) -> bool:
        """See I2CDevice."""
        if now_s < self._busy_until_s or self._fault == "silent":
            return False
        if not data:
            return True
        command = data[0]
        self._words = None
        if command in _MEASURE:
            wait_s, heater_w = _MEASURE[command]
            self._words = self._measure(heater_w * min(1.0, wait_s))
        elif command == _SERIAL:
            wait_s = _COMMAND_S
            self._words = (self.serial >> 16, self.serial & 0xFFFF)
        elif command == _RESET:
            wait_s = _COMMAND_S
        else:
            return False
        self._busy_until_s = now_s + wait_s
        return True

    def read(self, length: int, now_s: float) -> bytes | None:
        """See I2CDevice."""
        if now_s < self._busy_until_s or self._words is None:
            return None
        reply = b""
        for word in self._words:
            pair = word.to_bytes(2, "big")
            reply += pair + bytes([crc8(pair) ^ (0x5A if self._fault == "crc" else 0)])
        self._words = None
        return reply[:length].ljust(length, b"\xff")

    def _measure(self, heater_ws: float) -> tuple[int, int]:
        if self._fault == "stuck" and self._last is not None:
            return self._last
        temperature_c, humidity_percent = self.air.now()
        if self._fault == "implausible":
            temperature_c = 120.0
        if heater_ws:
            warm_c = temperature_c + heater_ws * _HEATER_C_PER_W
            humidity_percent *= saturation_hpa(temperature_c) / saturation_hpa(warm_c)
            temperature_c = warm_c
        # Its noise (repeatability 0.04 °C, 0.08 %): the lowest bits are never still.
        self._count += 1
        noise = self._count % 3 - 1
        words = (
            _clamp(round((temperature_c + 45) / 175 * 65535) + noise),
            _clamp(round((humidity_percent + 6) / 125 * 65535) - noise),
        )
        self._last = words
        return words


def _clamp(word: int) -> int:
    return max(0, min(65535, word))
