"""Numbers that look drawn, and depend on nothing but the integers they are made of.

An array of unsigned 64-bit integers gives an array: of each what it gives alone.
"""

from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bits = npt.NDArray[np.uint64]
    Floats = npt.NDArray[np.float64]

_MASK = (1 << 64) - 1
_START = _STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

MOST_FADE_DB = 2 * 5.2


@overload
def mix(z: int, number: int) -> int: ...
@overload
def mix(z: "Bits", number: "int | Bits") -> "Bits": ...
@overload
def mix(z: int, number: "Bits") -> "Bits": ...
def mix(z: Any, number: Any) -> Any:
    """Return 64 scattered bits (the finaliser of splitmix64) of an integer and those before.

    z: what those before it gave.
    """
    z = z + (number * _FIRST & _MASK) + _STEP & _MASK
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)


def scattered(*numbers: int) -> int:
    """Return 64 scattered bits of some integers."""
    z = _START
    for number in numbers:
        z = mix(z, number)
    return z


@overload
def chance(z: int) -> float: ...
@overload
def chance(z: "Bits") -> "Floats": ...
def chance(z: Any) -> Any:
    """Return scattered bits as a number of [0, 1)."""
    return z / 2.0**64


def fade_db(z: "Bits") -> "Floats":
    """Return scattered bits as a change of strength, about normal, sigma 3 dB."""
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)
    db: Floats = (total / 65536 - 2) * 5.2
    return db
