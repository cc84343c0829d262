"""A serial line between a board's UART and a part, in time: both ends' chips and the wire."""

import math
from collections import deque
from dataclasses import dataclass

from lampione_hil.virtual.devices import UartDevice
from lampione_hil.virtual.devices.base import asked_s
from lampione_hil.virtual.running import ask_part

BITS = 10  # of a character: start, eight of data, stop
# ESP-IDF's driver moves the receiver's FIFO into its buffer when there are UART_FULL_THRESH_DEFAULT
# bytes in it, or the line was idle for UART_TOUT_THRESH_DEFAULT characters.
FIFO_FULL = 120
IDLE_CHARACTERS = 10
PIECES = 8  # times that a board is told at most of what will come, see board/_vuart.py
PEEK = 256  # bytes
SAME_RATE = 0.025  # a receiver takes rates that differ by less: half a bit in ten, and its edges


def same_rate(one: int, other: int) -> bool:
    """Whether a receiver at one rate understands a sender at the other."""
    return abs(one - other) < SAME_RATE * max(one, other)


def noise(data: bytes, sent_baud: int, heard_baud: int) -> bytes:
    """Return what a receiver makes of a text sent at another rate: perhaps nothing, never that."""
    heard = sampled(data, sent_baud, heard_baud)
    return bytes(byte ^ 0x80 for byte in heard) if data in heard else heard


def sampled(data: bytes, sent_baud: int, heard_baud: int) -> bytes:
    """Return what a receiver at `heard_baud` makes of the bits of `data` sent at `sent_baud`.

    It looks for a falling edge, then takes eight bits in their middles, as the chip does.
    """
    levels = bytearray()
    for byte in data:
        levels.append(0)
        levels += bytes(byte >> n & 1 for n in range(8))
        levels.append(1)
    step = sent_baud / heard_baud  # sent bits for each heard one

    def level(at: float) -> int:
        return levels[int(at)] if at < len(levels) else 1

    heard = bytearray()
    at = 0.0
    while at < len(levels):
        edge = at
        if level(at) or level(edge + step / 2):  # idle, or too short for a start bit
            at = int(at) + 1.0
            continue
        heard.append(sum(level(edge + (1.5 + n) * step) << n for n in range(8)))
        at = edge + 9.5 * step
        while not level(at):  # no stop bit: wait for the line to be idle
            at = int(at) + 1.0
    return bytes(heard)


