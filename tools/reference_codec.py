"""The wire format said a second time, in text of zeros and ones: slow, and easy to believe.

The oracle of the codec's tests and of proposed vectors. It shares no code with `codec`.
"""

from typing import Any

Value = int | bytes | None
Field = tuple[Any, ...]


def minifloat(value: int) -> int:
    """Return the raw of kind "m": the exponent counts halvings, each rounded half up."""
    exponent = 0
    while value >= 64:
        value = value // 2 + value % 2
        exponent += 1
    return exponent * 64 + value


def bits_of(field: Field, value: Value) -> str:
    """Return a field's bits. Trusts that the value is in range."""
    kind: str = field[1]
    bits: int = field[2]
    low: int = field[3]
    if kind == "t":
        assert isinstance(value, bytes)
        return "".join(f"{byte:08b}" for byte in bytes([len(value)]) + value)
    if kind == "y":
        assert isinstance(value, bytes)
        return "".join(f"{byte:08b}" for byte in value)
    if value is None or kind == "x":
        return "1" * bits
    assert isinstance(value, int)
    return f"{minifloat(value) if kind == 'm' else value - low:0{bits}b}"


def encode(fields: tuple[Field, ...], values: list[Value]) -> bytes:
    """Return a message's bytes."""
    bits = "".join(bits_of(f, v) for f, v in zip(fields, values, strict=True))
    bits += "1" * (-len(bits) % 8)
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]
