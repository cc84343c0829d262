"""HLK-LD2415H: a 24 GHz radar that measures the speed of vehicles (maker's protocol, V1).

Text lines `V+001.9` at 9600 baud while something moves, + inbound. Commands `43 46 n ... 0D 0A`:
1 least speed, angle, sensitivity; 2 direction (0 both, 1 inbound, 2 outbound), rate (0, 1, 2: 22,
11, 6 Hz), unit (0 km/h, 1 mph, 2 m/s); 7 and ten zeros asks for all. Settings outlive the power.
"""

import math

from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.devices.moving import Movement, Steady, Targets, ahead

FACTORY = (1, 0, 5, 1, 0, 0, 5, 3, 1, 1)  # X1 to X9 and X0
WEAKEST_DB = 12.0  # over the noise; the maker says none

_LENGTHS = {1: 8, 2: 8, 3: 8, 4: 8, 7: 13}
_RATES_HZ = (22, 11, 6)
_UNITS = (3.6, 3600 / 1609.344, 1.0)
_FAULTS = ("", "stuck", "crc", "silent", "half", "implausible", "brownout")


class Ld2415h(UartDevice):
    """The part before `movement`.

    Faults: "stuck" repeats the last line, "crc" spoils bytes of every line, "silent" says nothing,
    "half" ends in the middle of a line, "implausible" sees 999.9, "brownout" is back at the
    factory's settings at once.
    """

    name = "ld2415h"
    baud = 9600

    def __init__(self, movement: Movement | None = None) -> None:
        self.movement: Movement = movement or Steady()
        self.settings: list[int] = [*FACTORY]
        self._fault = ""
        self._typed = b""
        self._next_s: float | None = None
        self.forget()
        self._last = "V+020.0"

    def look(self, movement: Movement) -> None:
        """Put it before another street."""
        self.movement = movement
        self.forget()

    def forget(self) -> None:
        """See UartDevice."""
        self._known: dict[float, Targets] = {}

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind not in _FAULTS:
            raise ValueError(f"ld2415h has no fault {kind!r}: {', '.join(_FAULTS[1:])}")
        if kind == "brownout":
            self.settings = list(FACTORY)
            self.forget()
        else:
            self._fault = kind

    def power_up(self, now_s: float) -> None:
        """See Part."""
        del now_s
        self._typed = b""
        self._next_s = None

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        del now_s
        self._typed += data
        said = ""
        while True:
            at = self._typed.find(b"CF")
            if at < 0:
                self._typed = self._typed[-1:] if self._typed.endswith(b"C") else b""
                break
            self._typed = self._typed[at:]
            length = _LENGTHS.get(self._typed[2], 0) if len(self._typed) > 2 else 3
            if len(self._typed) < length:
                break
            frame, self._typed = self._typed[:length], self._typed[length or 2 :]
            said += self._command(frame)
        return self._sent(said)

    def _command(self, frame: bytes) -> str:
        if frame[2:3] == b"\x07" and not any(frame[3:]):
            values = " ".join(
                f"X{(n + 1) % 10}:{value:02X}" for n, value in enumerate(self.settings)
            )
            return f"No.:20230801E v5.0\r\n{values}\r\n"
        if frame[6:] == b"\r\n":
            first, count = {1: (0, 3), 2: (3, 3), 3: (6, 1), 4: (7, 2)}[frame[2]]
            self.settings[first : first + count] = frame[3 : 3 + count]
            self.forget()  # its reports may come at another rate
        return ""

    def _period_s(self) -> float:
        return 1 / _RATES_HZ[min(self.settings[4], 2)]

    def next_due_s(self, now_s: float) -> float | None:
        """See UartDevice."""
        if self._next_s is None or self._next_s < now_s - 1:
            self._next_s = now_s + self._period_s()
        return self._next_s

    def due(self, now_s: float) -> bytes:
        """See UartDevice."""
        self._next_s = now_s + self._period_s()
        if self._fault != "stuck":
            line = self._report(now_s)
            if not line:
                return b""
            self._last = line
        return self._sent(self._last + "\r\n")

    def _report(self, now_s: float) -> str:
        least, angle_deg, _, direction, _, unit, *_ = self.settings
        if self._fault == "implausible":
            return "V+999.9"
        if now_s not in self._known:
            period_s = self._period_s()
            self._known = dict(ahead(self.movement, now_s, period_s, period_s / 2, WEAKEST_DB))
        found = [
            (strength_db, speed_mps / math.cos(math.radians(min(angle_deg, 80))))
            for speed_mps, strength_db in self._known[now_s]
            if strength_db >= WEAKEST_DB
            and abs(speed_mps) * 3.6 >= least
            and (direction == 0 or (speed_mps > 0) == (direction == 1))
        ]
        if not found:
            return ""
        speed = max(found)[1] * _UNITS[min(unit, 2)]
        return f"V{max(-999.9, min(999.9, speed)):+06.1f}"

    def _sent(self, text: str) -> bytes:
        data = text.encode()
        if not data or self._fault == "silent":
            return b""
        if self._fault == "half":
            self._fault = "silent"
            return data[: len(data) // 2]
        if self._fault == "crc":
            return bytes(b ^ 0x80 if at % 3 == 1 else b for at, b in enumerate(data))
        return data
