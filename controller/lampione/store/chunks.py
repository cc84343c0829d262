"""A chunk: many messages of one node and type, column by column, without loss.

What a chunk holds (`Rows`): of each message the boot, the number, the times, and its body. Sound
bodies of the commonest length are cut into raw columns by the schema's bits, spare bits and
padding too, so that they can be put together again bit for bit; other bodies are kept as they are.

A column is written as it is, or as differences from row to row in zigzag, modulo 2^bits; then byte
by byte, all least bytes first; then zstd. A small chunk is one zstd frame, since each costs some
bytes; of a large one every byte plane is a frame with statistics of its own, and a constant plane
is its value.

    CRC-32 of the rest, version, form, size of the zstd head, head, planes

The widths of the columns stand in the head: a chunk can be read when the schema has grown.
"""

import struct
import threading
import zlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import zstandard
from lampione_protocol.schema import EPOCH_2020
from numpy.typing import NDArray

from lampione import batch
from lampione.store import StoreError, columns
from lampione.store.columns import Planes
from lampione.store.rows import U32, Rows

_VERSION = 1
_JOINED, _SPLIT = 0, 1
_SPLIT_FROM = 400  # rows
_PLAIN, _DELTA = 0, 1
_CONSTANT, _STORED, _ZSTD = 0, 1, 2
_OUTER = struct.Struct("<IBBII")  # ..., bytes of the frame with the head, bytes that it opens to
# rows, size of a body, columns, 1: times by column 0, other bodies, their bytes
_HEAD = struct.Struct("<IHBBII")
_META_BITS = (32, 32, 64, 64, 1, 1)  # epoch, number, at, how late it came, timed, cut
_TIME_BITS = 31
_LEVELS = (1, 16)  # of small chunks, of large ones
_BYTES_MAX = 1 << 28

U64 = NDArray[np.uint64]


class _Tools(threading.local):
    """zstd's contexts, which a thread has for itself."""

    def __init__(self) -> None:
        self.fast, self.dense = (
            zstandard.ZstdCompressor(
                compression_params=zstandard.ZstdCompressionParameters.from_level(
                    level, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=0
                )
            )
            for level in _LEVELS
        )
        self.open = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS)


_tools = _Tools()


def _meta(rows: Rows) -> tuple[U64, int]:
    """Return the columns beside the body, and whether column 0 tells the times."""
    at = rows.at.astype(np.uint64)
    by_column = int(not rows.others and len(rows.bits) > 0 and rows.bits[0] == _TIME_BITS)
    if by_column:
        at = at - (rows.raw[0].astype(np.uint64) + np.uint64(EPOCH_2020))
    late = rows.received.astype(np.uint64) - rows.at.astype(np.uint64)
    meta = (rows.epochs, rows.seqs, at, late, rows.timed, rows.cut)
    return np.array(meta, np.uint64).reshape(len(meta), -1), by_column


class _Splitter:
    """Compresses each byte plane alone, a column in the form that is the smaller."""

    def __init__(self) -> None:
        self.codes = bytearray()
        self.sizes: list[int] = []  # of each plane: bytes and kind
        self.parts: list[bytes] = []

    def _plane(self, plane: NDArray[np.uint8]) -> tuple[int, bytes]:
        if (plane == plane[0]).all():
            return int(plane[0]) << 2 | _CONSTANT, b""
        raw = plane.tobytes()
        packed = _tools.dense.compress(raw)
        if len(packed) < len(raw):
            return len(packed) << 2 | _ZSTD, packed
        return len(raw) << 2 | _STORED, raw

    def add(self, bits: tuple[int, ...], plain: Planes, delta: Planes) -> None:
        """Add columns, which have the same planes in both forms."""
        first = 0
        for width in bits:
            last = first + (width + 7) // 8
            made = [[self._plane(plane) for plane in form[first:last]] for form in (plain, delta)]
            sizes = [sum(len(part) for _, part in form) for form in made]
            code = _DELTA if sizes[_DELTA] < sizes[_PLAIN] else _PLAIN
            self.codes.append(code)
            self.sizes += [size for size, _ in made[code]]
            self.parts += [part for _, part in made[code]]
            first = last


