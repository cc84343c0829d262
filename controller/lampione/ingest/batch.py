"""Many messages of one kind at once: from their bytes to columns, over the schema's tuples.

The same answers as `lampione_protocol.codec.decode`, of which it is the fast form.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Fields = tuple[tuple[Any, ...], ...]
UNKNOWN = np.iinfo(np.int32).min
_MANTISSA_BITS = 6

Column = NDArray[np.int32]


class Columns(dict[str, Column]):
    """Field name to values in steps, UNKNOWN where the sender did not know.

    `sound` says of each message whether every number is within its field's range; `codec.decode`
    refuses a message that is not.
    """

    sound: NDArray[np.bool_]


def _words(bodies: Sequence[bytes], word_count: int) -> tuple[NDArray[np.uint64], NDArray[Any]]:
    """Return the bodies as columns of big-endian words, ones behind their end, and their sizes."""
    width = word_count * 8
    count = len(bodies)
    size = len(bodies[0]) if bodies else 0
    joined = b"".join(bodies)
    # One length is the rule: every sender of a revision writes the same fields.
    if len(joined) == size * count and all(len(body) == size for body in bodies):
        sizes = np.full(1, size)
        raw = np.full((count, width), 0xFF, np.uint8)
        kept = min(size, width)
        raw[:, :kept] = np.frombuffer(joined, np.uint8).reshape(count, size)[:, :kept]
    else:
        sizes = np.fromiter(map(len, bodies), np.int64, count)
        filled = b"".join([body[:width].ljust(width, b"\xff") for body in bodies])
        raw = np.frombuffer(filled, np.uint8).reshape(count, width)
    words = raw.view(">u8").T.astype(np.uint64, order="C")
    return words, sizes


def decode(fields: Fields, bodies: Sequence[bytes], names: Sequence[str] | None = None) -> Columns:
    """Return the columns of `names` (default: all) of messages of the same kind.

    Fields of bytes, text and spare bits are left out. A message that ends early leaves what
    follows unknown.
    """
    total_bits = sum(field[2] for field in fields if field[1] != "t")
    words, sizes = _words(bodies, (total_bits + 63) // 64)
    columns = Columns()
    sound = np.ones(len(bodies), np.bool_)
    same_size = int(sizes.min()) * 8 if len(bodies) else 0
    bit = 0
    for name, kind, bits, low, high, *_ in fields:
        start, bit = bit, bit + bits
        if kind in "ytx" or (names is not None and name not in names):
            continue
        word, offset = divmod(start, 64)
        mask = (1 << bits) - 1
        spill = offset + bits - 64
        if spill <= 0:
            raw = words[word] >> np.uint64(-spill)
        else:
            raw = words[word] << np.uint64(spill) | words[word + 1] >> np.uint64(64 - spill)
        wide = (raw & np.uint64(mask)).astype(np.int64 if bits > 31 else np.int32)
        unknown = wide == mask if kind != "c" else None
        if kind == "m":
            value = (wide & ((1 << _MANTISSA_BITS) - 1)) << (wide >> _MANTISSA_BITS)
        else:
            value = wide + low if low else wide
        limit = mask + low - (kind != "c") if kind != "m" else high + 1
        if high < limit or kind == "m":
            beyond = value > high
            if unknown is not None:
                beyond &= ~unknown
            sound &= ~beyond
        if unknown is not None:
            value[unknown] = UNKNOWN
        if same_size < bit:
            value[np.broadcast_to(sizes * 8 < bit, value.shape)] = UNKNOWN
        columns[name] = value
    columns.sound = sound
    return columns


def to_units(field: tuple[Any, ...], column: Column) -> NDArray[np.float64]:
    """Return a column in the field's unit, NaN where unknown."""
    steps = field[5]
    values = column.astype(np.float64)
    values[column == UNKNOWN] = np.nan
    if steps > 0:
        values /= steps
    else:
        values *= -steps
    return values
