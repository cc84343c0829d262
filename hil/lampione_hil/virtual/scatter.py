"""Numbers that look drawn, and depend on nothing but the integers they are made of."""

import struct

_MASK = (1 << 64) - 1
_START = _STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

MOST_FADE_DB = 2 * 5.2


def mix(z: int, number: int) -> int:
    """Return 64 scattered bits (the finaliser of splitmix64) of an integer and those before.

    z: what those before it gave.
    """
    z = (z + number * _FIRST + _STEP) & _MASK
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


def scattered(*numbers: int) -> int:
    """Return 64 scattered bits of some integers."""
    z = _START
    for number in numbers:
        z = mix(z, number)
    return z


def chance(z: int) -> float:
    """Return scattered bits as a number of [0, 1)."""
    return z / (_MASK + 1)


def fade_db(z: int) -> float:
    """Return scattered bits as a change of strength, about normal, sigma 3 dB."""
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)
    return (total / 65536 - 2) * 5.2


class Lanes:
    """Mixes many numbers at once: they lie in one long integer, 128 bits each for the products."""

    def __init__(self, count: int) -> None:
        self._struct = struct.Struct(f"<{2 * count}Q")
        self._ones = sum(1 << 128 * n for n in range(count))
        self._masks = self._ones * _MASK
        self._counted = sum((n * _FIRST & _MASK) << 128 * n for n in range(count))

    def count(self, z: int, first: int) -> int:
        """Return mix(z, first), mix(z, first + 1), ..."""
        return self._mix(self._ones * (z + first * _FIRST + _STEP & _MASK) + self._counted)

    def mix(self, lanes: int, number: int) -> int:
        """Return mix(lane, number) of each lane."""
        return self._mix(lanes + self._ones * (number * _FIRST + _STEP & _MASK))

    def _mix(self, z: int) -> int:
        masks = self._masks
        z &= masks
        z = (z ^ (z >> 30 & masks)) * _FIRST & masks
        z = (z ^ (z >> 27 & masks)) * _SECOND & masks
        return z ^ (z >> 31 & masks)

    def split(self, lanes: int) -> list[int]:
        """Return what is in the lanes."""
        return list(self._struct.unpack(lanes.to_bytes(self._struct.size, "little"))[::2])
