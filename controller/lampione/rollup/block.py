"""One measure of one bucket of `BLOCK` nodes: arrays that add up, and their bytes at rest.

Integers alone, so that adding is exact and its order does not matter. What has no value holds
what adding leaves alone: 0, the greatest where the least is kept, the least where the greatest is.

At rest: "version, kind, bins in parts, 0", then zstd of a bit a node that has values, and of each
array: its least value and how many bytes its greatest needs above that, then those bytes in
planes. Means stand as sums over their greatest common divisor; least and greatest as distances
from the mean, which is why they are small.
"""

import struct
import threading
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import zstandard
from lampione_protocol import hour
from numpy.typing import NDArray

from lampione.rollup.measures import BLOCK, COUNTER_BITS, Kind

Array = NDArray[Any]

_VERSION = 1
_HEAD = struct.Struct("<BBBB")
_PLANE = struct.Struct("<qB")
_SIZE_MAX = 1 << 21  # of a block that is not damaged, unpacked
_INT32 = np.iinfo(np.int32)
_INT64 = np.iinfo(np.int64)
_LEVEL = 6

# array: (type, what adding leaves alone, how to add)
_ADDED = (0, np.add)
_LEAST = np.minimum
_GREATEST = np.maximum
_LAYOUT: dict[str, tuple[Any, int, np.ufunc]] = {
    "n": (np.uint32, *_ADDED),
    "seconds": (np.uint32, *_ADDED),
    "sum": (np.int64, *_ADDED),
    "min": (np.int32, _INT32.max, _LEAST),
    "max": (np.int32, _INT32.min, _GREATEST),
    # A time and a value in one number, see `stamp`: of two at one time the lesser is the first.
    "first": (np.int64, _INT64.max, _LEAST),
    "last": (np.int64, -1, _GREATEST),
    "bins": (np.uint32, *_ADDED),
}
ARRAYS: dict[Kind, tuple[str, ...]] = {
    Kind.MEAN: ("n", "seconds", "sum", "min", "max"),
    Kind.TOTAL: ("n", "seconds", "sum", "min", "max"),
    Kind.SAMPLE: ("n", "sum", "min", "max"),
    Kind.ENERGY: ("n", "seconds", "sum"),
    Kind.HISTOGRAM: ("bins",),
    Kind.COUNTER: ("n", "first", "last"),
}


class BlockError(ValueError):
    """Bytes that are no block; the text says why."""


class _Codec(threading.local):
    """Contexts of zstd, which no two threads may share."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
        self.unpack = zstandard.ZstdDecompressor()


_codec = _Codec()


def blank(kind: Kind, shape: tuple[int, ...], bins: int = 0) -> dict[str, Array]:
    """Return arrays that hold nothing, for [.., node]; bins have an axis more."""
    return {
        name: np.full((*shape, bins) if name == "bins" else shape, nothing, dtype)
        for name, (dtype, nothing, _) in ((name, _LAYOUT[name]) for name in ARRAYS[kind])
    }


def adding(name: str) -> np.ufunc:
    """Return how two arrays of a name become one."""
    return _LAYOUT[name][2]


def stamp(at: Array, value: Array) -> NDArray[np.int64]:
    """Return times and values of counters as one number each, which sorts by time."""
    return (at.astype(np.int64) << COUNTER_BITS) | value.astype(np.int64)


def unstamp(stamped: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return times and values of `stamp`'s numbers."""
    return stamped >> COUNTER_BITS, stamped & ((1 << COUNTER_BITS) - 1)


