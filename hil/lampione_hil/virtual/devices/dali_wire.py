"""Frames on a DALI line: levels over time, as IEC 62386-101 has them.

A line is a list of half-bits, or of the times in µs at which it changes; it is high (1) before.
"""

import itertools
from collections.abc import Iterable, Sequence

TE_US = 1_000_000 / 2400  # half a bit
STOP_US = 2400  # so long high ends a frame (part 101: 2.4 ms)
# Receiver bit timing of part 101: half a bit, a whole one. What lies between may be either.
HALF_US = (333.3, 500.0)
WHOLE_US = (666.7, 1000.0)
GREY_US = 583.3


def halves(value: int, bits: int) -> list[int]:
    """Return the half-bits of a frame: its start bit, then `bits` of `value`, MSB first."""
    sent = [1, *(value >> n & 1 for n in reversed(range(bits)))]
    return [half for bit in sent for half in (1 - bit, bit)]


def edges(levels: Sequence[int], start_us: float, te_us: float = TE_US) -> list[float]:
    """Return when a line changes that is at `levels`, one for each half-bit, and high then."""
    found = []
    level = 1
    for n, now in enumerate([*levels, 1]):
        if now != level:
            found.append(start_us + n * te_us)
            level = now
    return found


def frames(changes: Sequence[float]) -> list[list[float]]:
    """Split a line's changes into frames: high for the stop condition lies between two."""
    found: list[list[float]] = []
    for n, at in enumerate(changes):
        if n % 2 == 0 and (not n or at - changes[n - 1] >= STOP_US):
            found.append([])
        found[-1].append(at)
    return found


def bits(changes: Sequence[float]) -> list[int] | None:
    """Return the bits of one frame after its start bit, or None where a timing is violated."""
    if len(changes) % 2:
        return None  # the line stayed low
    levels = []
    level = 0
    for before, at in itertools.pairwise(changes):
        us = at - before
        if HALF_US[0] <= us < GREY_US:
            levels.append(level)
        elif GREY_US <= us <= WHOLE_US[1]:
            levels += [level, level]
        else:
            return None
        level = 1 - level
    if len(levels) % 2:
        levels.append(1)  # the second half of a last 1 is the beginning of the idle line
    pairs = list(zip(levels[::2], levels[1::2], strict=True))
    if not pairs or any(first == second for first, second in pairs) or pairs[0] != (0, 1):
        return None
    return [second for _, second in pairs[1:]]


def number(found: Iterable[int]) -> int:
    """Return the number that bits are, MSB first."""
    value = 0
    for bit in found:
        value = value << 1 | bit
    return value


def together(lines: Sequence[Sequence[float]]) -> list[float]:
    """Return the changes of a line that several senders pull down: low where any is low."""
    steps = sorted((at, -1 if n % 2 == 0 else 1) for one in lines for n, at in enumerate(one))
    low = 0
    found: list[float] = []
    for at, step in steps:
        before = low > 0
        low -= step
        if (low > 0) != before:
            if found and found[-1] == at:
                found.pop()
            else:
                found.append(at)
    return found
