"""Serial lines: what a part says by itself, and what it answers."""

from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .refusal import FULL, NOT_OPEN, RANGE, Refusal, need, one_of

_MOST = const(8)  # texts a line plays, and answers
_HEARD = const(1024)
_READ = const(200)
_BUFFER = const(1024)
_IDLE_MS = const(20)
_QUICK_MS = const(2)  # where a question may come


class _Text:
    def __init__(self, due, every, left, data):
        self.due = due
        self.every = every
        self.left = left  # times; -1: until it is stopped
        self.data = data


class Uart:
    """One line while it is open."""

    def __init__(self, machine, part, baud):
        tx, rx = machine.Pin(part["tx"]), machine.Pin(part["rx"])
        self._uart = machine.UART(
            part["uart"], baudrate=baud, tx=tx, rx=rx, rxbuf=_BUFFER, txbuf=_BUFFER, timeout=0
        )
        self._buf = bytearray(128)
        self._tail = b""  # the end of what was heard, as long as the longest question
        self._longest = 1
        self.heard = bytearray()
        self.lost = 0
        self._texts = []
        self._answers = []

    def close(self):
        """Say and hear nothing any more."""
        self._uart.deinit()

    def play(self, first, every, times, data):
        """Say a text after `first` ms, then every so many."""
        if not data:
            raise Refusal(RANGE, "data: empty")
        if times != 1 and not every:
            raise Refusal(RANGE, "every: 0")
        self._add(_Text(ticks_add(ticks_ms(), first), every, times or -1, data))

    def _add(self, text):
        if len(self._texts) >= _MOST:
            raise Refusal(FULL, "%d texts" % _MOST)
        self._texts.append(text)

    def answer(self, after, asked, data):
        """Say the rest of `data` whenever its first `asked` bytes have been heard."""
        if not asked <= len(data):
            raise Refusal(RANGE, "asked: more than there is")
        if len(self._answers) >= _MOST:
            raise Refusal(FULL, "%d answers" % _MOST)
        self._answers.append((data[:asked], data[asked:], after))
        self._longest = max(self._longest, asked)

    def service(self):
        """Say what is due, take what came; return for how many ms there is nothing to do."""
        while True:
            n = self._uart.readinto(self._buf)
            if not n:
                break
            self._hear(self._buf[:n])
        now = ticks_ms()
        wait = _QUICK_MS if self._answers else _IDLE_MS
        for text in self._texts[:]:
            left = ticks_diff(text.due, now)
            if left <= 0:
                self._uart.write(text.data)
                text.left -= 1 if text.left > 0 else 0
                if not text.left:
                    self._texts.remove(text)
                    continue
                # one that comes late does not catch up
                late = -left < text.every
                text.due = ticks_add(text.due if late else now, text.every)
                left = max(0, ticks_diff(text.due, now))
            wait = min(wait, left)
        return wait

    def _hear(self, data):
        room = _HEARD - len(self.heard)
        self.heard += data[:room]
        self.lost = min(65534, self.lost + max(0, len(data) - room))
        if not self._answers:
            return
        for byte in data:
            self._tail = (self._tail + bytes((byte,)))[-self._longest :]
            for asked, answer, after in self._answers:
                if answer and self._tail.endswith(asked) and len(self._texts) < _MOST:
                    self._texts.append(_Text(ticks_add(ticks_ms(), after), 0, 1, answer))

    def read(self):
        """Return (some bytes heard, how many were lost, whether there are more)."""
        data = bytes(self.heard[:_READ])
        self.heard = self.heard[_READ:]
        lost = self.lost
        self.lost = 0
        return data, lost, bool(self.heard)


class Uarts:
    """All lines of the settings: a list of {"uart", "tx", "rx"}."""

    def __init__(self, machine, parts):
        self._machine = machine
        self._parts = parts
        self._open = {}

    def open(self, line, baud):
        """Open a line at a rate, with nothing on it; 0: close it."""
        part = one_of(self._parts, line, "line")
        if need(baud, "baud") and not 300 <= baud:
            raise Refusal(RANGE, "baud: 300 or more")
        if line in self._open:
            self._open.pop(line).close()
        if baud:
            self._open[line] = Uart(self._machine, part, baud)

    def line(self, number):
        """Return an open line."""
        one_of(self._parts, number, "line")
        if number not in self._open:
            raise Refusal(NOT_OPEN, "line %d" % number)
        return self._open[number]

    def service(self):
        """See Uart."""
        wait = _IDLE_MS
        for line in self._open.values():
            wait = min(wait, line.service())
        return wait

    def stop(self):
        """Close them all."""
        for number in list(self._open):
            self._open.pop(number).close()