def pack(rows: Rows) -> bytes:
    """Return a chunk."""
    meta, by_column = _meta(rows)
    groups = []
    for values, bits in ((meta, _META_BITS), (rows.raw, rows.bits)):
        if values.shape[1]:
            groups.append(
                (bits, values, columns.deltas(values, columns.masks(bits, values.itemsize)))
            )
    sizes = np.array([len(body) for body in rows.others], "<u4")
    others = sizes.tobytes() + b"".join(rows.others)
    head = _HEAD.pack(
        len(rows.epochs), rows.size, len(rows.bits), by_column, len(rows.others), len(others)
    ) + bytes(rows.bits)
    if len(rows.epochs) >= _SPLIT_FROM:
        splitter = _Splitter()
        for bits, values, deltas in groups:
            splitter.add(bits, columns.planes(values, bits), columns.planes(deltas, bits))
        table = columns.planes(np.array([splitter.sizes], np.uint32), (32,))
        head += splitter.codes + table.tobytes()
        packed = _tools.dense.compress(head)
        behind = b"".join(splitter.parts) + (_tools.dense.compress(others) if others else b"")
        outer = _OUTER.pack(0, _VERSION, _SPLIT, len(packed), len(head))
    else:
        # All in one frame: what a frame costs is much to a small chunk.
        codes, planes = b"", b""
        for bits, values, deltas in groups:
            chosen = columns.cheaper(values, deltas)
            codes += chosen.astype(np.uint8).tobytes()
            mixed = np.where(chosen[:, None], deltas, values)
            planes += columns.planes(mixed, bits).tobytes()
        head += codes + planes + others
        packed, behind = _tools.fast.compress(head), b""
        outer = _OUTER.pack(0, _VERSION, _JOINED, len(packed), len(head))
    rest = outer[4:] + packed + behind
    return zlib.crc32(rest).to_bytes(4, "little") + rest


