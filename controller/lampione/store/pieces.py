"""Pieces of series and tables of roll-ups, out of what is stored."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione import values
from lampione.batch import Columns, Fields, decode
from lampione.rollup import BLOCK, Block, Measure
from lampione.rollup.block import blank
from lampione.store import RollupTable, Series, StoreError
from lampione.store.batches import Batch, seconds
from lampione.store.rows import Rows

PIECE = 16_384  # rows of a series given at once, about


def of_rows(fields: Fields, node: int, rows: Rows, names: Sequence[str] | None) -> Series:
    """Return a chunk's rows."""
    return Series(
        nodes=np.full(len(rows.epochs), node, np.uint32),
        at=rows.at,
        timed=rows.timed,
        received=rows.received,
        epochs=rows.epochs,
        seqs=rows.seqs,
        columns=rows.columns(fields, names),
    )


def of_batch(fields: Fields, frames: Batch, names: Sequence[str] | None) -> Series:
    """Return frames of one type that are in no chunk yet."""
    columns = decode(fields, frames.bodies.tolist())
    for name in [] if names is None else list(columns.keys() - names):
        del columns[name]
    return Series(
        nodes=frames.nodes,
        at=frames.at,
        timed=frames.timed,
        received=seconds(frames.received),
        epochs=frames.epochs,
        seqs=frames.seqs,
        columns=columns,
    )


def take(series: Series, which: NDArray[Any]) -> Series:
    """Return some of the rows."""
    columns = Columns({name: column[which] for name, column in series.columns.items()})
    columns.sound = series.columns.sound[which]
    return Series(
        nodes=series.nodes[which],
        at=series.at[which],
        timed=series.timed[which],
        received=series.received[which],
        epochs=series.epochs[which],
        seqs=series.seqs[which],
        columns=columns,
    )


def join(parts: Sequence[Series]) -> Series:
    """Return one behind the other."""
    if len(parts) == 1:
        return parts[0]
    columns = Columns(
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
    )
    columns.sound = np.concatenate([part.columns.sound for part in parts])
    return Series(
        nodes=np.concatenate([part.nodes for part in parts]),
        at=np.concatenate([part.at for part in parts]),
        timed=np.concatenate([part.timed for part in parts]),
        received=np.concatenate([part.received for part in parts]),
        epochs=np.concatenate([part.epochs for part in parts]),
        seqs=np.concatenate([part.seqs for part in parts]),
        columns=columns,
    )


def gathered(parts: Iterable[Series]) -> Iterator[Series]:
    """Give the same rows in fewer parts, of `PIECE` rows or a little more."""
    waiting: list[Series] = []
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += len(part.nodes)
        if rows >= PIECE:
            yield join(waiting)
            waiting, rows = [], 0
    if rows:
        yield join(waiting)


def check_fields(kind: int, fields: Sequence[str] | None) -> None:
    """See that a message has these fields. Raises KeyError."""
    known = {field[0] for field in values.FIELDS[kind]}
    for field in fields or ():
        if field not in known:
            raise KeyError(field)


def in_order(parts: Sequence[Series]) -> Series:
    """Return a node's rows by time."""
    joined = join(parts)
    if len(parts) == 1 and bool((joined.at[1:] >= joined.at[:-1]).all()):
        return joined  # a chunk is in order
    return take(joined, np.lexsort((joined.seqs, joined.epochs, joined.received, joined.at)))


def between(series: Series, low: int, high: int) -> Series:
    """Return the rows with `low <= at < high`."""
    inside = (series.at >= low) & (series.at < high)
    return series if inside.all() else take(series, inside)


def table(
    measure: Measure, ids: NDArray[np.uint32], rows: Sequence[tuple[int, int, int, bytes]]
) -> RollupTable:
    """Return roll-ups (number, start, block, bytes) of one measure as a table of these nodes."""
    starts = sorted({start for _, start, _, _ in rows})
    place = {start: n for n, start in enumerate(starts)}
    arrays = blank(measure.kind, (len(starts), len(ids)), measure.bins)
    blocks = ids // BLOCK
    columns = {number: np.flatnonzero(blocks == number) for number in np.unique(blocks).tolist()}
    for number, start, which, body in rows:
        try:
            block = Block.unpack(body)
        except ValueError as error:
            raise StoreError(f"roll-up {number}: {error}") from None
        if (block.kind, block.bins) != (measure.kind, measure.bins):
            raise StoreError(f"roll-up {number} is of another kind")
        mine = columns[which]
        slots = ids[mine] % BLOCK
        for name, array in block.arrays().items():
            arrays[name][place[start], mine] = array[slots]
    return RollupTable(np.array(starts, np.int64), ids, arrays)
