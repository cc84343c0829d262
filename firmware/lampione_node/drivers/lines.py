"""Lines of text from a serial line, and the numbers in them."""

from time import ticks_diff, ticks_ms

from .line import read_some

_END = b"\n"


def tenths(line, at=0, end=None):
    """Return the decimal number line[at:end] (bytes: "-12", "+3.45") in tenths, rounded, or None.

    Nothing is allocated: a radar's lines have a dozen numbers a second.
    """
    if end is None:
        end = len(line)
    first = line[at] if at < end else 0
    if first == 45 or first == 43:  # a sign
        at += 1
    value = 0
    places = -1  # after the point
    begun = at
    while at < end:
        digit = line[at] - 48
        at += 1
        if 0 <= digit <= 9:
            if places < 2:
                value = value * 10 + digit
                if places >= 0:
                    places += 1
                elif at - begun > 7:
                    return None
        elif digit == -2 and places < 0 and at - begun > 1:
            places = 0
        else:
            return None
    if at == begun or not places:
        return None
    if places < 0:
        value *= 10
    elif places == 2:
        value = (value + 5) // 10
    return -value if first == 45 else value


class Lines:
    """Whole lines of fewer than `size` bytes; what is longer is thrown away, up to its end.

    Attributes:
        heard: set when bytes come; whoever wants to know clears it.
    """

    def __init__(self, uart, size=160):
        self._uart = uart
        self._buf = bytearray(size)
        self._view = memoryview(self._buf)
        self._count = 0
        self._looked = 0  # so many bytes have no line end among them
        self._skip = False
        self.heard = False

    async def next(self, timeout_ms):
        """Return the next line, without what is blank at its ends; None: none ended in time."""
        buf = self._buf
        began_ms = ticks_ms()
        while True:
            count = self._count
            i = buf.find(_END, self._looked, count)
            if i >= 0:
                line = bytes(self._view[:i]).strip()
                rest = count - i - 1
                if rest:
                    buf[:rest] = buf[i + 1 : count]
                self._count = rest
                self._looked = 0
            else:
                if count == len(buf):
                    self._skip = True
                    count = 0
                self._looked = self._count = count
                left_ms = timeout_ms - ticks_diff(ticks_ms(), began_ms)
                if left_ms <= 0:
                    return None
                got = await read_some(self._uart, self._view[count:], left_ms)
                if got:
                    self.heard = True
                    self._count += got
                continue
            if not self._skip:
                return line
            self._skip = False  # that was the end of a line too long
