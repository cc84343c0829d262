"""A city at rest: bytes a report, and how long two questions take, beside DuckDB and typed rows.

The reports are generated (`city_data` says how, and what their entropy is). They are put into the
store as folding leaves them, chunks of a node's day and the roll-ups of hours, days and the last
48 hours' five minutes, by the store's own functions; how fast the way there is, from appended
batches on, is measured beside it on fewer.

LAMPIONE_CITY_NODES (700) and LAMPIONE_CITY_DAYS (30) say how large the city is; the peers get its
last day. Every question is asked of another node and day each time, with the database's pages out
of the system's memory.
"""

import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lampione import batch
from lampione.rollup import BLOCK, LEVELS, accumulate, coarsen
from lampione.store import Engine, Frame, chunks
from lampione.store.held import Held
from lampione.store.rows import Rows
from lampione.store.sqlite import SqliteEngine
from lampione_protocol.schema import EPOCH_2020, REPORT, REPORT_FIELDS

from benchmarks import city_peers
from benchmarks.city_data import DAY_S, MINUTES, SIZE, CityData, Steps, bodies, entropy_bytes, raw
from benchmarks.row import Row
from benchmarks.row import Rows as Figures

NODES = int(os.environ.get("LAMPIONE_CITY_NODES", "700"))
DAYS = int(os.environ.get("LAMPIONE_CITY_DAYS", "30"))
FIRST_DAY = 1_790_380_800  # 2026-09-26T00:00:00Z
ASKED = 15
APPENDED = 200_000
_BATCH = 2_000
_PIECE = 128  # nodes that are generated together
_EPOCH = b"city"


class Made(NamedTuple):
    """A day of a block of nodes as it lies in the store."""

    chunks: list[tuple[int, int, bytes]]  # node, reports, chunk
    rollups: list[tuple[int, int, str, int, bytes]]  # level, start, measure, block, packed


def _rows(columns: dict[str, Steps], cut: Any, index: int, node: int, day: int) -> Rows:
    """Return a node's reports, the `index`-th of those in `columns`, in the boot `node`."""
    at = columns["start"][index].astype(np.int64) + EPOCH_2020
    rng = np.random.default_rng([node, day])
    return Rows(
        epochs=np.full(MINUTES, node, np.uint32),
        seqs=np.arange(1 + day * MINUTES, 1 + (day + 1) * MINUTES, dtype=np.uint32),
        at=at,
        timed=np.ones(MINUTES, np.bool_),
        received=at + 60 + rng.integers(0, 3, MINUTES),
        size=SIZE,
        bits=batch.widths(REPORT_FIELDS, SIZE),
        raw=cut[:, index * MINUTES : (index + 1) * MINUTES],
        cut=np.ones(MINUTES, np.bool_),
        others=[],
    )


def _make(city: CityData, day: int, block: int) -> Made:
    """Generate, pack and roll up."""
    made = Made([], [])
    first, last = max(1, block * BLOCK), min(city.nodes, (block + 1) * BLOCK - 1)
    fine: dict[tuple[int, str, int], Any] = {}
    for begin in range(first, last + 1, _PIECE):
        count = min(_PIECE, last + 1 - begin)
        columns = city.day(FIRST_DAY + day * DAY_S, begin, count)
        cut = raw(columns)
        for index in range(count):
            rows = _rows(columns, cut, index, begin + index, day)
            made.chunks.append((begin + index, MINUTES, chunks.pack(rows)))
        flat = batch.Columns({name: values.ravel() for name, values in columns.items()})
        flat.sound = np.ones(count * MINUTES, np.bool_)
        nodes = np.repeat(np.arange(begin, begin + count), MINUTES)
        at = flat["start"].astype(np.int64) + EPOCH_2020
        for key, found in accumulate(LEVELS[0], REPORT, nodes, at, flat).items():
            if key in fine:
                fine[key].add(found)
            else:
                fine[key] = found
    levels = {LEVELS[0]: fine if day >= DAYS - 2 else {}}
    levels[LEVELS[1]] = coarsen(fine, LEVELS[1])
    levels[LEVELS[2]] = coarsen(levels[LEVELS[1]], LEVELS[2])
    for level, found_blocks in levels.items():
        for (start, measure, number), found in found_blocks.items():
            made.rollups.append((level, start, measure, number, found.pack()))
    return made