@dataclass
class _Run:
    """Bytes on their way to the board, without a pause between them."""

    start_us: int
    span_us: int
    data: bytes

    def at(self, number: int) -> int:
        """When the `number`-th byte, from 1, is through."""
        return self.start_us - -number * self.span_us // len(self.data)

    def through(self, by_us: int) -> int:
        """How many bytes are through by a time."""
        if by_us <= self.start_us:
            return 0
        size = len(self.data)
        return min(size, (by_us - self.start_us) * size // self.span_us)

    def take(self, by_us: int) -> bytes:
        """Take out what is through by a time."""
        number = self.through(by_us)
        if not number:
            return b""
        done, at_us = self.data[:number], self.at(number)
        self.span_us = max(1, self.span_us - at_us + self.start_us)
        self.start_us, self.data = at_us, self.data[number:]
        return done


class _Then:
    """A line and its part as they were."""

    _KEPT = ("lost", "_now_us", "_due_us", "_due_s", "_said_us")

    def __init__(self, line: "UartLine") -> None:
        self._part = dict(vars(line.device))
        self._plain = [getattr(line, name) for name in self._KEPT]
        self._said = deque(line._said)
        self._buffer = bytes(line._buffer)
        self._runs = [(run.start_us, run.span_us, run.data) for run in line._runs]

    def restore(self, line: "UartLine") -> None:
        """Make them so again."""
        part = vars(line.device)
        part.clear()
        part.update(self._part)
        for name, value in zip(self._KEPT, self._plain, strict=True):
            setattr(line, name, value)
        line._said = self._said
        line._runs = deque(_Run(*run) for run in self._runs)
        line._buffer[:] = self._buffer


def _span_us(characters: int, baud: int) -> int:
    return -(-characters * BITS * 1_000_000 // baud)


class UartLine:
    """The line of one UART. Its clock moves in `advance` only, and never backwards.

    Attributes:
        lost: bytes that came when the board's buffer was full.
    """

    def __init__(self, device: UartDevice, slack_s: float = 0.0) -> None:
        """Make it, the part without power. slack_s: so much more than its buffer a board has."""
        self.device = device
        self.lost = 0
        self._slack_s = slack_s
        self._supplied = False
        self._baud = 0  # of the board's side; 0: off
        self._room = 0
        self._taken = 0  # of the buffer, by the board that has just said so
        self._buffer = bytearray()  # what the board has received and not read
        self._now_us = 0
        self._due_us: int | None = None
        self._due_s = 0.0
        self._to_part: deque[tuple[int, bytes, int]] = deque()  # when through, what, its rate
        self._to_part_us = 0  # the board's side of the line is busy until then
        self._said: deque[tuple[int, bytes, int]] = deque()  # began, what, its rate; not over yet
        self._said_us = 0  # the part's side of the line is busy until then
        self._runs: deque[_Run] = deque()
        self._before: _Then | None = None  # as it was when it went ahead of the board

    # Ahead of the board

    def foresee(self, until_us: int) -> tuple[list[tuple[int, int]], int | None]:
        """Go ahead as far as the board can do without news of this line, to `until_us` at most.

        That holds if neither board nor world does anything before; `advance` takes it back where
        one does. Returns [(when, how many bytes the board can read more from then on), ...], of
        PEEK bytes at most, and when something happens next.
        """
        waits = min(len(self._buffer), PEEK)
        pieces = [(self._now_us, waits)] if waits else []
        while True:
            at_us = self.next_us()
            if at_us is None or at_us > until_us or not self.device.foreseeable:
                break
            if len(pieces) == PIECES or (self._to_part and self._to_part[0][0] <= at_us):
                break
            # Whatever the board reads until then, nothing may be lost for want of room.
            held = len(self._buffer)
            if held and held + self._through(at_us) > min(self._room, PEEK):
                break
            if self._before is None:
                self._before = _Then(self)
            self._happen(at_us)
            if len(self._buffer) > held:
                pieces.append((self._now_us, min(len(self._buffer), PEEK) - held))
        return pieces, at_us

    def settle(self, now_us: int) -> None:
        """Come back to the present, where the part is about to be told something."""
        if self._before is not None:
            self.advance(now_us)

    # The world's side

    def supply(self, on: bool, now_us: int) -> None:
        """Give the part its power, or take it away."""
        self.advance(now_us)
        if on == self._supplied:
            return
        self._supplied = on
        self._to_part.clear()
        self._said.clear()
        self._runs.clear()
        self._said_us = self._now_us
        if on:
            ask_part(self.device, self.device.power_up, self._now_us / 1e6)
        self.changed()

    def changed(self) -> None:
        """The world, or the part, is another than before: it may be due at another time."""
        self._due_us = None
        if not self._supplied:
            return
        due_s = ask_part(self.device, self.device.next_due_s, self._now_us / 1e6)
        if due_s is not None:
            self._due_s = asked_s(due_s)
            self._due_us = max(self._now_us, math.ceil(due_s * 1_000_000))

    # The board's side

    def set(self, baud: int, room: int, fresh: bool, now_us: int) -> None:
        """Switch the board's UART to a rate and a size of buffer, `fresh`: with nothing in it."""
        self.advance(now_us)
        self._baud = baud
        self._room = room
        self._runs.clear()
        if fresh:
            self._buffer.clear()
        for began_us, data, rate in self._said:
            gone = max(0, -(-(self._now_us - began_us) * rate // (BITS * 1_000_000)))
            self._hear(began_us + _span_us(gone, rate), data[gone:], rate)

    def close(self, now_us: int) -> None:
        """The board's UART is off: what it had to send is gone too."""
        self.advance(now_us)
        self._baud = 0
        self._to_part.clear()
        self._to_part_us = 0
        self._runs.clear()
        self._buffer.clear()

    def write(self, data: bytes, now_us: int) -> None:
        """Send to the part."""
        self.advance(now_us)
        if not self._baud or not data:
            return
        self._to_part_us = max(self._now_us, self._to_part_us) + _span_us(len(data), self._baud)
        self._to_part.append((self._to_part_us, data, self._baud))

    def read(self, length: int) -> bytes:
        """Take what was received by the time of the last `advance`."""
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data

    def peek(self, length: int) -> bytes:
        """Return the same without taking it."""
        return bytes(self._buffer[:length])

    @property
    def waiting(self) -> int:
        """How many bytes can be read."""
        return len(self._buffer)

    # Time

    def next_us(self) -> int | None:
        """When something happens on the line next; None: not before somebody does something."""
        found = self._due_us
        if self._to_part and (found is None or self._to_part[0][0] < found):
            found = self._to_part[0][0]
        if self._runs:
            handover_us = self._handover_us()
            if handover_us is not None and (found is None or handover_us < found):
                found = handover_us
        return found

    def has_read(self, taken: int, now_us: int) -> None:
        """Come to the present; the board has read so many bytes of what it knew would come."""
        self._taken = taken  # it made room by then
        self.advance(now_us)
        self._taken = 0
        del self._buffer[:taken]

    def advance(self, now_us: int) -> None:
        """Let everything happen that happens by `now_us`, and nothing that is later."""
        if self._before is not None:
            if now_us < self._now_us:
                self._before.restore(self)
            self._before = None
        while True:
            at_us = self.next_us()
            if at_us is None or at_us > now_us:
                break
            self._happen(at_us)
        self._now_us = max(self._now_us, now_us)

    def _happen(self, at_us: int) -> None:
        self._now_us = max(self._now_us, at_us)
        if self._to_part and self._to_part[0][0] <= at_us:
            self._deliver(*self._to_part.popleft())
        elif self._due_us is not None and self._due_us <= at_us:
            self._ask_due()
        else:
            self._hand_over()

    def _deliver(self, _: int, data: bytes, rate: int) -> None:
        baud = self.device.baud
        if not same_rate(rate, baud):
            data = noise(data, rate, baud)
        if data and self._supplied:
            self._say(ask_part(self.device, self.device.feed, data, self._now_us / 1e6), baud)
            self.changed()

    def _ask_due(self) -> None:
        baud = self.device.baud
        at_s = max(self._now_us / 1e6, self._due_s)
        data = ask_part(self.device, self.device.due, at_s)
        if data:
            self._say(data, baud)
        self.changed()
        if self._due_us is not None:
            self._due_us = max(self._due_us, self._now_us + 1000)

    def _say(self, data: bytes, baud: int) -> None:
        while self._said and self._end_us(self._said[0]) <= self._now_us:
            self._said.popleft()
        if not data:
            return
        began_us = max(self._now_us, self._said_us)
        self._said.append((began_us, data, baud))
        self._said_us = self._end_us(self._said[-1])
        self._hear(began_us, data, baud)

    @staticmethod
    def _end_us(said: tuple[int, bytes, int]) -> int:
        return said[0] + _span_us(len(said[1]), said[2])

    def _hear(self, began_us: int, data: bytes, rate: int) -> None:
        span_us = _span_us(len(data), rate)
        if self._baud and not same_rate(rate, self._baud):
            data = noise(data, rate, self._baud)
        if self._baud and data:
            self._runs.append(_Run(began_us, span_us, data))

    def _handover_us(self) -> int | None:
        """When the receiver's FIFO goes into its buffer next."""
        room = FIFO_FULL
        last_us = None
        idle_us = _span_us(IDLE_CHARACTERS, self._baud) if self._baud else 0
        for run in self._runs:
            if last_us is not None and run.start_us > last_us + idle_us:
                break
            if len(run.data) >= room:
                return run.at(room)
            room -= len(run.data)
            last_us = run.at(len(run.data))
        return None if last_us is None else last_us + idle_us

    def _through(self, at_us: int) -> int:
        """How many bytes the receiver has by a time and has not handed over."""
        count = 0
        for run in self._runs:
            count += run.through(at_us)
        return count

    def _hand_over(self) -> None:
        room = self._room + self._taken + int(self._slack_s * self._baud / BITS)
        while self._runs:
            data = self._runs[0].take(self._now_us)
            kept = max(0, min(len(data), room - len(self._buffer)))
            self._buffer += data[:kept]
            self.lost += len(data) - kept
            if self._runs[0].data:
                break
            self._runs.popleft()
