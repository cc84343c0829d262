"""Plantower PMS5003: particulate matter on a UART (data manual version 2.3).

What the manual leaves open is settled so: the fast mode is 0.8 s and begins where PM2.5 differs by
more than a fifth from the frame before; the masses of CF=1 are those of the atmosphere up to
30 µg/m³ and half as much again above.
"""

import random
import struct

from lampione_hil.virtual.devices.stream import DustStream
from lampione_hil.virtual.dust import Dust, Masses

STABLE_S, FAST_S = 2.3, 0.8
_HEADER = b"BM"
_PER_TENTH_L = (170.0, 50.0, 9.0, 0.9, 0.3, 0.1)  # particles above 0.3 .. 10 µm for each µg/m³
_VERSION = 0x97


class Pms5003(DustStream):
    """The part; it sends by itself after power-up. Faults: those of DustStream.

    Commands: passive and active mode, read, sleep and wake-up; all but read are answered.
    """

    name = "pms5003"

    def __init__(self, dust: Dust | None = None) -> None:
        super().__init__(dust)
        self.restart()

    def restart(self) -> None:
        """See DustStream."""
        self.active = True
        self._pm2_5 = 0.0
        self._changed = False
        self._in = b""

    def pause_s(self) -> float | None:
        """See DustStream."""
        if not self.active:
            return None
        return FAST_S if self._changed else STABLE_S

    def measured(self, masses: Masses, now_s: float) -> tuple[int, ...]:
        """See DustStream: twelve numbers of the frame."""
        self._changed = abs(masses.pm2_5 - self._pm2_5) > 0.2 * max(self._pm2_5, 5.0)
        self._pm2_5 = masses.pm2_5
        air = [masses.pm1, masses.pm2_5, masses.pm10]
        factory = [mass * (1.5 if mass > 30 else 1.0) for mass in air]
        draw = random.Random(f"{self.dust.seed} counts {now_s:.1f}")  # noqa: S311 - not a key
        counts = [masses.pm2_5 * n * draw.gauss(1, 0.02) for n in _PER_TENTH_L]
        return tuple(min(65535, max(0, round(n))) for n in (*factory, *air, *counts))

    def frame(self, values: tuple[int, ...], spoilt: bool) -> bytes:
        """See DustStream."""
        return _framed(struct.pack(">12HBB", *values, _VERSION, 0), 1 if spoilt else 0)

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        self._in = (self._in + data)[-64:]
        answer = b""
        while (at := self._in.find(_HEADER)) >= 0 and len(self._in) >= at + 7:
            command = self._in[at : at + 7]
            if sum(command[:5]) == int.from_bytes(command[5:], "big"):
                answer += self._execute(command[2], command[4], now_s)
                self._in = self._in[at + 7 :]
            else:
                self._in = self._in[at + 1 :]
        return answer

    def _execute(self, command: int, value: int, now_s: float) -> bytes:
        if not self.running and (command, value) != (0xE4, 1):
            return b""
        if command == 0xE2:
            return b"" if self.active else self.report(now_s)
        if command == 0xE1:
            self.active = bool(value)
        elif command == 0xE4:
            self.spin(bool(value))
        else:
            return b""
        return self.said(_framed(bytes([command, value]), 0))


def _framed(data: bytes, wrong: int) -> bytes:
    frame = _HEADER + struct.pack(">H", len(data) + 2) + data
    return frame + struct.pack(">H", sum(frame) + wrong & 0xFFFF)
