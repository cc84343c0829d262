"""Frames of a block of nodes, sorted out: the rows of each hour, and the roll-ups."""

import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione import values
from lampione.batch import Columns
from lampione.rollup import BLOCK, LEVELS, accumulate, coarsen
from lampione.rollup.accumulate import Blocks
from lampione.store import batches
from lampione.store.batches import Batch, seconds
from lampione.store.rows import Rows, rows

HOUR_S = 3600
FINE_KEPT_S = 48 * 3600  # roll-ups of the finest level; older ones are made from chunks
_FINE, _HOUR, _DAY = LEVELS
_log = logging.getLogger("lampione.store")


class Place(NamedTuple):
    """Where a chunk belongs."""

    node: int
    type: int
    start: int
    span: int


def chunk_rows(kind: int, frames: Batch, sound: NDArray[np.bool_]) -> Iterator[tuple[Place, Rows]]:
    """Give the rows of every node and hour, of frames of one type."""
    fields = values.FIELDS[kind]
    received = seconds(frames.received)
    order = np.lexsort((frames.seqs, frames.epochs, received, frames.at, frames.nodes))
    sorted_ = frames.take(order)
    sound, received = sound[order], received[order]
    hours = sorted_.at // HOUR_S * HOUR_S
    changes = (np.diff(sorted_.nodes.astype(np.int64)) != 0) | (np.diff(hours) != 0)
    borders = [0, *(np.flatnonzero(changes) + 1).tolist(), len(order)]
    sizes = {len(body) for body in sorted_.bodies.tolist()}
    whole = _rows(fields, sorted_, received, sound, slice(None)) if len(sizes) == 1 else None
    for first, last in pairwise(borders):
        place = Place(int(sorted_.nodes[first]), kind, int(hours[first]), HOUR_S)
        if whole is not None:
            yield place, whole.take(np.arange(first, last))
        else:  # each by the length that is its commonest
            yield place, _rows(fields, sorted_, received, sound, slice(first, last))


def _rows(
    fields: Any, frames: Batch, received: NDArray[np.int64], sound: NDArray[np.bool_], which: slice
) -> Rows:
    return rows(
        fields,
        frames.epochs[which],
        frames.seqs[which],
        frames.at[which],
        frames.timed[which],
        received[which],
        frames.bodies[which].tolist(),
        sound[which],
    )


def roll_up(kind: int, frames: Batch, columns: Columns, now: float) -> dict[int, Blocks]:
    """Return the roll-ups of frames of one type by level; who had no time is in none."""
    timed = Columns({name: column[frames.timed] for name, column in columns.items()})
    timed.sound = columns.sound[frames.timed]
    nodes, at = frames.nodes[frames.timed], frames.at[frames.timed]
    if kind == values.TYPES["hour"]:  # of an hour as it is
        hourly = accumulate(_HOUR, kind, nodes, at, timed)
        return {_HOUR: hourly, _DAY: coarsen(hourly, _DAY)}
    fine = accumulate(_FINE, kind, nodes, at, timed)
    hourly = coarsen(fine, _HOUR)
    recent = {key: block for key, block in fine.items() if key[0] >= now - FINE_KEPT_S}
    return {_FINE: recent, _HOUR: hourly, _DAY: coarsen(hourly, _DAY)}


def by_block(frames: Batch) -> Iterator[tuple[int, Batch]]:
    """Give the frames of each block of nodes, the lowest first."""
    blocks: NDArray[Any] = frames.nodes // BLOCK
    order = np.argsort(blocks, kind="stable")
    numbers, firsts = np.unique(blocks[order], return_index=True)
    for number, which in zip(numbers.tolist(), np.split(order, firsts[1:]), strict=False):
        yield number, frames.take(which)


def known(stored: Sequence[tuple[int, bytes]]) -> batches.Packed:
    """Return the newest of each block, (block, blob), that can be read: all of it is elsewhere."""
    packed, damaged = batches.sift(stored)
    for number, _ in damaged:
        _log.error("what was newest of block %d is damaged: its nodes tell it again", number)
    return packed


def newest_of(frames: Batch, superseded: Sequence[int]) -> Batch:
    """Return each node's newest: of its last boot that is not superseded, if there is one."""
    counts = ~np.isin(frames.epochs, np.array(superseded, np.uint32))
    order = np.lexsort((frames.seqs, frames.epochs, counts, frames.nodes))
    nodes = frames.nodes[order]
    last = np.append(nodes[1:] != nodes[:-1], True) if len(nodes) else np.empty(0, np.bool_)
    return frames.take(order[last])
