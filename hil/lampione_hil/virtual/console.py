"""What a board prints: the bounded tail, and what mpremote needs to hear of it."""

import re

TAIL = 65536
SOFT_REBOOT = b"MPY: soft reboot\r\n"
_RAW = b"raw REPL; CTRL-B to exit"
_FRIENDLY = b'Type "help()" for more information.'
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


class Console:
    """The text since power-on, and whether the raw REPL is on."""

    def __init__(self) -> None:
        self.tail = bytearray()
        self.raw = False
        self.binary = False  # the program speaks in bytes, and takes Ctrl-C as one
        self._seam = b""  # the end of the last piece, where a banner may be cut in two

    def power_on(self) -> None:
        """Forget what was printed before."""
        self.tail.clear()
        self.raw = self.binary = False
        self._seam = b""

    def take(self, data: bytes) -> bytes:
        """Note what the board printed and return what its serial line shows.

        A board ends its lines with CR LF; the unix port leaves that to the terminal. In the raw
        REPL, and where a program speaks in bytes, nothing is touched.
        """
        joined = self._seam + data
        raw, friendly = joined.rfind(_RAW), joined.rfind(_FRIENDLY)
        if raw != friendly:
            self.raw = raw > friendly
        if not self.raw and not self.binary:
            before = b"\r" if self._seam.endswith(b"\r") else b""
            data = _BARE_NEWLINE.sub(b"\r\n", before + data)[len(before) :]
        self._seam = joined[-len(_FRIENDLY) :]
        self.tail += data
        if len(self.tail) > TAIL:
            del self.tail[: len(self.tail) - TAIL]
        return data
