"""One measure of 1,024 nodes in one bucket of time: arrays that add up, and their packed form."""

from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from lampione.rollup.measures import Rule

BLOCK = 1024  # nodes: block b holds the numbers from b * BLOCK on
_VERSION = 1
_UNPACKED_MAX = 1 << 20  # bytes; the largest, a histogram of 96 bins, has 400 k
_LOW, _HIGH = np.iinfo(np.int32).min, np.iinfo(np.int32).max
_EARLY, _LATE = np.iinfo(np.int64).min, np.iinfo(np.int64).max

# Of each rule: (array, type, its value where nothing came).
ARRAYS: dict[Rule, tuple[tuple[str, str, int], ...]] = {
    Rule.PLAIN: (
        ("n", "<u4", 0),
        ("seconds", "<u4", 0),
        ("sum", "<i8", 0),
        ("min", "<i4", _HIGH),
        ("max", "<i4", _LOW),
    ),
    Rule.ENERGY: (("n", "<u4", 0), ("seconds", "<u4", 0), ("energy", "<i8", 0)),
    Rule.COUNTER: (
        ("n", "<u4", 0),
        ("first_at", "<i8", _LATE),
        ("first", "<i8", 0),
        ("last_at", "<i8", _EARLY),
        ("last", "<i8", 0),
    ),
    Rule.HISTOGRAM: (("n", "<u4", 0), ("bins", "<u4", 0)),
}

Arrays = dict[str, NDArray[Any]]


class DamagedBlock(ValueError):
    """Not a packed block, or no longer the one that was packed."""


class Block:
    """See the module. `arrays`: name to [BLOCK], `bins` to [BLOCK, bins]; `n` counts messages."""

    __slots__ = ("arrays", "bins", "rule")

    def __init__(self, rule: Rule, bins: int = 0):
        self.rule = rule
        self.bins = bins
        self.arrays: Arrays = {
            name: np.full((BLOCK, bins) if name == "bins" else BLOCK, empty, dtype)
            for name, dtype, empty in ARRAYS[rule]
        }

    def add(self, other: "Block") -> None:
        """Take in what another block counted. Raises ValueError when it is of another kind."""
        if (self.rule, self.bins) != (other.rule, other.bins):
            raise ValueError(f"{other.rule.name} cannot be added to {self.rule.name}")
        mine, its = self.arrays, other.arrays
        for name, array in mine.items():
            if name == "min":
                np.minimum(array, its[name], out=array)
            elif name == "max":
                np.maximum(array, its[name], out=array)
            elif self.rule is not Rule.COUNTER or name == "n":
                np.add(array, its[name], out=array)
        if self.rule is Rule.COUNTER:
            _earlier(mine, its)
            _later(mine, its)

    def pack(self) -> bytes:
        """Return the block as bytes, with a checksum."""
        present = self.arrays["n"] > 0
        which = np.flatnonzero(present)
        kept = {name: array[which] for name, array in self.arrays.items()}
        if self.rule is Rule.PLAIN:  # small numbers pack well
            kept["sum"] = kept["sum"] - kept["n"].astype(np.int64) * kept["min"]
            kept["max"] = kept["max"] - kept["min"]
        elif self.rule is Rule.COUNTER:
            kept["last_at"] = kept["last_at"] - kept["first_at"]
            kept["last"] = kept["last"] - kept["first"]
        parts = [bytes((_VERSION, self.rule, self.bins)), np.packbits(present).tobytes()]
        parts += [_shuffled(kept[name].astype(dtype)) for name, dtype, _ in ARRAYS[self.rule]]
        # (a compressor is not for two threads at once)
        packer = zstandard.ZstdCompressor(level=3, write_checksum=True)
        return packer.compress(b"".join(parts))

    @classmethod
    def unpack(cls, data: bytes) -> "Block":
        """Return the block that was packed. Raises DamagedBlock."""
        try:
            if zstandard.get_frame_parameters(data).content_size > _UNPACKED_MAX:
                raise DamagedBlock("a roll-up says that it is larger than any is")
            raw = zstandard.ZstdDecompressor().decompress(data)
        except zstandard.ZstdError as error:
            raise DamagedBlock(f"a roll-up cannot be unpacked: {error}") from None
        head = 3 + BLOCK // 8
        if len(raw) < head or raw[0] != _VERSION or raw[1] not in set(Rule):
            raise DamagedBlock("a roll-up is of another program's kind")
        made = cls(Rule(raw[1]), raw[2])
        which = np.flatnonzero(np.unpackbits(np.frombuffer(raw, np.uint8, BLOCK // 8, 3)))
        count = len(which)
        at = head
        kept: Arrays = {}
        for name, dtype, _ in ARRAYS[made.rule]:
            items = count * (made.bins if name == "bins" else 1)
            end = at + items * np.dtype(dtype).itemsize
            if end > len(raw):
                raise DamagedBlock("a roll-up is cut short")
            kept[name] = _unshuffled(raw[at:end], dtype)
            at = end
        if at != len(raw):
            raise DamagedBlock("a roll-up is longer than it says")
        if made.rule is Rule.PLAIN:
            kept["sum"] += kept["n"].astype(np.int64) * kept["min"]
            kept["max"] += kept["min"]
        elif made.rule is Rule.COUNTER:
            kept["last_at"] += kept["first_at"]
            kept["last"] += kept["first"]
        elif made.rule is Rule.HISTOGRAM:
            kept["bins"] = kept["bins"].reshape(count, made.bins)
        for name, array in kept.items():
            made.arrays[name][which] = array
        return made


def _earlier(mine: Arrays, its: Arrays) -> None:
    """Of two meters' readings keep the earlier, of one instant the smaller."""
    same = its["first_at"] == mine["first_at"]
    take = (its["first_at"] < mine["first_at"]) | (same & (its["first"] < mine["first"]))
    for name in ("first_at", "first"):
        mine[name][take] = its[name][take]


def _later(mine: Arrays, its: Arrays) -> None:
    """Of two meters' readings keep the later, of one instant the larger."""
    same = its["last_at"] == mine["last_at"]
    take = (its["last_at"] > mine["last_at"]) | (same & (its["last"] > mine["last"]))
    for name in ("last_at", "last"):
        mine[name][take] = its[name][take]


def _shuffled(values: NDArray[Any]) -> bytes:
    """Return the values' first bytes, then their second ones and so on."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.view(np.uint8).reshape(flat.size, flat.itemsize).T.tobytes()


def _unshuffled(data: bytes, dtype: str) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    planes = np.frombuffer(data, np.uint8).reshape(size, -1)
    return np.array(planes.T, order="C").reshape(-1).view(dtype)
