"""From messages' columns to blocks."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from lampione_protocol import hour, schema
from numpy.typing import NDArray

from lampione.batch import UNKNOWN, Column, Columns
from lampione.rollup.block import Array, Block, stamp
from lampione.rollup.measures import (
    BLOCK,
    ENERGY_STEPS,
    LEVELS,
    MEASURES,
    Kind,
    Measure,
    validity_bit,
)

Key = tuple[int, str, int]
"""Of a block: (start of the bucket, Unix s; measure; number of the block)."""
Blocks = dict[Key, Block]

_INT32 = np.iinfo(np.int32)
_LAEQ = next(field for field in schema.REPORT_FIELDS if field[0] == "laeq")
# By steps above the least level that the wire can carry.
_ENERGIES = np.rint(
    ENERGY_STEPS * 10.0 ** (np.arange(_LAEQ[3], _LAEQ[4] + 1) / (10 * _LAEQ[5]))
).astype(np.int64)


class _Groups(NamedTuple):
    """Rows that belong together: of one node and one bucket, in cells of one block's one bucket."""

    rows: NDArray[np.intp] | slice  # in order; those that count
    firsts: NDArray[np.intp]  # of each group, within `rows`
    sizes: NDArray[np.intp]
    cells: list[tuple[int, int]]  # (start of the bucket, number of the block)
    members: list[NDArray[np.intp]]  # of each cell: its groups
    slots: list[NDArray[np.intp]]  # of each cell: of its groups


def accumulate(level: int, kind: int, nodes: Array, at: Array, columns: Columns) -> Blocks:
    """Roll up messages of one type in buckets of `level` seconds.

    What is not sound counts nowhere, nor does an unknown value, nor one that the report's `valid`
    does not vouch for (a message too short for that flag vouches for none). A measure that no
    message of a bucket and block knows has no block there. Quick when rows come by node, then
    time.

    Args:
        kind: the messages' type; one without measures gives nothing.
        nodes: ids, a row each.
        at: Unix seconds by the node's clock; rows without a time are not to be given.
        columns: of `batch.decode`, every field.
    """
    wanted = [
        (name, measure)
        for name, measure in MEASURES.items()
        if measure.message == kind and level in measure.levels
    ]
    if level not in LEVELS:
        raise ValueError(f"there are buckets of {LEVELS} s, not of {level}")
    if not wanted:
        return {}
    counts = columns.sound
    if kind == schema.REPORT:
        counts = counts & (columns["duration_s"] != UNKNOWN)
    elif kind == schema.HOUR:
        counts = counts & (columns["part"] < hour.PARTS)
    if not counts.any():
        return {}
    found: Blocks = {}
    if kind == schema.HOUR:
        for name, measure in wanted:
            chosen = counts & (columns["part"] >= measure.first_part)
            chosen &= columns["part"] < measure.first_part + measure.parts
            _histogram(found, name, measure, level, nodes, at, columns, chosen)
        return found
    groups = _group(level, nodes, at, counts)
    seconds = None
    if kind == schema.REPORT:
        seconds = columns["duration_s"][groups.rows].astype(np.int64)
    whole = None if seconds is None else np.add.reduceat(seconds, groups.firsts)
    valid = columns["valid"][groups.rows] if kind == schema.REPORT else None
    times = at[groups.rows] if any(m.kind is Kind.COUNTER for _, m in wanted) else None
    for name, measure in wanted:
        values = columns[measure.field][groups.rows]
        if valid is not None and (bit := validity_bit(measure.field)):
            # Stale, stuck, implausible, warming: no part of a mean.
            vouched = (valid & bit) > 0
            if not vouched.all():
                values = np.where(vouched, values, np.int32(UNKNOWN))
        arrays = _reduce(measure, values, seconds, whole, times, groups)
        if arrays is not None:
            _scatter(found, name, measure, arrays, groups)
    return found


def coarsen(blocks: Mapping[Key, Block], level: int) -> Blocks:
    """Return blocks of wider buckets, made of those of narrower ones."""
    found: Blocks = {}
    for (start, name, number), block in blocks.items():
        key = (start - start % level, name, number)
        if key not in found:
            found[key] = Block(block.kind, block.bins)
        found[key].add(block)
    return found


