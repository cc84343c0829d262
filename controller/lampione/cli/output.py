"""What a command prints: tables for people, JSON lines for programs; colour on terminals only."""

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from lampione.desk.text import clean

_STEERS = re.compile(r"[\x7f-\x9f]")  # what JSON leaves of it: C1 steers some terminals, too
_CODES = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}
# A lamp's level, 0 dark to 8 full: of 256 colours, on a dark ground whatever the terminal's is.
_AMBERS = (234, 94, 130, 136, 172, 178, 214, 220, 229)
_CODES |= {f"level{n}": f"38;5;{amber};48;5;234" for n, amber in enumerate(_AMBERS)}


def colours(stream: TextIO) -> bool:
    """Say whether `stream` wants colour: a terminal, no NO_COLOR (no-color.org), not dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def prepare_streams() -> None:
    """See that there are standard streams, and that printing never fails for a letter.

    A closed one (`>&-`) becomes the null device: its number would go to the next file opened, and
    a child process would write into that.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Printer:
    """Prints one command's results; any thread may, a line stays whole.

    wrong: why nothing is printed any more, see `held`.

    Args:
        as_json: one JSON object a line, and nothing else.
        stream: where to, sys.stdout when not given.
    """

    def __init__(self, *, as_json: bool, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = sys.stdout if stream is None else stream
        self._whole = threading.RLock()  # a signal's handler may print, too
        self._held = False
        self.wrong: OSError | None = None
        self._colours = colours(self._out) and not as_json
        # Elsewhere what the stream cannot show becomes a `?`; data stays what it is.
        self.unicode = (getattr(self._out, "encoding", None) or "").lower() == "utf-8"

    @property
    def live(self) -> bool:
        """Whether lines can be drawn over."""
        return not self.as_json and os.environ.get("TERM") != "dumb" and self._out.isatty()

    def raw(self, text: str) -> None:
        """Print text as it is, with whatever it does to a terminal."""
        with self._whole:
            if self.wrong is not None:
                return
            try:
                self._out.write(text)
                self._out.flush()
            except OSError as error:
                error.filename = error.filename or getattr(self._out, "name", None)
                if not self._held:
                    raise
                self.wrong = error

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile keep in `wrong` what printing ran into, and raise it at the end.

        For threads that print: what they do would end halfway, and nobody would hear why.
        """
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.wrong is not None:
            raise self.wrong

    def paint(self, text: str, *styles: str) -> str:
        """Return `text` in the styles, where there is colour."""
        if not self._colours or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[s] for s in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """Print a line."""
        self.raw(f"{text}\n")

    def json(self, value: Mapping[str, Any]) -> None:
        """Print one JSON line."""
        text = json.dumps(value, ensure_ascii=not self.unicode, default=_plain)
        text = _STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        self.line(text)

    def table(
        self,
        heads: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        right: frozenset[str],
        keys: int = 1,
    ) -> None:
        """Print rows under their heads, as wide as the longest cell.

        On a terminal that is too narrow heads take several lines, and columns that are still too
        many stand in tables of their own.

        Args:
            right: heads of the columns that hold numbers.
            keys: columns that say what a row is of, and stand in each of those tables.
        """
        cells = [[clean(c) for c in row] for row in rows]
        room = columns() if self._out.isatty() else sys.maxsize
        above = [[head] for head in heads]
        if _across(_widths(above, cells)) > room:
            above = [head.split() or [""] for head in heads]
        widths = _widths(above, cells)
        deep = max(map(len, above), default=1)
        tops = [[*[""] * (deep - len(lines)), *lines] for lines in above]

        for part, shown in enumerate(_parts(widths, room, keys)):

            def joined(row: Sequence[str], shown: Sequence[int] = shown) -> str:
                return "  ".join(
                    row[n].rjust(widths[n]) if heads[n] in right else row[n].ljust(widths[n])
                    for n in shown
                ).rstrip()

            if part:
                self.line()
            for line in zip(*tops, strict=True):
                self.line(self.paint(joined(line), "bold"))
            for row in cells:
                self.line(joined(row))


def _across(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _widths(above: Sequence[Sequence[str]], cells: Sequence[Sequence[str]]) -> list[int]:
    longest = [max(map(len, lines)) for lines in above]
    return [max([w, *(len(row[n]) for row in cells)]) for n, w in enumerate(longest)]


def _parts(widths: Sequence[int], room: int, keys: int) -> list[list[int]]:
    """Return which columns stand in which table, each at least one beside the keys."""
    own = list(range(min(keys, len(widths))))
    parts = [list(own)]
    for n in range(len(own), len(widths)):
        wide = _across([widths[each] for each in [*parts[-1], n]])
        if wide > room and len(parts[-1]) > len(own):
            parts.append(list(own))
        parts[-1].append(n)
    return parts


def printer(options: argparse.Namespace) -> Printer:
    """Return the printer that the options ask for."""
    return Printer(as_json=options.json)


def _plain(value: object) -> object:
    """Make JSON of what is not: bytes as hex, sets as lists."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def wrapped(line: str) -> str:
    """Return a line as several of the terminal's width, broken between words."""
    return textwrap.fill(line, columns(), break_long_words=False, break_on_hyphens=False)


def columns() -> int:
    """Return the terminal's width."""
    return shutil.get_terminal_size().columns


def rows() -> int:
    """Return the terminal's height."""
    return shutil.get_terminal_size().lines
