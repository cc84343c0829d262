"""Rows of roll-ups: an hour or a day of a node in a row, with how much of it was measured."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione.export import ExportError
from lampione.export.rows import LEAST_VEHICLES, Column, Filled, Kind, Reading, Rows, Wanted, common
from lampione.export.words import MEANINGS
from lampione.rollup import BLOCK, LEVELS, MEASURES, Rule
from lampione.rollup.measures import ENERGY_SCALE
from lampione.store import RollupTable, TelemetryReader

By = Literal["hour", "day"]
LEVEL_OF: dict[By, int] = {"hour": LEVELS[1], "day": LEVELS[2]}
_BUCKETS_AT_ONCE = 48
_LAYOUT = {field[0]: field for field in schema.REPORT_FIELDS}
_COUNTED = ("vehicles_toward", "vehicles_away")
_SPEEDS = ("speed_mean", "speed_max")
FIELDS = [name for name, m in MEASURES.items() if m.kind == schema.REPORT and m.rule is Rule.PLAIN]


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
    unit, meaning = _LAYOUT[field][6], MEANINGS["Report"][field]
    first = (
        Column(f"{field}_sum", "whole", unit, f"{meaning}: sum")
        if field in _COUNTED
        else Column(field, "real", unit, f"{meaning}: by energy over the reports' time")
        if field == "laeq"
        else Column(f"{field}_mean", "real", unit, f"{meaning}: mean of the reports")
    )
    kind: Kind = "real" if _LAYOUT[field][5] > 1 else "whole"
    return [
        first,
        Column(f"{field}_min", kind, unit, f"{meaning}: least of a report"),
        Column(f"{field}_max", kind, unit, f"{meaning}: greatest of a report"),
        Column(f"{field}_covered", "real", "%", f"share of the time with a value: {field}"),
    ]


def rows(reading: Reading, wanted: Wanted, by: By) -> Iterator[Rows]:
    """Yield pieces: by time, then node. Raises ExportError, StoreError."""
    level = LEVEL_OF[by]
    fields = fields_of(wanted.fields)
    chosen = [
        number
        for number, name in sorted(reading.names.items())
        if wanted.nodes is None or name in wanted.nodes
    ]
    reader = reading.reader()
    try:
        step = level * _BUCKETS_AT_ONCE
        for since in range(wanted.since, wanted.until, step):
            until = min(wanted.until, since + step)
            for _, group in groupby(chosen, lambda number: number // BLOCK):
                names = [reading.names[number] for number in group]
                piece = _piece(reading, reader, level, since, until, names, fields)
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
    names: list[str],
    fields: list[str],
) -> Rows | None:
    measures = [*fields, *_COUNTED] if set(fields) & set(_SPEEDS) else fields
    tables = {m: reader.rollups(level, since, until, m, names) for m in dict.fromkeys(measures)}
    if "laeq" in fields:
        tables["laeq_energy"] = reader.rollups(level, since, until, "laeq_energy", names)
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
    few = _few(kept, reading.places.least_vehicles) if set(fields) & set(_SPEEDS) else None
    for field in fields:
        filled += _filled(field, kept, level, few if field in _SPEEDS else None)
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
    field: str,
    kept: dict[str, dict[str, NDArray[Any]]],
    level: int,
    hidden: NDArray[np.bool_] | None,
) -> list[Filled]:
    first, least, most, covered = _of(field)
    arrays = kept[field]
    steps = _LAYOUT[field][5]
    scale = 1 / steps if steps > 0 else -steps
    known = arrays["n"] > 0
    if hidden is not None:
        known = known & ~hidden
    count = np.maximum(arrays["n"], 1).astype(np.float64)
    if first.name.endswith("_sum"):
        value = np.where(known, arrays["sum"], 0)
    elif field == "laeq":
        energy = kept["laeq_energy"]
        lasted = energy["seconds"] > 0
        mean = energy["energy"] / np.maximum(energy["seconds"], 1) / ENERGY_SCALE
        value = 10 * np.log10(np.where(lasted & (mean > 0), mean, 1))
        value = np.round(value, 2)
        first_known = known & lasted
        return [
            Filled(first, value, first_known),
            *_extremes(arrays, (least, most), known, scale),
            _covered(covered, arrays, level),
        ]
    else:
        value = np.round(arrays["sum"] / count * scale, 4)
    return [
        Filled(first, value, known),
        *_extremes(arrays, (least, most), known, scale),
        _covered(covered, arrays, level),
    ]


def _extremes(
    arrays: dict[str, NDArray[Any]],
    which: tuple[Column, Column],
    known: NDArray[np.bool_],
    scale: float,
) -> list[Filled]:
    found = []
    for column, name in zip(which, ("min", "max"), strict=True):
        value = np.where(known, arrays[name], 0) * scale
        found.append(
            Filled(column, value if column.kind == "real" else value.astype(np.int64), known)
        )
    return found


def _covered(column: Column, arrays: dict[str, NDArray[Any]], level: int) -> Filled:
    share = np.round(arrays["seconds"] / level * 100, 2)
    return Filled(column, share, np.ones(len(share), np.bool_))