def _group(level: int, nodes: Array, at: Array, counts: NDArray[np.bool_]) -> _Groups:
    rows: NDArray[np.intp] | slice = slice(None)
    if not counts.all():
        rows = np.flatnonzero(counts)
    # A node's id has 32 bits and a bucket's number, of a time of 33, fewer than 31.
    key = nodes[rows].astype(np.int64) << 31 | at[rows].astype(np.int64) // level
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        key = key[order]
        rows = order if isinstance(rows, slice) else rows[order]
    firsts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    sizes = np.diff(firsts, append=len(key))
    groups = key[firsts]
    ids, buckets = groups >> 31, groups & ((1 << 31) - 1)
    cell = buckets << 22 | ids // BLOCK
    by_cell = np.argsort(cell, kind="stable")
    edges = np.flatnonzero(np.diff(cell[by_cell], prepend=-1))
    members = np.split(by_cell, edges[1:])
    return _Groups(
        rows,
        firsts,
        sizes,
        [(int(buckets[m[0]]) * level, int(ids[m[0]]) // BLOCK) for m in members],
        members,
        [ids[m] % BLOCK for m in members],
    )


def _reduce(
    measure: Measure,
    values: Column,
    seconds: NDArray[np.int64] | None,
    whole: NDArray[np.int64] | None,
    times: Array | None,
    groups: _Groups,
) -> dict[str, Array] | None:
    """Return a measure's arrays, by group; None: nothing is known."""
    firsts = groups.firsts
    known = None
    unknown = int(np.count_nonzero(values == UNKNOWN))
    if unknown == len(values):
        return None
    n: Array = groups.sizes
    if unknown:
        known = values != UNKNOWN
        n = np.add.reduceat(known, firsts, dtype=np.int64)
    found: dict[str, Array] = {"n": n}
    if seconds is not None and whole is not None and measure.kind is not Kind.SAMPLE:
        if known is not None:
            seconds = np.where(known, seconds, np.int64(0))
            whole = np.add.reduceat(seconds, firsts)
        found["seconds"] = whole
    if measure.kind is Kind.COUNTER:
        assert times is not None
        stamped = stamp(times, values)
        return found | {
            "first": np.minimum.reduceat(_where(known, stamped, np.iinfo(np.int64).max), firsts),
            "last": np.maximum.reduceat(_where(known, stamped, -1), firsts),
        }
    if measure.kind is Kind.ENERGY:
        assert seconds is not None
        energies = _ENERGIES[_where(known, values, _LAEQ[3]) - _LAEQ[3]]
        return found | {"sum": np.add.reduceat(energies * seconds, firsts)}
    weighed = _where(known, values, 0).astype(np.int64)
    if measure.kind is Kind.MEAN:
        assert seconds is not None
        weighed *= seconds
    return found | {
        "sum": np.add.reduceat(weighed, firsts),
        "min": np.minimum.reduceat(_where(known, values, _INT32.max), firsts),
        # UNKNOWN is the least of all numbers.
        "max": np.maximum.reduceat(values, firsts),
    }


def _where(known: NDArray[np.bool_] | None, values: Array, otherwise: int) -> Array:
    return values if known is None else np.where(known, values, values.dtype.type(otherwise))


def _scatter(
    found: dict[Key, Block],
    name: str,
    measure: Measure,
    arrays: dict[str, Array],
    groups: _Groups,
) -> None:
    """Put groups into their blocks."""
    present = arrays["n"] > 0
    every = bool(present.all())
    for (start, number), members, slots in zip(
        groups.cells, groups.members, groups.slots, strict=True
    ):
        if not every:
            kept = present[members]
            if not kept.any():
                continue
            members, slots = members[kept], slots[kept]  # noqa: PLW2901
        block = found[start, name, number] = Block(measure.kind, measure.bins)
        block.put(slots, {key: array[members] for key, array in arrays.items()})


def _histogram(
    found: dict[Key, Block],
    name: str,
    measure: Measure,
    level: int,
    nodes: Array,
    at: Array,
    columns: Columns,
    chosen: NDArray[np.bool_],
) -> None:
    """Add the bins that came in parts, a row a part."""
    if not chosen.any():
        return
    groups = _group(level, nodes, at, chosen)
    values = np.stack(
        [columns[f"bin_{n}"][groups.rows] for n in range(hour.BINS_A_PART)], axis=1
    ).astype(np.int64)
    values[values == UNKNOWN] = 0
    part = columns["part"][groups.rows] - measure.first_part
    # Each row's twelve bins at their place in its group's: one addition for all.
    place = np.repeat(np.arange(len(groups.firsts)), groups.sizes) * measure.parts + part
    width = len(groups.firsts) * measure.parts * hour.BINS_A_PART
    index = place[:, None] * hour.BINS_A_PART + np.arange(hour.BINS_A_PART)
    bins = np.bincount(index.ravel(), values.ravel(), width).astype(np.int64)
    bins = bins.reshape(len(groups.firsts), measure.bins)
    arrays = {"n": np.asarray(bins.any(axis=1)), "bins": bins}
    _scatter(found, name, measure, arrays, groups)