class Block:
    """Arrays [slot] of one measure, `slot` being the node's id within its block."""

    __slots__ = ("_arrays", "bins", "kind")

    def __init__(self, kind: Kind, bins: int = 0, arrays: dict[str, Array] | None = None):
        self.kind = kind
        self.bins = bins
        self._arrays = blank(kind, (BLOCK,), bins) if arrays is None else arrays

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, those that the block itself uses."""
        return self._arrays

    def present(self) -> NDArray[np.bool_]:
        """Say of each slot whether anything is known of it."""
        if self.kind is Kind.HISTOGRAM:
            return np.asarray(self._arrays["bins"].any(axis=1))
        return self._arrays["n"] > 0

    def put(self, slots: NDArray[Any], values: dict[str, Array]) -> None:
        """Add values to slots, of which none comes twice."""
        for name, array in self._arrays.items():
            array[slots] = _LAYOUT[name][2](array[slots], values[name].astype(array.dtype))

    def add(self, other: "Block") -> None:
        """Add another block of the same measure. Raises BlockError."""
        if (other.kind, other.bins) != (self.kind, self.bins):
            raise BlockError(f"{other.kind.name} does not add up with {self.kind.name}")
        for name, array in self._arrays.items():
            _LAYOUT[name][2](array, other._arrays[name], out=array)

    def __eq__(self, other: object) -> bool:
        """Say whether both hold the same."""
        return (
            isinstance(other, Block)
            and (self.kind, self.bins) == (other.kind, other.bins)
            and all(np.array_equal(a, other._arrays[name]) for name, a in self._arrays.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def pack(self) -> bytes:
        """Return the block's bytes at rest."""
        present = self.present()
        slots = np.flatnonzero(present)
        parts = [np.packbits(present).tobytes()]
        if len(slots):
            kept = {name: array[slots].astype(np.int64) for name, array in self._arrays.items()}
            parts += _DENSE[self.kind](kept)
        head = _HEAD.pack(_VERSION, self.kind, self.bins // hour.BINS_A_PART, 0)
        return head + _codec.pack.compress(b"".join(parts))

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """Return the block of bytes that `pack` made. Raises BlockError."""
        try:
            version, kind, parts, _ = _HEAD.unpack_from(body)
            if version != _VERSION:
                raise BlockError(f"a block of version {version}, which is not known here")
            packed = body[_HEAD.size :]
            # What a damaged frame says of its size would be allocated before it is looked at.
            if zstandard.get_frame_parameters(packed).content_size > _SIZE_MAX:
                raise BlockError("a damaged block: its size cannot be")
            plain = _codec.unpack.decompress(packed, max_output_size=_SIZE_MAX)
            made, bins = Kind(kind), parts * hour.BINS_A_PART
            slots = np.flatnonzero(np.unpackbits(np.frombuffer(plain, np.uint8, BLOCK // 8)))
            if not len(slots):
                return cls(made, bins)
            values = _FULL[made](_Planes(plain, BLOCK // 8, len(slots)), bins)
            if len(slots) == BLOCK:
                return cls(made, bins, {n: a.astype(_LAYOUT[n][0]) for n, a in values.items()})
            block = cls(made, bins)
            for name, array in values.items():
                block._arrays[name][slots] = array
        except (struct.error, zstandard.ZstdError, ValueError) as error:
            if isinstance(error, BlockError):
                raise
            raise BlockError(f"a damaged block: {error}") from None
        return block


def _plane(values: NDArray[np.int64]) -> bytes:
    """Return numbers as their least, the bytes that the rest needs, and planes of those."""
    least = int(values.min())
    above = (values - least).astype("<u8", copy=False)
    width = (int(above.max()).bit_length() + 7) // 8
    planes = above.reshape(-1, 1).view(np.uint8)[:, :width].T
    return _PLANE.pack(least, width) + planes.tobytes()


class _Planes:
    """Reads what `_plane` wrote, one after the other."""

    def __init__(self, plain: bytes, at: int, count: int):
        self._plain = plain
        self._at = at
        self.count = count

    def next(self, count: int | None = None) -> NDArray[np.int64]:
        """Return the next `count` numbers (default: as many as there are nodes)."""
        count = self.count if count is None else count
        least, width = _PLANE.unpack_from(self._plain, self._at)
        if width > 8:
            raise BlockError(f"numbers of {width} bytes")
        planes = np.frombuffer(self._plain, np.uint8, count * width, self._at + _PLANE.size)
        self._at += _PLANE.size + count * width
        if width == 0:
            return np.full(count, least, np.int64)
        found: NDArray[np.int64]
        if width == 1:
            found = planes.astype(np.int64)
        else:
            full = np.zeros((count, 8), np.uint8)
            full[:, :width] = planes.reshape(width, count).T
            found = full.view("<i8")[:, 0]
        found += least
        return found


def _dense_sums(kept: dict[str, NDArray[np.int64]], weight: str) -> list[bytes]:
    """Return n, seconds, sums, and least and greatest as distances from the mean."""
    n, sums = kept["n"], kept["sum"]
    parts = [_plane(n)]
    weights = kept[weight]
    if "seconds" in kept:
        usual = int(kept["seconds"].sum()) // int(n.sum())
        parts += [_one(usual), _plane(kept["seconds"] - n * usual)]
    divisor = int(np.gcd.reduce(sums)) or 1
    parts += [_one(divisor), _plane(sums // divisor)]
    if "min" in kept:
        mean = sums // weights
        parts += [_plane(mean - kept["min"]), _plane(kept["max"] - mean)]
    return parts


def _full_sums(
    planes: _Planes, *, timed: bool, weight: str, extremes: bool = True
) -> dict[str, Array]:
    found: dict[str, Array] = {"n": planes.next()}
    if timed:
        usual = planes.next(1)[0]
        found["seconds"] = planes.next() + found["n"] * usual
    divisor = planes.next(1)[0]
    found["sum"] = planes.next() * divisor
    if extremes:
        weights = found[weight]
        if not weights.all():
            raise BlockError("values that weigh nothing")
        mean = found["sum"] // weights
        found["min"] = mean - planes.next()
        found["max"] = planes.next() + mean
    return found


def _one(value: int) -> bytes:
    return _PLANE.pack(value, 0)


def _dense_counter(kept: dict[str, NDArray[np.int64]]) -> list[bytes]:
    first_at, first = unstamp(kept["first"])
    last_at, last = unstamp(kept["last"])
    return [_plane(a) for a in (kept["n"], first_at, last_at - first_at, first, last - first)]


def _full_counter(planes: _Planes, _: int) -> dict[str, Array]:
    n, first_at, took, first, grew = (planes.next() for _ in range(5))
    return {
        "n": n,
        "first": stamp(first_at, first),
        "last": stamp(first_at + took, first + grew),
    }


_DENSE: dict[Kind, Callable[[dict[str, NDArray[np.int64]]], list[bytes]]] = {
    Kind.MEAN: lambda kept: _dense_sums(kept, "seconds"),
    Kind.TOTAL: lambda kept: _dense_sums(kept, "n"),
    Kind.SAMPLE: lambda kept: _dense_sums(kept, "n"),
    Kind.ENERGY: lambda kept: _dense_sums(kept, "n"),
    Kind.HISTOGRAM: lambda kept: [_plane(kept["bins"].ravel())],
    Kind.COUNTER: _dense_counter,
}
_FULL: dict[Kind, Callable[[_Planes, int], dict[str, Array]]] = {
    Kind.MEAN: lambda planes, _: _full_sums(planes, timed=True, weight="seconds"),
    Kind.TOTAL: lambda planes, _: _full_sums(planes, timed=True, weight="n"),
    Kind.SAMPLE: lambda planes, _: _full_sums(planes, timed=False, weight="n"),
    Kind.ENERGY: lambda planes, _: _full_sums(planes, timed=True, weight="n", extremes=False),
    Kind.HISTOGRAM: lambda planes, bins: {
        "bins": planes.next(planes.count * bins).reshape(-1, bins)
    },
    Kind.COUNTER: _full_counter,
}
