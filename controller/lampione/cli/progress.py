"""How several boards get on at once: a line each, redrawn on a terminal, printed elsewhere."""

import re
import threading
import time
from types import TracebackType
from typing import Self

from lampione.cli.output import Printer, clean, columns

_REDRAW_S = 0.1
_BAR = 16
_MARKS = {True: ("✓", "+"), False: ("✗", "!")}


class Progress:
    """A context manager; its methods may be called by any thread.

    On a terminal the lines of what is under way stand below those of what has ended. Elsewhere
    every new step is a line, and with --json an object.

    Args:
        key: what the names are, in JSON: "node", "board".
    """

    def __init__(self, out: Printer, key: str) -> None:
        self._out = out
        self._key = key
        self._live = out.terminal and not out.as_json
        self._lock = threading.Lock()
        self._under_way: dict[str, tuple[str, float | None]] = {}
        self._drawn = 0
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._under_way.clear()
            self._wipe()

    def tell(self, name: str, step: str, part: float | None = None) -> None:
        """Say what is being done for a name, and which part of it is done (0 to 1)."""
        with self._lock:
            before = self._under_way.get(name)
            self._under_way[name] = (step, part)
            new = before is None or _kind(before[0]) != _kind(step)
            if self._live:
                if new or part == 1 or time.monotonic() >= self._drawn_at + _REDRAW_S:
                    self._draw()
            elif new and self._out.as_json:
                self._out.json({self._key: name, "step": step})
            elif new:
                self._out.line(f"{name}: {clean(step)}")

    def end(self, name: str, text: str, good: bool) -> None:
        """Say what became of a name."""
        with self._lock:
            self._under_way.pop(name, None)
            if self._out.as_json:
                self._out.json({self._key: name, "good": good, "text": text})
                return
            mark = _MARKS[good][not self._out.unicode]
            self._above(
                f"{self._out.paint(mark, 'green' if good else 'red')} {name}: {clean(text)}"
            )

    def say(self, text: str) -> None:
        """Say something that concerns all."""
        with self._lock:
            if self._out.as_json:
                self._out.json({"says": text})
            else:
                self._above(clean(text))

    def _above(self, text: str) -> None:
        self._wipe()
        self._out.line(text)
        if self._live:
            self._draw()

    def _wipe(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        """Draw what is under way over what was drawn before, in one write: nothing flickers."""
        wide = max((len(name) for name in self._under_way), default=0)
        lines = [
            f"  {name.ljust(wide)}  {self._bar(part)}  {clean(step)}"[: columns() - 1]
            for name, (step, part) in self._under_way.items()
        ]
        up = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        self._out.write(up + "".join(line + "\n" for line in lines))
        self._drawn = len(lines)
        self._drawn_at = time.monotonic()

    def _bar(self, part: float | None) -> str:
        full, empty = "█░" if self._out.unicode else "#."
        if part is None:
            return " " * _BAR
        done = round(max(0.0, min(part, 1.0)) * _BAR)
        return full * done + empty * (_BAR - done)


def _kind(step: str) -> str:
    """Return a step without its numbers."""
    return re.sub(r"[0-9.]+ (of [0-9.]+|kB)", "", step)
