"""Sensirion SPS30: particulate matter, on I2C (datasheet version 2). On a UART: sps30_uart.py.

What the datasheet leaves open is settled so: a command that the state does not allow is
acknowledged on I2C and does nothing; measured values cannot be read before there are any; until a
reading is stable (table 1: 8, 16 or 30 s by the number of particles) it grows towards the truth.
"""

import math
import struct
from collections.abc import Callable

from lampione_hil.virtual.devices.base import I2CDevice
from lampione_hil.virtual.devices.sht45 import crc8
from lampione_hil.virtual.dust import Dust, Masses

IDLE, MEASURING, ASLEEP = range(3)
FLOAT, UINT16 = 3, 5
SPEED, LASER, FAN = 1 << 21, 1 << 5, 1 << 4
ERRORS = LASER | FAN

_SAMPLE_S = 1.0
_CLEANING_S = 10.0
_INTERVAL_S = 604800
_AWAKE_S = 0.1  # the interface after a pulse, without a wake-up command
_CHECKS_S = 2.0  # two checks in a row, one a second
_SPIN_UP_S = 3.0  # the fan's speed is not checked before
_PER_CM3 = (5.8, 6.9, 7.2, 7.25, 7.3)  # particles up to 0.5 .. 10 µm for each µg/m³ of PM2.5

FAULTS = ("", "stuck", "crc", "silent", "brownout", "implausible", "fan", "laser", "speed")
TYPE = b"00080000"