def fill(path: Path, nodes: int = NODES, days: int = DAYS) -> None:
    """Make a store of `nodes` lampposts and `days` days, day by day as time would."""
    engine = SqliteEngine(path)
    engine.writer().close()  # its tables
    city = CityData(nodes)
    held = Held()
    held.update(range(1, 1 + days * MINUTES))
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA synchronous = OFF")  # as fast as can be: nobody waits for these
        db.execute("BEGIN")
        for node in range(1, nodes + 1):
            db.execute("INSERT INTO nodes (id, name) VALUES (?, ?)", (node, f"city-{node:06}"))
            db.execute(
                "INSERT INTO epochs (id, node, epoch, boot, first_seq, held) "
                "VALUES (?, ?, ?, 1, 1, ?)",
                (node, node, _EPOCH, held.pack()),
            )
        db.execute("COMMIT")
        parts = list(product(range(days), range(nodes // BLOCK + 1)))
        with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            made = pool.map(_make, [city] * len(parts), *zip(*parts, strict=True), chunksize=1)
            for (day, _), part in zip(parts, made, strict=True):
                start = FIRST_DAY + day * DAY_S
                db.execute("BEGIN")
                db.executemany(
                    "INSERT INTO chunks (node, type, start, span, count, body) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        (node, REPORT, start, DAY_S, count, body)
                        for node, count, body in part.chunks
                    ],
                )
                db.executemany(
                    "INSERT INTO rollups (level, start, measure, block, body) "
                    "VALUES (?, ?, ?, ?, ?)",
                    part.rollups,
                )
                db.execute("COMMIT")
                print(f"\r{day + 1} of {days} days", end="", file=sys.stderr)
        print(file=sys.stderr)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _in_chunks(nodes: int = 32) -> tuple[float, float]:
    """Return bytes a report in chunks of an hour and of a day."""
    columns = CityData(nodes).day(FIRST_DAY, 1, nodes)
    cut = raw(columns)
    hours = days = 0
    for index in range(nodes):
        day = _rows(columns, cut, index, 1 + index, 0)
        days += len(chunks.pack(day))
        for first in range(0, MINUTES, 60):
            hours += len(chunks.pack(day.take(np.arange(first, first + 60))))
    return hours / nodes / MINUTES, days / nodes / MINUTES


def forget(path: Path) -> None:
    """Have the system drop a file's pages from memory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _asked(path: Path, question: Callable[[Any, int, int], Any]) -> float:
    """Return the median milliseconds of an answer, each cold, from a reader made anew."""
    rng = random.Random(1)
    took = []
    for _ in range(ASKED):
        node, day = rng.randint(1, NODES), FIRST_DAY + rng.randrange(DAYS) * DAY_S
        forget(path)
        reader = SqliteEngine(path).reader()
        began = time.perf_counter()
        assert question(reader, node, day)
        took.append((time.perf_counter() - began) * 1000)
        reader.close()
    return statistics.median(took)


def _history(reader: Any, node: int, day: int) -> bool:
    found = reader.history(f"city-{node:06}", "report", day, day + DAY_S, None, MINUTES)
    return len(found["rows"]) == MINUTES


def _hourly(reader: Any, _: int, day: int) -> bool:
    table = reader.rollups(LEVELS[1], day, day + DAY_S, "pm2_5", None)
    with np.errstate(invalid="ignore"):
        means = table.arrays["sum"] / table.arrays["seconds"]
    return bool(means.shape == (24, NODES) and (means > 0).all())


def append(engine: Engine) -> tuple[float, float]:
    """Return frames a second that are appended, committed 2,000 at a time, and then folded."""
    writer = engine.writer()
    nodes = APPENDED // 100
    columns = {
        name: values[:, :100] for name, values in CityData(nodes).day(FIRST_DAY, 1, nodes).items()
    }
    made = bodies(columns)
    numbers = [writer.add_node(f"city-{node:06}").id for node in range(1, nodes + 1)]
    boots = [writer.epoch_id(number, _EPOCH, 1) for number in numbers]
    writer.commit()
    frames = [
        Frame(boots[node], 1 + minute, REPORT, at + 61.0, at, made[node * 100 + minute])
        for minute in range(100)
        for node in range(nodes)
        for at in (int(columns["start"][node, minute]) + EPOCH_2020,)
    ]
    began = time.perf_counter()
    for start in range(0, len(frames), _BATCH):
        assert writer.frames(frames[start : start + _BATCH]) == _BATCH
        writer.commit()
    appended = time.perf_counter()
    folder_ = engine.folder()
    assert folder_.fold(FIRST_DAY + DAY_S).frames == len(frames)
    folded = time.perf_counter()
    folder_.close()
    writer.close()
    return len(frames) / (appended - began), len(frames) / (folded - appended)


def _tables() -> Iterator[Any]:
    """Give the last day for the peers."""
    city = CityData(NODES)
    for first in range(1, NODES + 1, 1000):
        count = min(1000, NODES + 1 - first)
        yield city_peers.table(city.day(FIRST_DAY + (DAYS - 1) * DAY_S, first, count), first)


def rows() -> Figures:
    """Measure."""
    day = FIRST_DAY + (DAYS - 1) * DAY_S
    with tempfile.TemporaryDirectory(prefix="lampione-city-") as temporary:
        folder = Path(temporary)
        duck = city_peers.in_duckdb(folder / "duck.db", _tables(), NODES // 2, day)
        typed = city_peers.in_sqlite(folder / "typed.db", _tables(), NODES // 2, day)
        path = folder / "city.db"
        fill(path)
        reports = NODES * DAYS * MINUTES
        size = path.stat().st_size / reports
        entropy = entropy_bytes(CityData(NODES).day(day, 1, min(NODES, 500)))
        duck_size = duck.size_bytes / duck.rows
        yield Row("store_bytes_per_report", size, "B", "DuckDB", duck_size / size, "20 or less")
        typed_size = typed.size_bytes / typed.rows
        yield Row("store_bytes_per_report", size, "B", "typed rows in SQLite", typed_size / size)
        yield Row("store_entropy_bytes", entropy, "B", "a report as stored", size / entropy)
        history = _asked(path, _history)
        yield Row(
            "history_day_ms", history, "ms", "DuckDB", duck.history_s * 1000 / history, "50 or less"
        )
        ratio = typed.history_s * 1000 / history
        yield Row("history_day_ms", history, "ms", "typed rows in SQLite", ratio)
        hourly = _asked(path, _hourly)
        yield Row(
            "city_hour_ms", hourly, "ms", "DuckDB", duck.hourly_s * 1000 / hourly, "50 or less"
        )
        ratio = typed.hourly_s * 1000 / hourly
        yield Row("city_hour_ms", hourly, "ms", "typed rows in SQLite", ratio)
        appended, folded = append(SqliteEngine(folder / "append.db"))
        rate = typed.rows / typed.load_s
        yield Row("store_append_rate", appended, "/s", "typed rows in SQLite", appended / rate)
        yield Row("store_fold_rate", folded, "/s")
        hour, day_ = _in_chunks()
        yield Row("store_hour_chunk_bytes", hour, "B", "a report on the wire", SIZE / hour)
        yield Row("store_day_chunk_bytes", day_, "B", "a report on the wire", SIZE / day_)
