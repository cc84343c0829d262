"""Lines of text from a serial line, and the numbers in them."""

from time import ticks_diff, ticks_ms

from .line import read_some

_END = b"\n"


def tenths(word):
    """Return the decimal number in `word` (bytes: "-12", "+3.45") in tenths, rounded, or None."""
    minus = word[:1] == b"-"
    whole, point, part = (word[1:] if minus or word[:1] == b"+" else word).partition(b".")
    if not whole.isdigit() or len(whole) > 7 or (point and not part.isdigit()):
        return None
    value = int(whole) * 10 + (int((part + b"00")[:2]) + 5) // 10
    return -value if minus else value


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