class Refused(Exception):
    """A command was not done; `code` is SHDLC's (table 6)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Sps30Core:
    """What is behind both interfaces.

    Faults: "stuck" new values that are always the same, "brownout" as after power-up, once,
    "implausible" 20 times the mass, "fan", "laser", "speed" the bits of the status register
    (a blocked fan's values fall to nothing); "crc", "silent" and "half" are of the interface.
    """

    def __init__(
        self,
        dust: Dust | None = None,
        serial: str = "A1B2C3D4E5F60708",
        firmware: tuple[int, int] = (2, 3),
    ) -> None:
        self.dust = dust or Dust()
        self.serial = serial
        self.firmware = firmware
        self.fault = ""
        self.interval_s = _INTERVAL_S  # in memory that stays
        self.cleanings = 0
        self.forget()

    def forget(self) -> None:
        """Be as after power-up."""
        self.state = IDLE
        self.status = 0
        self.format = FLOAT
        self.told_interval_s = self.interval_s
        self._started_s = 0.0
        self._clean_s = math.inf  # the next automatic cleaning
        self._cleaning_s = -math.inf  # the start of the last cleaning
        self._read_s = -math.inf  # the sample that was read last
        self._bad_s: float | None = None
        self._stuck: Masses | None = None

    def need(self, state: int) -> None:
        """Raise Refused in another state."""
        if self.state != state:
            raise Refused(0x43)

    def start(self, output: int, now_s: float) -> None:
        """Begin to measure."""
        if output not in (FLOAT, UINT16) or (output == UINT16 and self.firmware < (2, 0)):
            raise Refused(0x04)
        self.need(IDLE)
        self.state = MEASURING
        self.format = output
        self._started_s = now_s
        self._read_s = now_s
        self._cleaning_s = -math.inf
        self._clean_s = now_s + self.interval_s if self.interval_s else math.inf
        self._bad_s = None

    def stop(self) -> None:
        """End the measurement."""
        self.need(MEASURING)
        self.state = IDLE

    def sleep(self) -> None:
        """Go to sleep."""
        self.need(IDLE)
        self.state = ASLEEP

    def clean(self, now_s: float) -> None:
        """Start a fan cleaning."""
        self.need(MEASURING)
        self._cleaning_s = now_s
        self.cleanings += 1

    def set_interval(self, seconds: int, now_s: float) -> None:
        """Set the automatic cleaning's interval, 0 for none."""
        self.interval_s = seconds
        if self.firmware >= (2, 2):
            self.told_interval_s = seconds
        self._clean_s = now_s + seconds if seconds and self.state == MEASURING else math.inf

    def advance(self, now_s: float) -> None:
        """Let happen what happens by itself."""
        if self.state != MEASURING:
            return
        while self._clean_s <= now_s:
            self._cleaning_s = self._clean_s
            self._clean_s += self.interval_s
            self.cleanings += 1
        bit = {"fan": FAN, "laser": LASER, "speed": SPEED}.get(self.fault, 0)
        self.status &= bit | FAN  # only a fan failure stays until it is cleared
        unchecked = bit == SPEED and (
            now_s < self._started_s + _SPIN_UP_S or now_s < self._cleaning_s + _CLEANING_S
        )
        if not bit or unchecked:
            self._bad_s = None
        elif self._bad_s is None:
            self._bad_s = now_s
        elif now_s >= self._bad_s + _CHECKS_S:
            self.status |= bit

    def clear_status(self) -> None:
        """Clear the status register."""
        self.status = 0
        self._bad_s = None

    def _newest_s(self, now_s: float) -> float:
        """Return when the newest sample was taken; the start's time: there is none."""
        newest_s = self._started_s + math.floor((now_s - self._started_s) / _SAMPLE_S) * _SAMPLE_S
        if self._cleaning_s <= newest_s < self._cleaning_s + _CLEANING_S:
            before_s = math.floor((self._cleaning_s - self._started_s) / _SAMPLE_S) * _SAMPLE_S
            newest_s = self._started_s + before_s
        return newest_s

    def ready(self, now_s: float) -> bool:
        """Whether there are values that were not read yet."""
        self.advance(now_s)
        return self.state == MEASURING and self._newest_s(now_s) > self._read_s

    def values(self, now_s: float) -> bytes:
        """Return the newest values in the chosen format."""
        self.need(MEASURING)
        self.advance(now_s)
        at_s = self._newest_s(now_s)
        if at_s <= self._started_s:
            raise Refused(0x43)
        self._read_s = at_s
        masses = self._masses(at_s)
        particles = [masses.pm2_5 * n for n in _PER_CM3]
        size_um = 0.5 + 0.3 * (1 - masses.pm1 / masses.pm10 if masses.pm10 else 0)
        found = [*masses, *particles, size_um]
        if self.format == FLOAT:
            return struct.pack(">10f", *found)
        found[9] *= 1000  # nm
        return struct.pack(">10H", *(min(65535, round(value)) for value in found))

    def _masses(self, at_s: float) -> Masses:
        if self.fault == "stuck" and self._stuck is not None:
            return self._stuck
        truth = self.dust.at(at_s)
        particles = truth.pm2_5 * _PER_CM3[-1]
        stable_s = 8.0 if particles > 200 else 16.0 if particles > 100 else 30.0
        share = min(1.0, (at_s - self._started_s) / stable_s)
        if self.fault == "implausible":
            share = 20.0 + 1000.0 / max(truth.pm10, 1.0)
        elif self.fault == "fan":
            share = 0.01
        self._stuck = Masses(*(mass * share for mass in truth))
        return self._stuck


class Sps30(I2CDevice):
    """The part on I2C, address 0x69. Not acknowledged: anything while it works on a command.

    Faults: those of Sps30Core, "crc" wrong checksums, "silent" nothing is acknowledged.
    """

    name = "sps30"
    address = 0x69

    def __init__(
        self,
        dust: Dust | None = None,
        serial: str = "A1B2C3D4E5F60708",
        firmware: tuple[int, int] = (2, 3),
    ) -> None:
        self.core = Sps30Core(dust, serial, firmware)
        self._forget()

    def _forget(self) -> None:
        self.core.forget()
        self._pointer = 0
        self._busy_until_s = -math.inf
        self._awake_until_s = -math.inf

    @property
    def dust(self) -> Dust:
        """What it breathes."""
        return self.core.dust

    @dust.setter
    def dust(self, dust: Dust) -> None:
        self.core.dust = dust

    def cleanings(self) -> int:
        """Return how often the fan was cleaned."""
        return self.core.cleanings

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in FAULTS:
            raise ValueError(f"sps30 has no fault {kind!r}: {', '.join(FAULTS[1:])}")
        if kind == "brownout":
            self._forget()
        else:
            self.core.fault = kind

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._forget()

    def _deaf(self, now_s: float) -> bool:
        return self.core.fault == "silent" or now_s < self._busy_until_s

    def write(self, data: bytes, now_s: float) -> bool:
        """See I2CDevice."""
        if self._deaf(now_s):
            return False
        core = self.core
        core.advance(now_s)
        if core.state == ASLEEP:
            awake = now_s < self._awake_until_s
            self._awake_until_s = now_s + _AWAKE_S
            if not awake or data != b"\x11\x03":
                return False
            core.state = IDLE
            self._busy_until_s = now_s + 0.005
            return True
        if len(data) < 2:
            return not data
        self._pointer = data[0] << 8 | data[1]
        words = b""
        for at in range(2, len(data), 3):
            word = data[at : at + 2]
            if len(data) < at + 3 or crc8(word) != data[at + 2]:
                return False
            words += word
        try:
            busy_s = self._execute(self._pointer, words, now_s)
        except Refused:
            return True
        self._busy_until_s = now_s + busy_s
        return True

    def _execute(self, pointer: int, words: bytes, now_s: float) -> float:
        """Do a command; return how long that takes (table 8)."""
        core = self.core
        commands: dict[int, tuple[Callable[[], None], float]] = {
            0x0104: (core.stop, 0.020),
            0x1001: (core.sleep, 0.005),
            0x5607: (lambda: core.clean(now_s), 0.005),
            0xD210: (core.clear_status, 0.005),
            0xD304: (self._forget, 0.100),
        }
        if pointer == 0x0010 and len(words) == 2:
            core.start(words[0], now_s)
            return 0.020
        if pointer == 0x8004 and len(words) == 4:
            core.set_interval(int.from_bytes(words, "big"), now_s)
            return 0.020
        if pointer == 0x8004:
            return 0.005
        if pointer in commands:
            command, busy_s = commands[pointer]
            command()
            return busy_s
        return 0.0

    def read(self, length: int, now_s: float) -> bytes | None:
        """See I2CDevice."""
        if self._deaf(now_s) or self.core.state == ASLEEP:
            return None
        try:
            found = self._answer(now_s)
        except Refused:
            return None
        reply = bytearray()
        for at in range(0, len(found), 2):
            word = found[at : at + 2]
            reply += word
            reply.append(crc8(word) ^ (0x5A if self.core.fault == "crc" else 0))
        return bytes(reply[:length]).ljust(length, b"\xff")

    def _answer(self, now_s: float) -> bytes:
        core = self.core
        if self._pointer == 0x0202:
            return bytes([0, core.ready(now_s)])
        if self._pointer == 0x0300:
            return core.values(now_s)
        if self._pointer == 0x8004:
            return core.told_interval_s.to_bytes(4, "big")
        if self._pointer == 0xD002:
            return TYPE
        if self._pointer == 0xD033:
            return core.serial.encode().ljust(32, b"\0")
        if self._pointer == 0xD100:
            return bytes(core.firmware)
        if self._pointer == 0xD206 and core.firmware >= (2, 2):
            core.advance(now_s)
            return core.status.to_bytes(4, "big")
        raise Refused(0x02)
