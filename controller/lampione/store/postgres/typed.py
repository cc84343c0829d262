"""Messages as typed rows: values in steps, NULL for unknown; and PostgreSQL's binary COPY of them.

A message whose values do not give its bytes back (out of range, cut short, of a newer sender) keeps
its `body` instead and has no values: nothing is lost either way.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione import batch, values
from lampione.store.batches import Batch

TABLES = {
    schema.REPORT: "reports",
    schema.HEALTH: "healths",
    schema.HOUR: "hours",
    schema.RAW: "raws",
}
KEYS = ("node", "epoch", "boot", "seq")
_META = (*((name, 4) for name in KEYS), ("ts", 8), ("received", 8), ("timed", 1))
EPOCH_2000_US = 946_684_800 * 1_000_000  # PostgreSQL's zero of time
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_SMALL = np.iinfo(np.int16)

Bytes = NDArray[np.uint8]


def numbers(kind: int) -> list[tuple[Any, ...]]:
    """Return the fields that are columns."""
    return [field for field in values.FIELDS[kind] if field[1] not in "xyt"]


def is_small(field: tuple[Any, ...]) -> bool:
    """Say whether a field fits a smallint."""
    return bool(field[3] >= _SMALL.min and field[4] <= _SMALL.max)


class Boots(NamedTuple):
    """What (node, epoch, boot) is of each row, as integers of 32 bits."""

    epoch: NDArray[np.int32]
    boot: NDArray[np.int32]


def epoch_number(epoch: bytes) -> int:
    """Return the four bytes of an epoch as an integer column holds them."""
    return int.from_bytes(epoch, "big", signed=True)


def _raw(field: tuple[Any, ...], column: batch.Column) -> NDArray[np.uint32]:
    """Return a column as it stands on the wire, of the encoder that we know."""
    _, kind, bits, low, *_ = field
    unknown = column == batch.UNKNOWN
    value = np.where(unknown, 0, column).astype(np.int64)
    raw = _minifloat(value) if kind == "m" else value - low
    return np.where(unknown, (1 << bits) - 1, raw).astype(np.uint32)


def _minifloat(value: NDArray[np.int64]) -> NDArray[np.int64]:
    """As `codec` does: halves rounded up until the mantissa has room."""
    value = value.copy()
    exponent = np.zeros_like(value)
    while (large := value > 63).any():
        value = np.where(large, (value + 1) >> 1, value)
        exponent += large
    return exponent << 6 | value


def bodies(kind: int, columns: batch.Columns, count: int) -> list[bytes]:
    """Return the bytes of messages of these values."""
    if not count:
        return []
    fields = values.FIELDS[kind]
    bits, raw = [], []
    for field in fields:
        bits.append(field[2])
        if field[1] == "x":
            raw.append(np.full(count, (1 << field[2]) - 1, np.uint32))
        else:
            raw.append(_raw(field, columns[field[0]]))
    left = -sum(bits) % 8
    if left:
        bits.append(left)
        raw.append(np.full(count, (1 << left) - 1, np.uint32))
    return batch.paste(bits, np.array(raw))


def columns_of(kind: int, given: Sequence[bytes]) -> tuple[batch.Columns, NDArray[np.bool_]]:
    """Return the values of messages, and of which the bytes must be kept."""
    columns = batch.decode(values.FIELDS[kind], given)
    again = bodies(kind, columns, len(given))
    kept = [one != other for one, other in zip(given, again, strict=True)]
    return columns, np.array(kept, np.bool_) | ~columns.sound


def _layout(sizes: Sequence[tuple[str, int]]) -> np.dtype[Any]:
    """Return a row of a binary COPY: the number of its columns, each with its size before it."""
    fields: list[tuple[str, str]] = [("width", ">i2")]
    for name, size in sizes:
        fields += [(f"{name} size", ">i4"), (name, f">i{size}")]
    return np.dtype(fields)


def column_names(kind: int) -> list[str]:
    """Return the columns of a table, in the order of `pack`."""
    return [*KEYS, "ts", "received", "timed", *(f[0] for f in numbers(kind)), "body"]


def pack(kind: int, frames: Batch, boots: Boots) -> bytes:
    """Return frames of one type for COPY .. FROM STDIN (FORMAT binary)."""
    columns, kept = columns_of(kind, frames.bodies.tolist())
    sizes = list(_META)
    fields = numbers(kind)
    sizes += [(field[0], 2 if is_small(field) else 4) for field in fields]
    count = len(frames.nodes)
    layout = np.dtype([*_layout(sizes).descr, ("body size", ">i4")])
    rows = np.zeros(count, layout)
    rows["width"] = len(sizes) + 1
    for name, size in sizes:
        rows[f"{name} size"] = size
    received = _microseconds(frames.received)
    rows["node"], rows["epoch"], rows["boot"] = frames.nodes, boots.epoch, boots.boot
    rows["seq"] = frames.seqs
    rows["ts"] = np.where(frames.timed, frames.at * 1_000_000, received) - EPOCH_2000_US
    rows["received"] = received - EPOCH_2000_US
    rows["timed"] = frames.timed
    shown = np.ones((count, layout.itemsize), np.bool_)
    for field in fields:
        name, column = field[0], columns[field[0]]
        null = kept | (column == batch.UNKNOWN)
        rows[name] = np.where(null, 0, column)
        rows[f"{name} size"][null] = -1
        place = layout.fields
        assert place is not None
        offset, size = place[name][1], place[name][0].itemsize
        shown[:, offset : offset + size] = ~null[:, None]
    long = frames.bodies[kept].tolist()
    rows["body size"] = -1
    rows["body size"][kept] = [len(body) for body in long]
    flat = rows.view(np.uint8).reshape(count, layout.itemsize)[shown].tobytes()
    if long:
        flat = _insert(flat, np.cumsum(shown.sum(axis=1))[kept].tolist(), long)
    return _HEAD + flat + _END


def _insert(flat: bytes, places: list[int], texts: list[bytes]) -> bytes:
    """Return bytes with others put in at rising places."""
    parts = []
    before = 0
    for place, text in zip(places, texts, strict=True):
        parts += [flat[before:place], text]
        before = place
    return b"".join([*parts, flat[before:]])


def question(fields: Sequence[str]) -> str:
    """Return the columns that `unpack` reads; where `long` is true, a body has the values."""
    unknown = batch.UNKNOWN
    shown = ", ".join(f'coalesce("{name}"::int4, {unknown})' for name in fields)
    return (
        f"{', '.join(KEYS)}, ts, received, timed, body IS NOT NULL{', ' if fields else ''}{shown}"
    )


def _microseconds(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return times in PostgreSQL's steps, each within its second."""
    near = np.rint(times * 1e6).astype(np.int64)
    return np.minimum(near, np.floor(times).astype(np.int64) * 1_000_000 + 999_999)


def seconds(times: NDArray[Any]) -> NDArray[np.int64]:
    """Return a column of times as whole Unix seconds."""
    return (times.astype(np.int64) + EPOCH_2000_US) // 1_000_000


def unpack(packed: bytes, fields: Sequence[str]) -> NDArray[Any]:
    """Return rows of `question` as COPY .. TO STDOUT (FORMAT binary) gave them: by name."""
    sizes = [*_META, ("long", 1)]
    layout = _layout(sizes + [(name, 4) for name in fields])
    count, rest = divmod(len(packed) - len(_HEAD) - len(_END), layout.itemsize)
    if count < 0 or rest:
        raise ValueError("rows of another size than was asked for")
    return np.frombuffer(packed, layout, count, len(_HEAD))
