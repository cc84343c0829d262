"""The DALI line (IEC 62386-101): frames seen, frames sent.

1200 bit/s, a half-bit is 416.67 µs, 1 rises in its middle. A start bit that is 1, then 8 bits (an
answer), 16 or 24, then the line is high for two bits.
"""

from array import array
from time import ticks_diff, ticks_us

from micropython import const

from .refusal import FULL, NO_SIGNAL, RANGE, Refusal

_EDGES = const(256)
_FRAMES = const(32)
_STOP_US = const(1700)  # high for so long, a frame is over
_LEAST_US = const(300)
_GREY_US = const(625)  # between a half-bit and two
_MOST_US = const(950)
_ANSWER_MS = const(25)  # from the end of a frame to that of its answer
_SETTLE_MS = const(20)
_IDLE_MS = const(5)


def pulses(frame, bits):
    """Return a frame's durations in µs: low, high, low, ... to its last change."""
    halves = []
    for at in range(bits, -1, -1):
        bit = 1 if at == bits else frame >> at & 1
        halves.append(1 - bit)
        halves.append(bit)
    found = []
    level = 0
    began = 0
    for n, half in enumerate(halves + [1 - halves[-1]]):
        if half != level:
            found.append((n * 1250 + 1) // 3 - (began * 1250 + 1) // 3)
            level = half
            began = n
    return found if halves[-1] == 0 else found[:-1]


def decode(gaps):
    """Return (frame, bits) of the times between a frame's changes, the first a fall; or None."""
    level = 0
    halves = []
    for us in gaps:
        if not _LEAST_US <= us <= _MOST_US:
            return None
        halves.append(level)
        if us > _GREY_US:
            halves.append(level)
        level = 1 - level
    if not level:  # it ended low
        return None
    if len(halves) % 2:
        halves.append(1)
    bits = len(halves) // 2 - 1
    if bits not in (8, 16, 24) or halves[:2] != [0, 1]:
        return None
    frame = 0
    for n in range(1, bits + 1):
        if halves[2 * n] == halves[2 * n + 1]:
            return None
        frame = frame << 1 | halves[2 * n + 1]
    return frame, bits


class Dali:
    """A transceiver at two pins: {"tx", "rx", "rmt" (0), "invert_tx" (0), "invert_rx" (0)}."""

    def __init__(self, machine, esp32, part, clock):
        self._low = 1 if part.get("invert_tx") else 0
        self._idle = 0 if part.get("invert_rx") else 1
        self._rmt = esp32.RMT(
            part.get("rmt", 0),
            pin=machine.Pin(part["tx"]),
            clock_div=80,
            idle_level=not self._low,
        )
        self._clock = clock
        self._rx = machine.Pin(part["rx"], machine.Pin.IN)
        self._times = array("i", bytes(4 * _EDGES))
        self._count = 0
        self._on_edge = self._edge  # bound once: an interrupt has no memory
        self.seen = []  # (ticks, frame, bits, garbled)
        self._rx.irq(self._on_edge, machine.Pin.IRQ_RISING | machine.Pin.IRQ_FALLING)

    def _edge(self, _pin):
        n = self._count
        if n < _EDGES:
            self._times[n] = ticks_us()
            self._count = n + 1

    def service(self):
        """Note the frames that are over; return for how many ms there is nothing to do."""
        count = self._count
        times = self._times
        if not count or ticks_diff(ticks_us(), times[count - 1]) < _STOP_US:
            return _IDLE_MS
        first = 0
        for n in range(1, count + 1):
            if n < count and ((n - first) % 2 or ticks_diff(times[n], times[n - 1]) < _STOP_US):
                continue
            gaps = [ticks_diff(times[i], times[i - 1]) for i in range(first + 1, n)]
            found = decode(gaps)
            frame, bits = found or (0, None)
            if len(self.seen) < _FRAMES:
                self.seen.append((self._clock.at(times[first]), frame, bits, not found))
            first = n
        # what came since then is another frame's
        late = self._count - count
        for n in range(late):
            times[n] = times[count + n]
        self._count = late
        return _IDLE_MS

    def read(self):
        """Return ((ms, µs), frame, bits, garbled, more) of the oldest frame, bits None: none."""
        if not self.seen:
            return self._clock.now(), 0, None, False, False
        found = self.seen.pop(0)
        return found + (bool(self.seen),)

    def send(self, frame, bits, answer, pause):  # type: ignore[no-untyped-def]
        """Send a frame; return the answer, as `read` does. Raises Refusal."""
        if bits not in (8, 16, 24) or frame >> bits:
            raise Refusal(RANGE, "bits: 8, 16 or 24, and a frame of so many")
        if self._rx.value() != self._idle:
            raise Refusal(NO_SIGNAL, "no power on the line")
        if len(self.seen) >= _FRAMES - 2:
            raise Refusal(FULL, "frames that nobody has read")
        self.service()
        before = len(self.seen)
        self._rmt.write_pulses(pulses(frame, bits), self._low)
        pause((bits * 5 + 10) // 6 + (_ANSWER_MS if answer else 0))
        pause(_SETTLE_MS)
        self.service()
        found = self.seen[before:]
        if not found:
            raise Refusal(NO_SIGNAL, "the line does not follow")
        del self.seen[before : before + 1]  # our own
        if answer and len(found) > 1:
            self.seen.remove(found[1])
            return found[1] + (bool(self.seen),)
        return self._clock.now(), 0, None, False, bool(self.seen)

    def stop(self):
        """Forget what was seen."""
        self.seen = []
        self._count = 0
