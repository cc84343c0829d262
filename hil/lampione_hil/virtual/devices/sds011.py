"""Nova SDS011: particulate matter on a UART (specification and control protocol version 1.3).

What the maker leaves open is settled so: with a working period, a frame comes at the end of each
30 s of work.
"""

import struct

from lampione_hil.virtual.devices.stream import DustStream
from lampione_hil.virtual.dust import Dust, Masses

_ANYONE = b"\xff\xff"
_FIRMWARE = bytes([18, 11, 16])  # year, month, day


class Sds011(DustStream):
    """The part. Its settings stay without power: query mode, working period, id.

    Faults: those of DustStream.
    """

    name = "sds011"
    wrong = Masses(0.0, 900.0, 900.0, 100.0)

    def __init__(self, dust: Dust | None = None, identity: bytes = b"\xa1\x60") -> None:
        super().__init__(dust)
        self.identity = identity
        self.active = True
        self.period_min = 0
        self._in = b""

    def restart(self) -> None:
        """See DustStream."""
        self._in = b""

    def pause_s(self) -> float | None:
        """See DustStream."""
        if not self.active:
            return None
        return self.period_min * 60.0 if self.period_min else 1.0

    def measured(self, masses: Masses, now_s: float) -> tuple[int, int]:
        """See DustStream: PM2.5 and PM10 in 0.1 µg/m³."""
        del now_s
        return min(9999, round(masses.pm2_5 * 10)), min(9999, round(masses.pm10 * 10))

    def frame(self, values: tuple[int, int], spoilt: bool) -> bytes:
        """See DustStream."""
        return self._framed(0xC0, struct.pack("<2H", *values), spoilt)

    def _framed(self, kind: int, data: bytes, spoilt: bool = False) -> bytes:
        data += self.identity
        return bytes([0xAA, kind, *data, sum(data) + spoilt & 0xFF, 0xAB])

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        self._in = (self._in + data)[-64:]
        answer = b""
        while (at := self._in.find(b"\xaa\xb4")) >= 0 and len(self._in) >= at + 19:
            frame = self._in[at : at + 19]
            good = sum(frame[2:17]) & 0xFF == frame[17] and frame[18] == 0xAB
            if good and frame[15:17] in (_ANYONE, self.identity):
                answer += self._execute(frame, now_s)
            self._in = self._in[at + (19 if good else 1) :]
        return answer

    def _execute(self, frame: bytes, now_s: float) -> bytes:
        command, write, value = frame[2:5]
        if not self.running and command != 6:
            return b""
        if command == 2:
            if write:
                self.active = not value
            value = not self.active
        elif command == 4:
            return self.report(now_s)
        elif command == 5:
            self.identity = frame[13:15]
            return self.said(self._framed(0xC5, bytes([5, 0, 0, 0])))
        elif command == 6:
            if write:
                self.spin(bool(value))
            value = int(self.running)
        elif command == 7:
            return self.said(self._framed(0xC5, bytes([7]) + _FIRMWARE))
        elif command == 8:
            if write and value <= 30:
                self.period_min = value
                self._next_s = None
            value = self.period_min
        else:
            return b""
        return self.said(self._framed(0xC5, bytes([command, write, value, 0])))
