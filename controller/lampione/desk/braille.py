"""A picture of dots in letters: a braille letter holds two by four of them."""

import numpy as np
from numpy.typing import NDArray

WIDE, HIGH = 2, 4  # dots of a letter
_BLANK = 0x2800
# U+2800 to U+28FF: bit n is dot n + 1; the first six go down two columns, the last two below them.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
_AT_ONCE = 4096  # segments: of a screen's length each, some ten megabytes

Floats = NDArray[np.float64]
Dots = NDArray[np.bool_]


def blank(columns: int, rows: int) -> Dots:
    """Return no dots, for so many letters."""
    return np.zeros((rows * HIGH, columns * WIDE), np.bool_)


def clipped(segments: Floats, width: float, height: float) -> Floats:
    """Return what of segments (x0, y0, x1, y1) lies within 0..width, 0..height (Liang-Barsky)."""
    if not len(segments):
        return segments
    start, end = segments[:, :2], segments[:, 2:]
    way = end - start
    room = np.array([width, height])
    enter, leave = np.zeros(len(segments)), np.ones(len(segments))
    inside = np.ones(len(segments), np.bool_)
    for axis in (0, 1):
        along, at = way[:, axis], start[:, axis]
        still = along == 0
        inside &= ~still | ((at >= 0) & (at <= room[axis]))
        divisor = np.where(still, 1.0, along)
        with np.errstate(over="ignore"):
            low, high = -at / divisor, (room[axis] - at) / divisor
        enter = np.where(still, enter, np.maximum(enter, np.minimum(low, high)))
        leave = np.where(still, leave, np.minimum(leave, np.maximum(low, high)))
    keep = inside & (enter <= leave)
    start, way = start[keep], way[keep]
    found = np.concatenate((start + way * enter[keep, None], start + way * leave[keep, None]), 1)
    return np.clip(found, 0, np.concatenate((room, room)))


def draw(dots: Dots, segments: Floats) -> None:
    """Set the dots of straight lines, in dots from the top left; what lies outside is left out."""
    height, width = dots.shape
    if not height or not width:
        return
    for first in range(0, len(segments), _AT_ONCE):
        whole = clipped(segments[first : first + _AT_ONCE], width - 1, height - 1)
        _draw(dots, np.rint(whole).astype(np.int64))


def _draw(dots: Dots, ends: NDArray[np.int64]) -> None:
    """Bresenham's lines, all at once: a dot a step of the longer side, the other side rounded."""
    way = ends[:, 2:] - ends[:, :2]
    steps = np.abs(way).max(1, initial=0)
    counts = steps + 1
    of = np.repeat(np.arange(len(ends)), counts)
    step = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    length = np.maximum(steps[of], 1)[:, None]
    moved = (2 * way[of] * step[:, None] + length) // (2 * length)
    x, y = (ends[of, :2] + moved).T
    dots[y, x] = True


def letters(dots: Dots) -> list[str]:
    """Return the lines of letters; a letter without a dot is a blank."""
    rows, columns = dots.shape[0] // HIGH, dots.shape[1] // WIDE
    cells = dots.reshape(rows, HIGH, columns, WIDE)
    codes = (cells * _BITS[:, None, :]).sum((1, 3))
    return ["".join(chr(_BLANK + code) if code else " " for code in row) for row in codes.tolist()]
