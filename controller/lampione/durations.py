"""Lengths of time as people write them."""

import re

LONGEST_S = 10_000 * 86400.0  # what clocks and timers everywhere can hold
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def duration_s(text: str) -> float:
    """Read `5s`, `10m`, `2h`, `1d`, `1h30m` as seconds, 10,000 days at most. Raises ValueError."""
    total, at = 0.0, 0
    for part in _DURATION.finditer(text):
        if part.start() != at:
            break
        total += float(part[1]) * _UNITS_S[part[2]]
        at = part.end()
    if not text or at != len(text):
        raise ValueError(f"{text!r} is not a duration: write 5s, 10m, 2h or 1d")
    if total > LONGEST_S:
        raise ValueError(f"{text!r} is too long a time: 10000d at most")
    return total


def text(seconds: float) -> str:
    """Write whole seconds so that `duration_s` reads them: `10m`, `1h30m`, `0s`."""
    left, words = int(seconds), ""
    for unit in ("d", "h", "m", "s"):
        number, left = divmod(left, int(_UNITS_S[unit]))
        if number:
            words += f"{number}{unit}"
    return words or "0s"
