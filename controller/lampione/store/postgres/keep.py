"""Looking after a PostgreSQL store beside its writers: space, retention, vacuum, check, backup."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lampione_protocol import schema

from lampione.store import SERIES, Space, StoreError
from lampione.store.alarms import STANDING
from lampione.store.held import Held
from lampione.store.postgres import partitions, typed
from lampione.store.postgres.check import check
from lampione.store.postgres.connect import Link, shown
from lampione.store.retention import CLASSES, DEFAULT, ROLLUP_CLASSES, SERIES_CLASSES

_ROWS_A_STEP = 500
_LOOK_S = 0.2
Stop = Callable[[], bool]


class PostgresKeeper:
    """See `store.Keeper`. For one thread at a time."""

    def __init__(self, url: str):
        self._url = url
        self._link = Link(url)
        # What no transaction may hold. Who reads for hours keeps a day from being detached: later.
        self._side = Link(url, autocommit=True, settings="SET lock_timeout = '30s'")

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
        self._side.close()

    def space(self) -> dict[str, Space]:
        """Return rows, about, and bytes by class; `total` is the whole database."""
        found: dict[str, Space] = {}
        for name, kind in SERIES_CLASSES.items():
            found[name] = self._parts(typed.TABLES[kind])
        ((events, others, size),) = self._side.read(
            "SELECT count(*) FILTER (WHERE type = %s), count(*) FILTER (WHERE type <> %s), "
            "pg_total_relation_size('frames') FROM frames",
            (schema.EVENT, schema.EVENT),
        )
        for name, count in (("events", events), ("others", others)):
            found[name] = Space(count, size * count // max(events + others, 1))
        levels = {
            level: Space(count, size)
            for level, count, size in self._side.read(
                "SELECT level, count(*), sum(length(body))::bigint FROM rollups GROUP BY level"
            )
        }
        for name, level in ROLLUP_CLASSES.items():
            found[name] = levels.get(level, Space(0, 0))
        for name, table, count in (
            ("alarms", "alarms", "count(*)"),
            ("commands", "commands", "count(*)"),
            ("waiting", "batches", "coalesce(sum(count), 0)::bigint"),
        ):
            ((rows, size),) = self._side.read(
                f"SELECT {count}, pg_total_relation_size('{table}') FROM {table}"  # noqa: S608
            )
            found[name] = Space(rows, size)
        ((count, size),) = self._side.read("SELECT count(*), sum(length(body))::bigint FROM aside")
        if count:
            found["damaged"] = Space(count, size)
        ((total,),) = self._side.read("SELECT pg_database_size(current_database())")
        found["total"] = Space(sum(each.rows for each in found.values()), total)
        return found

    def _parts(self, table: str) -> Space:
        """Return what a table's partitions take; the server knows about how many rows they have."""
        ((rows, size, unknown),) = self._side.read(
            "SELECT coalesce(sum(reltuples) FILTER (WHERE reltuples >= 0), 0)::bigint, "
            "coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint, "
            "array_agg(c.relname::text) FILTER (WHERE reltuples < 0) "
            "FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = %s::regclass",
            (table,),
        )
        for name in unknown or ():  # made not long ago
            ((count,),) = self._side.read(f"SELECT count(*) FROM {name}")  # noqa: S608
            rows += count
        return Space(rows, size)

    def policy(self) -> dict[str, float | None]:
        """Return how long each class is kept."""
        return {**DEFAULT, **dict(self._side.read("SELECT class, keep_s FROM keeping"))}

    def set_policy(self, policy: Mapping[str, float | None]) -> None:
        """Keep some classes for so many seconds from now on, None: for ever."""
        unknown = policy.keys() - set(CLASSES)
        if unknown:
            raise StoreError(f"{', '.join(sorted(unknown))}: classes are {', '.join(CLASSES)}")
        self._link.whole(
            lambda: self._link.write_many(
                "INSERT INTO keeping (class, keep_s) VALUES (%s, %s) "
                "ON CONFLICT (class) DO UPDATE SET keep_s = excluded.keep_s",
                sorted(policy.items()),
            )
        )

    def retain(self, policy: Mapping[str, float | None], now: float, stop: Stop) -> dict[str, int]:
        """Delete what is older than its class may be; return how many rows of each class.

        Days of the series go whole, without a row being touched.
        """
        found: dict[str, int] = {}
        for name, keep_s in policy.items():
            if keep_s is None or stop():
                continue
            before = now - keep_s
            gone = 0
            if name in SERIES_CLASSES:
                gone += self._days(name, keep_s, before, stop)
            if name in ROLLUP_CLASSES:
                self._gone(name, keep_s, before)
                gone += self._delete(
                    "rollups WHERE level = %s AND start + level <= %s",
                    (ROLLUP_CLASSES[name], before),
                )
            elif name == "commands":
                gone += self._delete("commands WHERE final AND changed < %s", (before,))
            elif name == "alarms":
                gone += self._delete(f"alarms WHERE NOT {STANDING} AND changed < %s", (before,))
                self._delete(
                    "alarm_episodes e WHERE NOT EXISTS (SELECT 1 FROM alarms WHERE id = e.alarm)",
                    (),
                )
            else:
                gone += self._rows(name, before, stop)
            if gone:
                found[name] = gone
        return found

    def _days(self, name: str, keep_s: float, before: float, stop: Stop) -> int:
        table = typed.TABLES[SERIES_CLASSES[name]]
        partitions.settle(self._side, table, before)
        old = sorted(
            day
            for each, day in partitions.existing(self._side)
            if each == table and (day + 1) * partitions.DAY_S <= before
        )
        gone = 0
        for day in old:
            if stop():
                break
            self._gone(name, keep_s, float((day + 1) * partitions.DAY_S))
            gone += partitions.drop(self._side, table, day)
        return gone

    def _gone(self, name: str, keep_s: float, before: float) -> None:
        """Say, before it goes: from here on messages and roll-ups of that time do not agree."""
        self._side.write(
            "INSERT INTO keeping AS k (class, keep_s, gone) VALUES (%s, %s, %s) "
            "ON CONFLICT (class) DO UPDATE SET gone = greatest(k.gone, excluded.gone)",
            (name, keep_s, before),
        )

    def _delete(self, which: str, given: Sequence[Any]) -> int:
        return self._link.whole(lambda: self._link.write(f"DELETE FROM {which}", given))  # noqa: S608

    def _rows(self, name: str, before: float, stop: Stop) -> int:
        """Delete rows of `frames`. A number that comes again later has been here all the same."""
        if name in SERIES_CLASSES:
            types, but = [SERIES_CLASSES[name]], False
        elif name == "events":
            types, but = [schema.EVENT], False
        else:
            types, but = [schema.EVENT, *SERIES], True
        gone = 0
        while not stop():
            some = self._link.whole(lambda: self._step(types, but, before))
            gone += some
            if not some:
                break
        return gone

    def _step(self, types: list[int], but: bool, before: float) -> int:
        link = self._link
        which = "NOT type = ANY (%s)" if but else "type = ANY (%s)"
        rows = link.read(
            "DELETE FROM frames WHERE (epoch, seq) IN (SELECT epoch, seq FROM frames "  # noqa: S608
            f"WHERE {which} AND coalesce(at, received) < %s LIMIT %s) RETURNING epoch, seq",
            (types, before, _ROWS_A_STEP),
        )
        seqs: dict[int, list[int]] = {}
        for epoch, seq in sorted(rows):
            seqs.setdefault(epoch, []).append(seq)
        stored = dict(
            link.read(
                "SELECT epoch, body FROM held WHERE epoch = ANY (%s) ORDER BY epoch FOR UPDATE",
                (list(seqs),),
            )
        )
        held: list[tuple[int, bytes]] = []
        for epoch, numbers in seqs.items():
            ranges = Held.unpack(stored.get(epoch))
            ranges.update(numbers)
            held.append((epoch, ranges.pack()))
        link.write_many(
            "INSERT INTO held (epoch, body) VALUES (%s, %s) "
            "ON CONFLICT (epoch) DO UPDATE SET body = excluded.body",
            held,
        )
        return len(rows)

    def check(self, *, full: bool = False) -> list[str]:
        """Return what is wrong, as the store is at one instant; `full`: every roll-up too."""
        return check(self._url, full=full)

    def vacuum(self, stop: Stop, *, alone: bool = False) -> int:  # noqa: ARG002
        """Vacuum every table that has dead rows, as the server does by itself when it has time.

        The space is used again; only what was at a table's end goes back to the disk. `alone` makes
        no difference: what gives back more locks the table, and whole days are dropped anyway.
        """
        ((before,),) = self._side.read("SELECT pg_database_size(current_database())")
        for (table,) in self._side.read(
            "SELECT quote_ident(relname) FROM pg_catalog.pg_stat_user_tables "
            "WHERE n_dead_tup > 0 ORDER BY n_dead_tup DESC"
        ):
            if stop():
                break
            self._side.write(f"VACUUM (ANALYZE) {table}")
        ((after,),) = self._side.read("SELECT pg_database_size(current_database())")
        return max(int(before - after), 0)

    def backup(
        self,
        path: Path,
        stop: Stop = lambda: False,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Have pg_dump copy the store, as it is at one instant, to a file that is not there yet.

        `pg_restore --dbname URL FILE` brings it back.
        """
        if path.exists():
            raise StoreError(f"{path} is there already: choose another name")
        program = self._dump()
        ((size,),) = self._side.read("SELECT pg_database_size(current_database())")
        beside = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            try:
                target = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    self._run(program, target, size, stop, progress)
                    os.fsync(target)
                finally:
                    os.close(target)
                os.link(beside, path)  # not over a file that came meanwhile
            finally:
                beside.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None

    def _dump(self) -> str:
        """Return pg_dump, as new as the server at least: an older one refuses."""
        least = self._side.db.info.server_version // 10000
        found = [
            path
            for path in Path("/usr/lib/postgresql").glob("*/bin/pg_dump")
            if path.parent.parent.name.isdigit() and int(path.parent.parent.name) >= least
        ]
        program = shutil.which("pg_dump") if not found else str(sorted(found)[0])
        if program is None:
            raise StoreError(
                f"no pg_dump {least} is here, which copies a PostgreSQL store: install the "
                "package postgresql-client, or back the server up with pg_basebackup"
            )
        return program

    def _run(
        self, program: str, target: int, size: int, stop: Stop, progress: Callable[[float], None]
    ) -> None:
        # The URL has no password: pg_dump finds it where we do.
        dump = subprocess.Popen(
            [program, "--format=custom", "--no-password", "--dbname", self._url],
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=subprocess.PIPE,
        )
        try:
            while True:
                if stop():
                    raise StoreError("the backup was stopped")
                try:
                    _, said = dump.communicate(timeout=_LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    progress(min(os.fstat(target).st_size / max(size, 1), 0.99))
        finally:
            if dump.poll() is None:
                dump.kill()
                dump.communicate()
        if dump.returncode:
            words = " ".join(said.decode(errors="replace").split())
            raise StoreError(f"{shown(self._url)}: {words or 'pg_dump failed'}")
        progress(1.0)
