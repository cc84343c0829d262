"""What a real board said: the bounded end of it, and how often it has started."""

import re

TAIL_BYTES = 65536
_LINE_BYTES = 4096  # of a line that is not over yet; a sign of a start is shorter

# The signs of a start. First the chip's ROM, at every reset (not on every USB port), or MicroPython
# at a soft reset; later the node's hello; at last the banner, where no program runs.
_FIRST = re.compile(rb"rst:0x[0-9a-f]{1,2} \(\w+\)|MPY: soft reboot")
_HELLO = re.compile(rb"lampione hello [0-9a-f]")
_BANNER = re.compile(rb"MicroPython \S+ on \d{4}-")


class Heard:
    """Takes the bytes of a serial line, wherever they are cut."""

    def __init__(self) -> None:
        self.tail = bytearray()
        self.boots = 0
        self._line = bytearray()
        self._known = False  # the first sign of this start was there: the hello is of the same
        self._expected = False

    def expect_start(self) -> None:
        """The bench has just started the board.

        Only then is the banner a sign: it also comes whenever a program leaves the raw REPL.
        """
        self._expected = True
        self._known = False
        self._line.clear()

    def forget(self) -> None:
        """Drop what was said so far."""
        self.tail.clear()
        self._line.clear()

    def take(self, data: bytes) -> None:
        """Take what came."""
        self.tail += data
        del self.tail[:-TAIL_BYTES]
        self._line += data
        *lines, rest = self._line.split(b"\n")
        for line in lines:
            self._look(line)
        self._line = rest[-_LINE_BYTES:]

    def _look(self, line: bytearray) -> None:
        if _FIRST.search(line):
            self.boots += 1
            self._known, self._expected = True, False
        elif _HELLO.search(line):
            self.boots += not self._known
            self._known = self._expected = False
        elif self._expected and _BANNER.search(line):
            self.boots += 1
            self._expected = False
