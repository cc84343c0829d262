"""Many messages of one kind at once: from their bytes to columns, over the schema's tuples.

The same answers as `lampione_protocol.codec.decode`, of which it is the fast form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Fields = tuple[tuple[Any, ...], ...]
UNKNOWN = np.iinfo(np.int32).min
_MANTISSA_BITS = 6
_MINIFLOAT = np.array(
    [(n & ((1 << _MANTISSA_BITS) - 1)) << (n >> _MANTISSA_BITS) for n in range(1024)], np.int32
)

Column = NDArray[np.int32]
Word = NDArray[np.uint32]
Sizes = NDArray[np.int64]


class Columns(dict[str, Column]):
    """Field name to values in steps, UNKNOWN where the sender did not know.

    `sound` says of each message whether every number is within its field's range; `codec.decode`
    refuses a message that is not.
    """

    sound: NDArray[np.bool_]


def _words(bodies: Sequence[bytes], word_count: int) -> tuple[list[Word], Sizes]:
    """Return the bodies as columns of big-endian words of 32 bits, and their sizes in bytes.

    What stands in a word behind its body's end is anything: fields there are unknown by `sizes`.
    """
    count = len(bodies)
    stride = len(bodies[0]) if bodies else 0
    joined = b"".join(bodies)
    # One length is the rule: every sender of a revision writes the same fields.
    if len(joined) == stride * count and (not bodies or max(map(len, bodies)) == stride):
        sizes = np.full(1, stride)
    else:
        sizes = np.fromiter(map(len, bodies), np.int64, count)
        stride = word_count * 4
        joined = b"".join([body[:stride].ljust(stride, b"\xff") for body in bodies])
    joined += bytes(word_count * 4)  # the last body's words may reach over its end
    return [
        np.ndarray(count, ">u4", joined, 4 * word, (stride,)).astype(np.uint32)
        for word in range(word_count)
    ], sizes


def _cut(words: list[Word], start: int, bits: int) -> Column:
    """Return the field of `bits` bits, 31 at most, from bit `start` on."""
    word, offset = divmod(start, 32)
    beyond = offset + bits - 32  # bits of it in the next word
    if beyond <= 0:
        raw = words[word] >> np.uint32(-beyond)
    else:
        # numpy multiplies several times as fast as it shifts to the left.
        raw = (words[word] & np.uint32((1 << bits - beyond) - 1)) * np.uint32(1 << beyond)
        raw |= words[word + 1] >> np.uint32(32 - beyond)
    raw &= np.uint32((1 << bits) - 1)
    return raw.view(np.int32)


def _mean(
    field: tuple[Any, ...], value: Column, short: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_] | None:
    """Turn raw numbers into a field's values, in place; return which are beyond its range.

    `short`: of which messages the end comes before the field's.
    """
    _, kind, bits, low, high, *_ = field
    mask = (1 << bits) - 1
    unknown = value == mask if kind != "c" else None
    if short is not None:
        unknown = short if unknown is None else unknown | short
    if kind == "m":
        value[:] = _MINIFLOAT[value]
    elif low:
        value += low
    beyond = None
    if kind == "m" or high < mask + low - (kind != "c"):
        beyond = value > high
        if unknown is not None:
            beyond &= ~unknown
    # Most columns have no unknown at all, and to look is cheaper than to write.
    if unknown is not None and np.count_nonzero(unknown):
        value[unknown] = UNKNOWN
    return beyond


def decode(fields: Fields, bodies: Sequence[bytes], names: Sequence[str] | None = None) -> Columns:
    """Return the columns of `names` (default: all) of messages of the same kind.

    Fields of bytes, text and spare bits are left out. A message that ends early leaves what
    follows unknown.
    """
    total_bits = sum(field[2] for field in fields if field[1] != "t")
    words, sizes = _words(bodies, (total_bits + 31) // 32)
    columns = Columns()
    sound = np.ones(len(bodies), np.bool_)
    shortest = int(sizes.min()) * 8 if len(bodies) else 0
    bit = 0
    for field in fields:
        name, kind, bits = field[:3]
        start, bit = bit, bit + bits
        if kind in "ytx" or (names is not None and name not in names):
            continue
        value = _cut(words, start, bits)
        short = np.broadcast_to(sizes * 8 < bit, value.shape) if shortest < bit else None
        beyond = _mean(field, value, short)
        if beyond is not None:
            sound &= ~beyond
        columns[name] = value
    columns.sound = sound
    return columns


def widths(fields: Fields, size: int) -> tuple[int, ...]:
    """Return the bits of the raw columns that bodies of `size` bytes are cut into, without a rest.

    The first are the fields', as far as they fit; then what is left, a byte each.
    """
    left = size * 8
    found = []
    for field in fields:
        if field[1] in "yt" or field[2] > left:
            break
        found.append(field[2])
        left -= field[2]
    if left % 8:
        found.append(left % 8)
    return (*found, *[8] * (left // 8))


def cut(bits: Sequence[int], bodies: Sequence[bytes]) -> NDArray[np.uint32]:
    """Return the raw columns, [column, body], of bodies of one size that `bits` cover."""
    found = np.empty((len(bits), len(bodies)), np.uint32)
    words, _ = _words(bodies, (sum(bits) + 31) // 32)
    start = 0
    for row, width in zip(found, bits, strict=True):
        row[:] = _cut(words, start, width).view(np.uint32)
        start += width
    return found


def paste(bits: Sequence[int], raw: NDArray[np.uint32]) -> list[bytes]:
    """Return the bodies that `cut` made raw columns of."""
    size, count = sum(bits) // 8, raw.shape[1]
    words = np.zeros(((size + 3) // 4, count), np.uint32)
    start = 0
    for row, width in zip(raw, bits, strict=True):
        word, offset = divmod(start, 32)
        start += width
        beyond = offset + width - 32
        if beyond <= 0:
            words[word] |= row << np.uint32(-beyond)
        else:
            words[word] |= row >> np.uint32(beyond)
            words[word + 1] |= row << np.uint32(32 - beyond)
    packed = np.ascontiguousarray(words.T.astype(">u4")).view(np.uint8)[:, :size].tobytes()
    return [packed[at : at + size] for at in range(0, size * count, size)]


def mean(
    fields: Fields, raw: Mapping[int, NDArray[np.uint32]], count: int, names: Sequence[str] | None
) -> Columns:
    """As `decode`, of raw columns by the number of their field; one that is missing is unknown."""
    columns = Columns()
    columns.sound = np.ones(count, np.bool_)
    for number, field in enumerate(fields):
        name, kind = field[:2]
        if kind in "ytx" or (names is not None and name not in names):
            continue
        if number in raw:
            value = raw[number].astype(np.int32)
            beyond = _mean(field, value)
            if beyond is not None:
                columns.sound &= ~beyond
        else:
            value = np.full(count, UNKNOWN, np.int32)
        columns[name] = value
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
