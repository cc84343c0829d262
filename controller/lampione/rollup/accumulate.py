"""From decoded messages to blocks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lampione_protocol import hour, schema
from numpy.typing import NDArray

from lampione.batch import UNKNOWN, Columns
from lampione.rollup.block import BLOCK, Arrays, Block
from lampione.rollup.measures import (
    ENERGY_SCALE,
    LEVEL_BINS,
    Measure,
    Rule,
    of_kind,
    validity_bit,
)

Key = tuple[int, str, int]  # (start of the bucket, Unix seconds; measure; block)
Blocks = dict[Key, Block]

_LAEQ = next(field for field in schema.REPORT_FIELDS if field[0] == "laeq")
_ENERGIES = np.rint(
    ENERGY_SCALE * 10 ** (np.arange(_LAEQ[4] + 1, dtype=np.float64) / _LAEQ[5] / 10)
).astype(np.int64)


def accumulate(
    level: int,
    kind: int,
    nodes: NDArray[Any],
    at: NDArray[Any],
    columns: Columns,
) -> Blocks:
    """Roll messages of one kind up.

    Args:
        level: seconds of a bucket, of `LEVELS`.
        kind: of `lampione_protocol.schema`; one without measures gives nothing.
        nodes: [messages], each one's node.
        at: [messages], Unix seconds by the node's clock. Who has no time is not for here.
        columns: of `batch.decode`, with every field. Messages that are not sound count nowhere, nor
            do values that the report's `valid` does not vouch for. A shorter, older message whose
            `valid` is unknown vouches for none.
    """
    measures = of_kind(kind)
    if not measures or not len(nodes):
        return {}
    start = at.astype(np.int64) // level * level
    order = np.lexsort((nodes, start))
    order = order[columns.sound[order]]
    if not len(order):
        return {}
    node, start = nodes[order].astype(np.int64), start[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (node[1:] != node[:-1]) | (start[1:] != start[:-1])
    heads = np.flatnonzero(fresh)  # where the messages of a node in a bucket begin
    groups = _Groups(heads, node[heads], start[heads])
    if kind == schema.HOUR:
        return _histograms(groups, measures, columns, order)
    seconds = columns["duration_s"][order].astype(np.int64) if kind == schema.REPORT else None
    valid = columns["valid"][order] if kind == schema.REPORT else None
    found: Blocks = {}
    for measure in measures:
        values = columns[measure.field][order]
        known = values != UNKNOWN
        if valid is not None and (bit := validity_bit(measure.field)):
            known &= (valid & bit) > 0  # stale, stuck, implausible, warming: no part of a mean
        if measure.rule is Rule.COUNTER:
            arrays = _counters(groups, values, known, at[order].astype(np.int64))
        else:
            arrays = _sums(measure.rule, heads, values, known, seconds)
        groups.place(found, measure, arrays)
    return found


def coarsen(level: int, blocks: Mapping[Key, Block]) -> Blocks:
    """Return buckets of `level` seconds made of finer ones, which stay as they are."""
    found: Blocks = {}
    for (start, name, number), block in blocks.items():
        key = (start // level * level, name, number)
        whole = found.get(key)
        if whole is None:
            whole = found[key] = Block(block.rule, block.bins)
        whole.add(block)
    return found


class _Groups:
    """The messages of one node in one bucket, side by side: sorted by bucket, then node."""

    def __init__(self, heads: NDArray[Any], node: NDArray[Any], start: NDArray[Any]):
        self.heads = heads
        number = node // BLOCK
        self._slot = node % BLOCK
        fresh = np.ones(len(heads), np.bool_)
        fresh[1:] = (number[1:] != number[:-1]) | (start[1:] != start[:-1])
        first = np.flatnonzero(fresh)
        ends = [*first[1:].tolist(), len(heads)]
        # Of each block: (bucket, its number, where its groups begin and end).
        self._blocks = list(
            zip(start[first].tolist(), number[first].tolist(), first.tolist(), ends, strict=True)
        )

    def place(self, found: Blocks, measure: Measure, arrays: Arrays) -> None:
        """Put [groups] of each array where it belongs."""
        some = arrays["n"] > 0
        for start, number, first, end in self._blocks:
            here = first + np.flatnonzero(some[first:end])
            if not len(here):
                continue
            block = Block(measure.rule, measure.bins)
            for name, values in arrays.items():
                block.arrays[name][self._slot[here]] = values[here]
            found[start, measure.name, number] = block


def _sums(
    rule: Rule,
    heads: NDArray[Any],
    values: NDArray[Any],
    known: NDArray[Any],
    seconds: NDArray[Any] | None,
) -> Arrays:
    lasting = np.zeros(len(values), np.int64) if seconds is None else seconds
    lasting = np.where(known & (lasting != UNKNOWN), lasting, 0)
    if rule is Rule.ENERGY:  # a level without a duration has none
        energy = _ENERGIES[np.where(known, values, 0)] * lasting
        return {
            "n": np.add.reduceat((lasting > 0).astype(np.int64), heads),
            "seconds": np.add.reduceat(lasting, heads),
            "energy": np.add.reduceat(energy, heads),
        }
    arrays: Arrays = {"n": np.add.reduceat(known.astype(np.int64), heads)}
    arrays["seconds"] = np.add.reduceat(lasting, heads)
    whole = np.where(known, values, 0).astype(np.int64)
    arrays["sum"] = np.add.reduceat(whole, heads)
    high, low = np.iinfo(np.int32).max, np.iinfo(np.int32).min
    arrays["min"] = np.minimum.reduceat(np.where(known, values, np.int32(high)), heads)
    arrays["max"] = np.maximum.reduceat(np.where(known, values, np.int32(low)), heads)
    return arrays


def _counters(
    groups: _Groups, values: NDArray[Any], known: NDArray[Any], at: NDArray[Any]
) -> Arrays:
    """Meters' readings: the earliest and the latest that is known."""
    heads = groups.heads
    size = np.diff(np.append(heads, len(values)))
    group = np.repeat(np.arange(len(heads)), size)
    order = np.lexsort((values, at, ~known, group))  # within a group: known ones first, by time
    count = np.add.reduceat(known.astype(np.int64), heads)
    earliest = order[heads]
    latest = order[heads + np.maximum(count, 1) - 1]
    return {
        "n": count,
        "first_at": at[earliest],
        "first": values[earliest].astype(np.int64),
        "last_at": at[latest],
        "last": values[latest].astype(np.int64),
    }


def _histograms(
    groups: _Groups, measures: list[Measure], columns: Columns, order: NDArray[Any]
) -> Blocks:
    """An hour's parts, each of twelve bins, into the bins of the whole."""
    part = columns["part"][order].astype(np.int64)
    parts = np.stack([columns[f"bin_{n}"][order] for n in range(hour.BINS_A_PART)], 1)
    known = (parts != UNKNOWN).all(1) & (part < hour.PARTS)
    size = np.diff(np.append(groups.heads, len(order)))
    group = np.repeat(np.arange(len(groups.heads)), size)
    found: Blocks = {}
    for measure in measures:
        of_speed = measure.bins != LEVEL_BINS
        mine = np.flatnonzero(known & ((part >= hour.FIRST_SPEED_PART) == of_speed))
        first = (part[mine] - hour.FIRST_SPEED_PART * of_speed) * hour.BINS_A_PART
        bins = np.zeros((len(groups.heads), measure.bins), np.int64)
        at = first[:, None] + np.arange(hour.BINS_A_PART)
        np.add.at(bins, (group[mine][:, None], at), parts[mine])
        count = np.bincount(group[mine], minlength=len(groups.heads))
        groups.place(found, measure, {"n": count, "bins": bins})
    return found
