"""Rows of roll-ups: an hour or a day of a node in a row, with how much of it was measured."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione.export import ExportError
from lampione.export.rows import LEAST_VEHICLES, Column, Filled, Kind, Reading, Rows, Wanted, common
from lampione.export.words import MEANINGS
from lampione.rollup import LEVELS, MEASURES
from lampione.rollup import Kind as Rule
from lampione.rollup.measures import ENERGY_STEPS
from lampione.store import RollupTable, TelemetryReader

By = Literal["hour", "day"]
LEVEL_OF: dict[By, int] = {"hour": LEVELS[1], "day": LEVELS[2]}
_BUCKETS_MAX = 48
_CELLS = 1 << 17  # of a measure at once: buckets by nodes
_LAYOUT = {field[0]: field for field in schema.REPORT_FIELDS}
_COUNTED = ("vehicles_toward", "vehicles_away")
_SPEED = "speed_max"
_MEASURE_OF = {m.field: name for name, m in MEASURES.items() if m.message == schema.REPORT}
"""Field of a report to its measure."""
FIELDS = [name for name in _LAYOUT if name in _MEASURE_OF]


def fields_of(fields: Sequence[str] | None) -> list[str]:
    """Return the fields that are rolled up. Raises ExportError."""
    for field in fields or ():
        if field not in FIELDS:
            raise ExportError(f"{field!r} has no roll-up: there are {', '.join(FIELDS)}")
    return list(FIELDS if fields is None else fields)


def columns(by: By, fields: Sequence[str] | None) -> list[Column]:
    """Return the columns of a table of roll-ups. Raises ExportError."""
    before, _ = common("report", [])
    start = before[0]._replace(meaning=f"begin of the {by}, UTC")
    found = [start, *before[1:]]
    for field in fields_of(fields):
        found += _of(field)
    return found


def _of(field: str) -> list[Column]:
    """Return the columns of a field, in the order of `_filled`."""
    unit, meaning = _LAYOUT[field][6], MEANINGS["Report"][field]
    kind: Kind = "real" if _LAYOUT[field][5] > 1 else "whole"
    rule = MEASURES[_MEASURE_OF[field]].kind
    most = Column(f"{field}_max", kind, unit, f"{meaning}: greatest of a report")
    covered = Column(
        f"{field}_covered", "real", "%", f"share of the time with good values: {field}"
    )
    if rule is Rule.SAMPLE:
        return [most]
    if rule is Rule.ENERGY:
        return [Column(field, "real", unit, f"{meaning}, of the whole time, by energy"), covered]
    least = Column(f"{field}_min", kind, unit, f"{meaning}: least of a report")
    if rule is Rule.TOTAL:
        return [Column(f"{field}_sum", "whole", unit, f"{meaning}: sum"), least, most, covered]
    mean = Column(f"{field}_mean", "real", unit, f"{meaning}: mean over the time")
    return [mean, least, most, covered]


def rows(reading: Reading, wanted: Wanted, by: By) -> Iterator[Rows]:
    """Yield pieces: by time, then node. Raises ExportError, StoreError."""
    level = LEVEL_OF[by]
    fields = fields_of(wanted.fields)
    count = len(reading.names) if wanted.nodes is None else len(wanted.nodes)
    step = level * max(1, min(_BUCKETS_MAX, _CELLS // max(1, count)))
    reader = reading.reader()
    try:
        for since in range(wanted.since, wanted.until, step):
            until = min(wanted.until, since + step)
            piece = _piece(reading, reader, level, since, until, wanted.nodes, fields)
            if piece is not None:
                yield piece
    finally:
        reader.close()


def _piece(
    reading: Reading,
    reader: TelemetryReader,
    level: int,
    since: int,
    until: int,
    nodes_of: Sequence[str] | None,
    fields: list[str],
) -> Rows | None:
    wanted = dict.fromkeys([*fields, *(_COUNTED if _SPEED in fields else ())])
    tables = {f: reader.rollups(level, since, until, _MEASURE_OF[f], nodes_of) for f in wanted}
    times = np.unique(np.concatenate([table.starts for table in tables.values()]))
    nodes = np.unique(np.concatenate([table.nodes for table in tables.values()]))
    arrays = {name: _aligned(table, times, nodes) for name, table in tables.items()}
    some = np.zeros(len(times) * len(nodes), np.bool_)
    for field in fields:
        some |= arrays[field]["n"] > 0
    if not some.any():
        return None
    at = np.repeat(times, len(nodes))[some]
    node = np.tile(nodes, len(times))[some]
    kept = {m: {name: a[some] for name, a in found.items()} for m, found in arrays.items()}
    before, _ = common("report", [])
    filled = reading.placed(before, node, at)
    for field in fields:
        known = kept[field]["n"] > 0
        if field == _SPEED:
            known &= ~_few(kept, reading.places.least_vehicles)
        filled += _filled(field, kept[field], level, known)
    return Rows(len(at), filled, 0, int(at[-1]))


def _aligned(
    table: RollupTable, times: NDArray[np.int64], nodes: NDArray[np.uint32]
) -> dict[str, NDArray[Any]]:
    """Return the arrays over these times and nodes, flat; nothing where the table has none."""
    place = np.ix_(np.searchsorted(times, table.starts), np.searchsorted(nodes, table.nodes))
    found = {}
    for name, array in table.arrays.items():
        whole = np.zeros((len(times), len(nodes)), array.dtype)
        whole[place] = array
        found[name] = whole.reshape(-1)
    return found


def _few(kept: dict[str, dict[str, NDArray[Any]]], least: int) -> NDArray[np.bool_]:
    total = sum(np.where(kept[n]["n"] > 0, kept[n]["sum"], 0) for n in _COUNTED)
    few: NDArray[np.bool_] = np.asarray(total) < max(least, LEAST_VEHICLES)
    return few


def _filled(
    field: str, arrays: dict[str, NDArray[Any]], level: int, known: NDArray[np.bool_]
) -> list[Filled]:
    steps = _LAYOUT[field][5]
    scale = 1 / steps if steps > 0 else -steps
    every = np.ones(len(known), np.bool_)
    seconds = arrays.get("seconds")
    found = []
    for column in _of(field):
        what = column.name.rpartition("_")[2]
        if what in ("min", "max"):
            value = np.where(known, arrays[what], 0) * scale
            value = value if column.kind == "real" else value.astype(np.int64)
        elif what == "sum":
            value = arrays["sum"]
        elif seconds is None:
            raise AssertionError(field)
        elif what == "covered":
            value = np.round(seconds / level * 100, 2)
        elif what == "mean":
            value = np.round(arrays["sum"] / np.maximum(seconds, 1) * scale, 4)
        else:
            energy = arrays["sum"] / np.maximum(seconds, 1) / ENERGY_STEPS
            value = np.round(10 * np.log10(np.maximum(energy, 1)), 2)
        found.append(Filled(column, value, every if what == "covered" else known))
    return found