class _Reader:
    """A chunk taken apart as far as it is asked."""

    def __init__(self, chunk: bytes):
        crc, version, self.form, size, opens_to = _OUTER.unpack_from(chunk)
        if zlib.crc32(memoryview(chunk)[4:]) != crc:
            raise ValueError("its checksum is wrong")
        if version != _VERSION or self.form not in (_JOINED, _SPLIT):
            raise ValueError(f"its version is {version}, its form {self.form}")
        if opens_to > _BYTES_MAX:
            raise ValueError(f"it says that it is of {opens_to} bytes")
        begins = _OUTER.size + size
        head = _tools.open.decompress(chunk[_OUTER.size : begins], opens_to)
        self.count, self.size, count, self.by_column, self.others, self.rest = _HEAD.unpack_from(
            head
        )
        self.cut = self.count - self.others
        at = _HEAD.size
        self.bits = tuple(head[at : at + count])
        at += count
        # Columns without a row are not there.
        groups = ((_META_BITS, self.count), (self.bits if self.cut else (), self.cut))
        self.codes = []
        self.planes: list[Planes] = []
        for bits, _ in groups:
            self.codes.append(np.frombuffer(head, np.uint8, len(bits), at) == _DELTA)
            at += len(bits)
        sizes = [sum(columns.counts(bits)) for bits, _ in groups]
        if self.form == _JOINED:
            for planes, (_, rows) in zip(sizes, groups, strict=True):
                self.planes.append(
                    np.frombuffer(head, np.uint8, planes * rows, at).reshape(planes, rows)
                )
                at += planes * rows
            self.data = memoryview(head)[at:]
        else:
            table = np.frombuffer(head, np.uint8, 4 * sum(sizes), at).reshape(4, -1)
            self.table = np.ascontiguousarray(table.T).view("<u4").reshape(-1).tolist()
            self.data = memoryview(chunk)[begins:]
            lengths = [size >> 2 if size & 3 else 0 for size in self.table]
            self.begins = [0, *accumulate(lengths)]

    def _open(self, first: int, number: int, rows: int) -> Planes:
        """Return `number` planes from `first` on."""
        found = np.empty((number, rows), np.uint8)
        for n in range(number):
            code = self.table[first + n]
            if code & 3 == _CONSTANT:
                found[n] = code >> 2
                continue
            plane = self.data[self.begins[first + n] : self.begins[first + n + 1]]
            raw = plane if code & 3 == _STORED else _tools.open.decompress(plane, rows)
            found[n] = np.frombuffer(raw, np.uint8)
        return found

    def _columns(
        self, bits: tuple[int, ...], kind: type[Any], rows: int, group: int, wanted: list[int]
    ) -> NDArray[Any]:
        counts = columns.counts(bits)
        firsts = [0, *accumulate(counts)]
        chosen = tuple(bits[n] for n in wanted)
        if self.form == _SPLIT:
            before = sum(columns.counts(_META_BITS)) if group else 0
            planes = np.concatenate(
                [self._open(before + firsts[n], counts[n], rows) for n in wanted]
            )
        elif len(wanted) == len(bits):
            planes = self.planes[group]
        else:
            planes = np.concatenate([self.planes[group][firsts[n] : firsts[n + 1]] for n in wanted])
        numbers = columns.numbers(planes, chosen, kind)
        delta = self.codes[group][wanted]
        if delta.any():
            numbers[delta] = columns.sums(
                numbers[delta], columns.masks(chosen, numbers.itemsize)[delta]
            )
        return numbers

    def meta(self) -> U64:
        """Return the columns beside the body."""
        wanted = list(range(len(_META_BITS)))
        return self._columns(_META_BITS, np.uint64, self.count, 0, wanted)

    def raw(self, wanted: list[int]) -> U32:
        """Return the body's columns; those that are not wanted are zeros."""
        found = np.zeros((len(self.bits), self.cut), np.uint32)
        if self.cut and wanted:
            found[wanted] = self._columns(self.bits, np.uint32, self.cut, 1, wanted)
        return found

    def bodies(self) -> list[bytes]:
        """Return the bodies that were not cut."""
        if not self.others:
            return []
        raw = bytes(self.data if self.form == _JOINED else self.data[self.begins[-1] :])
        if self.form == _SPLIT:
            raw = _tools.open.decompress(raw, self.rest)
        sizes = np.frombuffer(raw, "<u4", self.others)
        ends = (np.cumsum(sizes, dtype=np.int64) + 4 * self.others).tolist()
        if ends[-1] != len(raw):
            raise ValueError("its bodies are of another length")
        starts = [4 * self.others, *ends[:-1]]
        return [raw[a:b] for a, b in zip(starts, ends, strict=True)]


def unpack(
    chunk: bytes,
    where: str,
    fields: batch.Fields | None = None,
    names: Sequence[str] | None = None,
) -> Rows:
    """Return a chunk's rows. Raises StoreError that says `where` it is.

    With `fields` and `names` only the columns of those are read, the others are zeros: good for
    `Rows.columns` of the same names, not for `Rows.bodies`.
    """
    try:
        return _unpack(chunk, fields, names)
    except (
        ValueError,
        IndexError,
        TypeError,
        OverflowError,
        MemoryError,
        struct.error,
        zstandard.ZstdError,
    ) as error:
        raise StoreError(f"{where} is damaged: {error}") from None


def _unpack(chunk: bytes, fields: batch.Fields | None, names: Sequence[str] | None) -> Rows:
    reader = _Reader(chunk)
    wanted = list(range(len(reader.bits)))
    if (
        names is not None
        and fields is not None
        and not reader.others
        and reader.bits == batch.widths(fields, reader.size)
    ):
        wanted = [n for n in wanted if n < len(fields) and fields[n][0] in names]
        if reader.by_column and 0 not in wanted:
            wanted = [0, *wanted]
    epochs, seqs, at, late, timed, cut = reader.meta()
    raw = reader.raw(wanted)
    if reader.by_column:
        at = at + raw[0].astype(np.uint64) + np.uint64(EPOCH_2020)
    return Rows(
        epochs=epochs.astype(np.uint32),
        seqs=seqs.astype(np.uint32),
        at=at.astype(np.int64),
        timed=timed.astype(np.bool_),
        received=(late + at).astype(np.int64),
        size=reader.size,
        bits=reader.bits,
        raw=raw,
        cut=cut.astype(np.bool_),
        others=reader.bodies(),
    )
