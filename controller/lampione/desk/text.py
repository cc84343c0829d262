"""Text for terminals: ages, and what nodes say without what steers a terminal."""

import re
import textwrap
from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def age(seconds: float | None) -> str:
    """Write an age in at most four characters: `3s`, `59s`, `12m`, `5h`, `40d`; `–` unknown."""
    if seconds is None:
        return "–"
    seconds = max(seconds, 0.0)
    for size, unit in ((60, "s"), (60, "m"), (48, "h")):
        if seconds < size:
            return f"{int(seconds)}{unit}"
        seconds /= 60 if unit != "h" else 24
    return f"{min(int(seconds), 999)}d"


def clean(text: str) -> str:
    """Return `text` without control characters: what nodes send never steers a terminal."""
    return _CONTROL.sub("·", text)


def filled(parts: Sequence[str], width: int, between: str = "  ") -> list[list[int]]:
    """Return which parts stand on which line of a width, by their places; none is broken."""
    lines: list[list[int]] = [[]]
    used = 0
    for n, part in enumerate(parts):
        if lines[-1] and used + len(between) + len(part) > width:
            lines.append([])
            used = 0
        used += len(part) + (len(between) if lines[-1] else 0)
        lines[-1].append(n)
    return lines


def fitted(
    lines: Sequence[tuple[str, str]], rows: int, width: int, *, end: bool = False
) -> list[tuple[str, str]]:
    """Return the lines that so many rows have room for, long ones folded, and how many are left.

    end: keep the first and the last ones, instead of the first.
    """
    heights = [max(1, len(textwrap.wrap(text, width))) for _, text in lines]
    if sum(heights) <= rows:
        return list(lines)
    left = rows - 1 - heights[0]
    order = range(len(lines) - 1, 0, -1) if end else range(1, len(lines))
    kept: list[int] = []
    for n in order:
        left -= heights[n]
        if left < 0:
            break
        kept.append(n)
    said = ("dim", f"enter shows {len(lines) - 1 - len(kept)} lines more")
    if end:
        return [lines[0], said, *(lines[n] for n in reversed(kept))]
    return [lines[0], *(lines[n] for n in kept), said]
