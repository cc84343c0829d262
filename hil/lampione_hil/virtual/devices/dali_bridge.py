"""Lunatone DALI SCI RS232, also Tridonic DALI SCI2: a DALI line behind a serial one, 38400 8N1.

Frames of five bytes each way (data sheet D0045): control or status; data high, middle, low, a
16-bit frame in the last two; the exclusive or of the four. Control: bit 7 pass on what is on the
line (monitor), 6 say who you are, 5 confirm as soon as a frame is sent, 4 send twice; low half 0
nothing, 2 / 3 / 8 a frame of 8, 16, 24 bits. Status: high half the kind of device; low half 0 done,
1 no answer, 2 / 3 / 8 a frame, 7 an error by number.
"""

from collections import deque

from lampione_hil.virtual.devices import dali_wire as wire
from lampione_hil.virtual.devices.base import UartDevice
from lampione_hil.virtual.devices.dali_bus import DaliBus
from lampione_hil.virtual.devices.dali_gear import Gear

KIND = 6
DONE, SILENCE, BYTE, WORD, ERROR = 0, 1, 2, 3, 7
BAD_CHECKSUM, NO_POWER, NOT_READ, UNKNOWN, COLLISION = 1, 2, 3, 4, 5
MONITOR, IDENTIFY, CONFIRM, TWICE = 0x80, 0x40, 0x20, 0x10
SETTLE_S = 0.0135  # between two frames on the line
ANSWER_S = 0.0124  # in which an answer begins
FORWARD_S = 38 * wire.TE_US / 1e6
BACKWARD_S = 22 * wire.TE_US / 1e6
_GAP_S = 0.05
_OWN = ("stuck", "crc", "mute", "half")
_FAULTS = ("", *_OWN)


def whole(status: int, *data: int) -> bytes:
    """Return a frame; its data fill from the end."""
    head = bytes([status, *[0] * (3 - len(data)), *data])
    return head + bytes([head[0] ^ head[1] ^ head[2] ^ head[3]])


class DaliBridge(UartDevice):
    """The bridge with gear behind it.

    Faults: those of DaliBus, "stuck" the same answer whatever is asked, "crc" wrong checksums,
    "mute" the bridge says nothing, "half" frames end after three bytes.
    """

    name = "dali"
    baud = 38400

    def __init__(self, gear: Gear | list[Gear]) -> None:
        self.bus = DaliBus(gear)
        self._fault = ""
        self._typed = b""
        self._typed_s = 0.0
        self._free_s = 0.0  # the line is, from then on
        self._last = b""
        self._out: deque[tuple[float, bytes]] = deque()

    @property
    def gear(self) -> Gear:
        """The first of them."""
        return self.bus.gear

    def fault(self, kind: str) -> None:
        """See Part."""
        if kind in _FAULTS:
            self._fault = kind
            self.bus.fault("")
        else:
            self._fault = ""
            self.bus.fault(kind)

    def power_up(self, now_s: float) -> None:
        """See Part."""
        self._typed = b""
        self._out.clear()
        self.bus.power_up(now_s)

    def next_due_s(self, now_s: float) -> float | None:
        """See UartDevice."""
        self.bus.pass_time(now_s)
        return self._out[0][0] if self._out else None

    def due(self, now_s: float) -> bytes:
        """See UartDevice."""
        said = b""
        while self._out and self._out[0][0] <= now_s:
            said += self._out.popleft()[1]
        return said

    def feed(self, data: bytes, now_s: float) -> bytes:
        """See UartDevice."""
        if now_s - self._typed_s > _GAP_S:
            self._typed = b""
        self._typed_s = now_s
        self._typed += data
        while len(self._typed) >= 5:
            frame, self._typed = self._typed[:5], self._typed[5:]
            self._take(frame, now_s)
        return b""

    def _say(self, at_s: float, status: int, *data: int) -> None:
        said = whole(KIND << 4 | status, *data)
        if self._fault == "stuck":
            said = self._last = self._last or said
        elif self._fault == "crc":
            said = said[:4] + bytes([said[4] ^ 0x11])
        elif self._fault == "half":
            said = said[:3]
        if self._fault != "mute":
            self._out.append((at_s, said))

    def _take(self, frame: bytes, now_s: float) -> None:
        control = frame[0]
        if frame[0] ^ frame[1] ^ frame[2] ^ frame[3] ^ frame[4]:
            self._say(now_s, ERROR, BAD_CHECKSUM)
        elif control & IDENTIFY or control & 15 == 0:
            self._say(now_s, DONE)
        elif control & 15 != WORD:
            self._say(now_s, ERROR, UNKNOWN)
        elif not self.bus.high():
            self._say(now_s, ERROR, NO_POWER)
        else:
            self._send(control, frame[2] << 8 | frame[3], max(now_s, self._free_s))

    def _send(self, control: int, value: int, at_s: float) -> None:
        halves = wire.halves(value, 16)
        if control & TWICE:
            self.bus.carry(wire.edges(halves, at_s * 1e6))
            at_s += FORWARD_S + SETTLE_S
        changes = self.bus.carry(wire.edges(halves, at_s * 1e6))
        end_s = at_s + FORWARD_S
        answers = [one for one in wire.frames(changes) if one[0] > end_s * 1e6]
        in_time = [one for one in answers if one[0] <= (end_s + ANSWER_S) * 1e6]
        if control & CONFIRM:
            self._say(end_s, DONE)
        self._free_s = end_s + SETTLE_S
        if not in_time:
            if not control & CONFIRM:
                self._say(end_s + ANSWER_S, SILENCE)
            return
        said_s = in_time[0][0] / 1e6 + BACKWARD_S
        self._free_s = said_s + SETTLE_S
        if control & CONFIRM and not control & MONITOR:
            return
        bits = wire.bits(in_time[0])
        if bits is None or len(bits) != 8 or len(in_time) > 1:
            self._say(said_s, ERROR, NOT_READ)
        else:
            self._say(said_s, BYTE, wire.number(bits))
