"""A batch of frames as one blob: what a commit appends.

CRC-32 of the rest, number of frames, a row of `_ROW` a frame, the bodies one behind another
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione.store import Frame, StoreError

_HEAD = struct.Struct("<II")
_FRAME = struct.Struct("<IIIBHdq")
_ROW = np.dtype(
    [
        ("node", "<u4"),
        ("epoch", "<u4"),
        ("seq", "<u4"),
        ("type", "u1"),
        ("size", "<u2"),
        ("received", "<f8"),
        ("at", "<i8"),
    ]
)
_NO_TIME = np.iinfo(np.int64).min


class Batch(NamedTuple):
    """Frames as columns."""

    nodes: NDArray[np.uint32]
    epochs: NDArray[np.uint32]
    seqs: NDArray[np.uint32]
    types: NDArray[np.uint8]
    received: NDArray[np.float64]
    at: NDArray[np.int64]  # by arrival, rounded down, where not timed
    timed: NDArray[np.bool_]
    bodies: NDArray[Any]  # of objects: bytes

    def take(self, which: NDArray[Any] | slice) -> "Batch":
        """Return some of the frames: by a mask, by their numbers, or as a view."""
        columns: list[NDArray[Any]] = [column[which] for column in self]
        return Batch(*columns)

    def frames(self) -> list[Frame]:
        """Return them as they came."""
        times = [
            at if timed else None
            for at, timed in zip(self.at.tolist(), self.timed.tolist(), strict=True)
        ]
        return list(
            starmap(
                Frame,
                zip(
                    self.epochs.tolist(),
                    self.seqs.tolist(),
                    self.types.tolist(),
                    self.received.tolist(),
                    times,
                    self.bodies.tolist(),
                    strict=True,
                ),
            )
        )


def seconds(received: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return times of arrival as chunks keep them."""
    return np.floor(received).astype(np.int64)


def pack(frames: Iterable[tuple[int, Frame]]) -> bytes:
    """Return (node, frame) each as one blob. Raises StoreError for one that does not fit."""
    rows, bodies = [], []
    try:
        for node, (epoch, seq, kind, received, at, body) in frames:
            rows.append(
                _FRAME.pack(
                    node, epoch, seq, kind, len(body), received, _NO_TIME if at is None else at
                )
            )
            bodies.append(body)
    except struct.error as error:
        raise StoreError(f"a frame cannot be stored: {error}") from None
    rest = b"".join((len(rows).to_bytes(4, "little"), *rows, *bodies))
    return zlib.crc32(rest).to_bytes(4, "little") + rest


def _parts(blobs: Iterable[tuple[int, bytes]]) -> tuple[list[bytes], list[bytes]]:
    """Return the rows and the bodies of each blob, checked."""
    rows, bodies = [], []
    head, width, crc_of, read = _HEAD.size, _FRAME.size, zlib.crc32, _HEAD.unpack_from
    for number, blob in blobs:  # thousands, of a few frames each
        if len(blob) < head:
            raise StoreError(f"batch {number} is damaged: too short")
        crc, count = read(blob)
        begins = head + count * width
        if begins > len(blob) or crc_of(blob[4:]) != crc:
            raise StoreError(f"batch {number} is damaged: its checksum is wrong")
        rows.append(blob[head:begins])
        bodies.append(blob[begins:])
    return rows, bodies


class Packed:
    """Frames of (number, blob) each, one batch behind another, not yet taken apart.

    A tenth of what they take as a `Batch`. `rows` have `node`, `epoch`, `seq` and `type`. Raises
    StoreError that names the batch.
    """

    def __init__(self, blobs: Iterable[tuple[int, bytes]]):
        heads, tails = _parts(blobs)
        self.rows: NDArray[Any] = np.frombuffer(b"".join(heads), _ROW)
        self._joined = b"".join(tails)
        self._ends = np.cumsum(self.rows["size"], dtype=np.int64)
        if len(self._joined) != (int(self._ends[-1]) if len(self.rows) else 0):
            raise StoreError("a batch is damaged: its bodies are of another length")

    def frames(self, which: NDArray[np.bool_] | slice) -> Batch:
        """Return some of the frames."""
        rows, ends = self.rows[which], self._ends[which]
        return _batch(rows, ends - rows["size"], ends, self._joined)


def sift(blobs: Sequence[tuple[int, bytes]]) -> tuple[Packed, list[tuple[int, str]]]:
    """Return the frames of those that can be read, and (number, why) of the others."""
    try:
        return Packed(blobs), []
    except StoreError:
        whole, damaged = [], []
        for blob in blobs:
            try:
                Packed([blob])
                whole.append(blob)
            except StoreError as error:
                damaged.append((blob[0], str(error)))
        return Packed(whole), damaged


def nodes_in(blob: bytes) -> NDArray[np.uint32]:
    """Return whose frames a blob holds; of a damaged one whatever can be read."""
    count = _HEAD.unpack_from(blob)[1] if len(blob) >= _HEAD.size else 0
    count = min(count, (len(blob) - _HEAD.size) // _FRAME.size)
    nodes: NDArray[np.uint32] = np.frombuffer(blob, _ROW, count, _HEAD.size)["node"]
    return nodes


def unpack(
    blobs: Iterable[tuple[int, bytes]],
    keep: Callable[[NDArray[Any]], NDArray[np.bool_]] | None = None,
) -> Batch:
    """Return the frames of (number, blob) each, one batch behind another.

    `keep` says of rows with `node`, `epoch`, `seq` and `type` which are wanted. Raises StoreError
    that names the batch.
    """
    packed = Packed(blobs)
    return packed.frames(slice(None) if keep is None else keep(packed.rows))


def _batch(
    rows: NDArray[Any], starts: NDArray[np.int64], ends: NDArray[np.int64], joined: bytes
) -> Batch:
    bodies = np.empty(len(rows), object)
    bodies[:] = [joined[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    timed = rows["at"] != _NO_TIME
    received = rows["received"].astype(np.float64)
    return Batch(
        nodes=rows["node"].astype(np.uint32),
        epochs=rows["epoch"].astype(np.uint32),
        seqs=rows["seq"].astype(np.uint32),
        types=rows["type"].astype(np.uint8),
        received=received,
        at=np.where(timed, rows["at"], seconds(received)),
        timed=timed,
        bodies=bodies,
    )


def join(parts: Sequence[Batch]) -> Batch:
    """Return one behind the other."""
    return Batch(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def of_frames(frames: Sequence[tuple[int, Frame]]) -> Batch:
    """Return (node, frame) each as columns."""
    return unpack([(0, pack(frames))])


def repack(batch: Batch) -> bytes:
    """Return a batch as one blob."""
    return pack(zip(batch.nodes.tolist(), batch.frames(), strict=True))
