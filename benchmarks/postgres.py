"""The store in PostgreSQL, in one run with the one in SQLite and with rows as drivers insert them.

A server of its own on this machine, which writes through to the disk. The same 200,000 reports,
2,000 a commit, go into both stores, and as typed rows alone through `executemany` with ON CONFLICT
DO NOTHING, which has no journal and knows nothing of what is stored.
"""

import statistics
import tempfile
import time
from pathlib import Path

import psycopg
from lampione import batch
from lampione.store.postgres import PostgresEngine, partitions, typed
from lampione.store.postgres.connect import Link
from lampione.store.sqlite import SqliteEngine
from lampione_protocol.schema import EPOCH_2020, REPORT

from benchmarks.city import APPENDED, FIRST_DAY, append
from benchmarks.city_data import DAY_S, CityData
from benchmarks.row import Row, Rows
from tests.controller.store.postgres_server import PostgresServer

_BATCH = 2_000
_DROPPED = 5


def _inserted(url: str) -> float:
    """Return rows a second by `executemany`."""
    nodes = APPENDED // 100
    columns = CityData(nodes).day(FIRST_DAY, 1, nodes)
    names = typed.column_names(REPORT)[:-1]
    fields = names[7:]
    known = {
        name: [[None if v == batch.UNKNOWN else v for v in of] for of in values.tolist()]
        for name, values in columns.items()
    }
    rows = [
        (
            node + 1, 1, 1, minute + 1, at, at, True,
            *(known[name][node][minute] for name in fields),
        )
        for minute in range(100)
        for node in range(nodes)
        for at in (int(columns["start"][node, minute]) + EPOCH_2020,)
    ]  # fmt: skip
    times = ("to_timestamp(%s)" if name in ("ts", "received") else "%s" for name in names)
    shown = ", ".join(f'"{name}"' for name in names)
    sql = f"INSERT INTO reports ({shown}) VALUES ({', '.join(times)}) ON CONFLICT DO NOTHING"
    with psycopg.connect(url) as db:
        began = time.perf_counter()
        for start in range(0, len(rows), _BATCH):
            db.cursor().executemany(sql.encode(), rows[start : start + _BATCH])
            db.commit()
        return len(rows) / (time.perf_counter() - began)


def _dropped(url: str) -> float:
    """Return the median milliseconds in which a day goes."""
    link = Link(url, autocommit=True)
    took = []
    for n in range(_DROPPED):
        day = FIRST_DAY // DAY_S + n
        began = time.perf_counter()
        partitions.drop(link, "reports", day)
        took.append((time.perf_counter() - began) * 1000)
    link.close()
    return statistics.median(took)


def _deleted(url: str) -> float:
    """Return the milliseconds that DELETE takes for a day of as many rows."""
    with psycopg.connect(url) as db:
        began = time.perf_counter()
        db.execute("DELETE FROM reports")
        db.commit()
        return (time.perf_counter() - began) * 1000


def rows() -> Rows:
    """Measure."""
    server = PostgresServer(durable=True)
    try:
        with tempfile.TemporaryDirectory(prefix="lampione-postgres-") as temporary:
            sqlite, _ = append(SqliteEngine(Path(temporary) / "append.db"))
        url = server.new_database()
        appended, folded = append(PostgresEngine(url))
        plain = server.new_database()
        PostgresEngine(plain).writer().close()
        link = Link(plain, autocommit=True)
        partitions.make(link, [("reports", FIRST_DAY // DAY_S)])
        link.close()
        inserted = _inserted(plain)
        yield Row("postgres_append_rate", appended, "/s", "the store in SQLite", appended / sqlite)
        yield Row("postgres_append_rate", appended, "/s", "executemany", appended / inserted)
        yield Row("postgres_fold_rate", folded, "/s")
        keeper = PostgresEngine(url).keeper()
        keeper.vacuum(lambda: False)
        size = keeper.space()["reports"].bytes / APPENDED
        keeper.close()
        yield Row("postgres_bytes_per_report", size, "B", goal="with its key and index")
        link = Link(url, autocommit=True)
        first = partitions.name_of("reports", FIRST_DAY // DAY_S)
        partitions.make(link, [("reports", FIRST_DAY // DAY_S + n) for n in range(_DROPPED)])
        names = ", ".join(f'"{name}"' for name in typed.column_names(REPORT))
        for n in range(1, _DROPPED):  # days with as many rows
            shifted = names.replace('"ts"', f"\"ts\" + interval '{n} days'")
            link.write(f"INSERT INTO reports ({names}) SELECT {shifted} FROM {first}")
        link.close()
        dropped, deleted = _dropped(url), _deleted(plain)
        yield Row("postgres_day_drop_ms", dropped, "ms", "DELETE of its rows", deleted / dropped)
    finally:
        server.close()
