"""The same reports in two stores that one would reach for: typed rows in SQLite, and DuckDB.

Both hold a row a report with a column a field, in steps, in the smallest type that fits, and are
asked the same two questions as ours: one node's day, and every node's hourly mean of a day.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from lampione.batch import UNKNOWN
from lampione_protocol.schema import EPOCH_2020, REPORT_FIELDS

from benchmarks.city_data import MINUTES, Steps

NAMES = [field[0] for field in REPORT_FIELDS if field[1] != "x"]
_HOURLY = (
    "SELECT node, ts - ts % 3600 AS hour, avg(pm2_5) FROM reports WHERE ts >= ? AND ts < ? "
    "GROUP BY node, ts - ts % 3600"
)
_HISTORY = "SELECT * FROM reports WHERE node = ? AND ts >= ? AND ts < ? ORDER BY ts"
_ROWS_A_BATCH = 100_000


class Loaded(NamedTuple):
    """A peer with the reports in it. `ask`: its answer, cold, and the seconds that it took."""

    rows: int
    load_s: float
    size_bytes: int
    history_s: float
    hourly_s: float


def table(columns: dict[str, Steps], first: int) -> pa.Table:
    """Return [nodes, minutes] of steps as one Arrow table, with `node` and Unix `ts`."""
    nodes = columns["start"].shape[0]
    made: dict[str, Any] = {
        "node": pa.array(np.repeat(np.arange(first, first + nodes, dtype=np.int32), MINUTES)),
        "ts": pa.array(columns["start"].ravel().astype(np.int64) + EPOCH_2020),
    }
    for name in NAMES:
        values = columns[name].ravel()
        wide = np.int32 if name in ("start", "ambient_light") else np.int16
        unknown = values == UNKNOWN
        made[name] = pa.array(np.where(unknown, 0, values).astype(wide), mask=unknown)
    return pa.table(made)


def _timed(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def in_duckdb(path: Path, tables: Iterator[pa.Table], node: int, day: int) -> Loaded:
    """Load and ask. `day`: its first second, Unix time."""
    with duckdb.connect(path) as db:
        rows, made, load_s = 0, False, 0.0
        for arrow in tables:
            db.register("arrow", arrow)
            verb = "INSERT INTO reports" if made else "CREATE TABLE reports AS"
            load_s += _timed(lambda verb=verb: db.execute(f"{verb} SELECT * FROM arrow"))  # type: ignore[misc]
            made, rows = True, rows + arrow.num_rows
        load_s += _timed(lambda: db.execute("CHECKPOINT"))
    with duckdb.connect(path) as db:
        history_s = _timed(
            lambda: db.execute(
                _HISTORY,
                (node, day, day + 86400),
            ).fetchall()
        )
        hourly_s = _timed(lambda: db.execute(_HOURLY, (day, day + 86400)).fetchnumpy())
    return Loaded(rows, load_s, path.stat().st_size, history_s, hourly_s)


def in_sqlite(path: Path, tables: Iterator[pa.Table], node: int, day: int) -> Loaded:
    """Load, a batch of rows a transaction, WAL and FULL, and ask."""
    rows, load_s = 0, 0.0
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(
            f"CREATE TABLE reports (node INTEGER, ts INTEGER, {', '.join(NAMES)}, "
            "PRIMARY KEY (ts, node)) WITHOUT ROWID"
        )
        db.execute("CREATE INDEX by_node ON reports (node, ts)")
        marks = ", ".join("?" * (len(NAMES) + 2))
        for arrow in tables:
            ordered = arrow.sort_by("ts")  # as it would come
            for batch in ordered.to_batches(_ROWS_A_BATCH):
                lists = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                made = list(lists)
                began = time.perf_counter()
                db.execute("BEGIN")
                db.executemany(f"INSERT INTO reports VALUES ({marks})", made)
                db.execute("COMMIT")
                load_s += time.perf_counter() - began
                rows += len(made)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    db = sqlite3.connect(path)
    history_s = _timed(
        lambda: db.execute(
            _HISTORY,
            (node, day, day + 86400),
        ).fetchall()
    )
    hourly_s = _timed(lambda: db.execute(_HOURLY, (day, day + 86400)).fetchall())
    db.close()
    return Loaded(rows, load_s, path.stat().st_size, history_s, hourly_s)
