"""What several boards are at: a line each, drawn over on a terminal, else a line a step."""

import re
import textwrap
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from lampione.cli.output import Printer, columns, rows
from lampione.desk.text import clean

_BAR = 20
_DRAW_S = 0.1
_LEAST = 20  # columns, for a text to be folded into
_NUMBER = re.compile(r"\d[\d.]*")


class Progress:
    """A context manager that any thread may tell. Lines that ended stay above those that go on.

    Args:
        out: where it is drawn; JSON has an object a step.
        names: of the boards; the longest gives the column its width.
        key: what JSON calls a name.
    """

    def __init__(self, out: Printer, names: Sequence[str], *, key: str = "board") -> None:
        self._out = out
        self._key = key
        self._width = max(map(len, names), default=0)
        self._lock = threading.Lock()
        self._at: dict[str, tuple[str, float | None]] = {}  # what goes on
        self._drawn = 0  # lines
        self._drawn_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._wipe()

    def tell(self, name: str, step: str, part: float | None = None) -> None:
        """Say what is done to a board, and how much of that step is (0 to 1)."""
        with self._lock:
            before = self._at.get(name, ("", None))[0]
            new = _NUMBER.sub("", before) != _NUMBER.sub("", step)
            self._at[name] = step, part
            if self._out.live:
                now = time.monotonic()
                if new or now - self._drawn_s > _DRAW_S:
                    self._draw()
            elif new and self._out.as_json:
                self._out.json({self._key: name, "step": step, "part": part})
            elif new:
                self._out.line(f"{name.ljust(self._width)}  {clean(step)}")

    def end(self, name: str, text: str, good: bool) -> None:
        """Say what became of it; JSON's last word is the caller's."""
        with self._lock:
            self._at.pop(name, None)
            if self._out.as_json:
                return
            self._wipe()
            mark = self._out.paint("ok    " if good else "failed", "green" if good else "red")
            self._out.line(f"{name.ljust(self._width)}  {mark}  {self._folded(clean(text))}")
            if self._out.live:
                self._draw()

    def _folded(self, text: str) -> str:
        """Break a text between its words where a terminal would in the midst of one."""
        indent = self._width + len("  failed  ")
        room = columns() - indent
        if not self._out.live or room < _LEAST:
            return text
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
        return ("\n" + " " * indent).join(lines)

    def say(self, text: str) -> None:
        """Say something that concerns all, above what goes on; JSON has none of it."""
        with self._lock:
            if self._out.as_json:
                return
            self._wipe()
            self._out.line(clean(text))
            if self._out.live:
                self._draw()

    def _wipe(self) -> None:
        if self._drawn:
            self._out.raw(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        lines = [self._line(name) for name in self._at]
        room = max(1, rows() - 2)
        if len(lines) > room:
            lines[room - 1 :] = [f"and {len(lines) - room + 1} more"]
        erase = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        self._out.raw(erase + "".join(line + "\n" for line in lines))
        self._drawn = len(lines)
        self._drawn_s = time.monotonic()

    def _line(self, name: str) -> str:
        step, part = self._at[name]
        full, empty = ("█", "░") if self._out.unicode else ("#", ".")
        # Where it is narrow the step is worth more than its bar.
        fits = columns() - self._width - _BAR - len("   100 %  ") >= _LEAST
        done = round((part or 0) * _BAR)
        bar = f"{full * done + empty * (_BAR - done)} " if fits else ""
        bar += f"{round((part or 0) * 100):3} %"
        if part is None:  # a step that cannot be counted
            bar = " " * len(bar)
        shown = f"{name.ljust(self._width)}  {bar}  {clean(step)}"
        return shown[: columns() - 1]
