"""Looking after a SQLite store beside its writer: space, retention, vacuum, check, backup.

What deletes does so in small transactions, between which the writer gets its turn, and in the
thread that folds: no two of these ever run at a time.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lampione_protocol import schema

from lampione.store import SERIES, Space, StoreError
from lampione.store.alarms import STANDING
from lampione.store.held import Held
from lampione.store.retention import CLASSES, DEFAULT, ROLLUP_CLASSES, SERIES_CLASSES
from lampione.store.sqlite.check import check
from lampione.store.sqlite.connect import Link, in_words
from lampione.store.sqlite.restore import logs, sync, verify

_ROWS_A_STEP = 500
_PAGES_A_STEP = 500
_PAGES_A_COPY = 4096
_INCREMENTAL = 2


class SqliteKeeper:
    """See `store.Keeper`. For one thread at a time."""

    def __init__(self, path: Path):
        self._path = path
        self._link = Link(path)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def space(self) -> dict[str, Space]:
        """Return rows and bytes by class; `total` is the file, `free` what waits to be reused."""
        found: dict[str, Space] = {}
        chunks = {
            kind: Space(count, size)
            for kind, count, size in self._link.read(
                "SELECT type, sum(count), sum(length(body)) FROM chunks GROUP BY type"
            )
        }
        for name, kind in SERIES_CLASSES.items():
            found[name] = chunks.get(kind, Space(0, 0))
        rows = {
            bool(event): Space(count, size)
            for event, count, size in self._link.read(
                "SELECT type = ?, count(*), sum(length(body) + 24) FROM frames GROUP BY 1",
                (schema.EVENT,),
            )
        }
        found["events"], found["others"] = (rows.get(n, Space(0, 0)) for n in (True, False))
        levels = {
            level: Space(count, size)
            for level, count, size in self._link.read(
                "SELECT level, count(*), sum(length(body)) FROM rollups GROUP BY level"
            )
        }
        for name, level in ROLLUP_CLASSES.items():
            found[name] = levels.get(level, Space(0, 0))
        for name, sql in (
            ("alarms", "SELECT count(*), 200 * count(*) FROM alarms"),
            ("commands", 'SELECT count(*), sum(length("order") + 100) FROM commands'),
            ("waiting", "SELECT sum(count), sum(length(body)) FROM batches"),
        ):
            ((count, size),) = self._link.read(sql)
            found[name] = Space(count or 0, size or 0)
        ((count, size),) = self._link.read("SELECT count(*), sum(length(body)) FROM aside")
        if count:
            found["damaged"] = Space(count, size)
        ((page,),), ((pages,),), ((free,),) = (
            self._link.read(f"PRAGMA {name}")
            for name in ("page_size", "page_count", "freelist_count")
        )
        found["free"] = Space(free, free * page)
        found["total"] = Space(pages, pages * page)
        return found

    def policy(self) -> dict[str, float | None]:
        """Return how long each class is kept."""
        return {**DEFAULT, **dict(self._link.read("SELECT class, keep_s FROM keeping"))}

    def set_policy(self, policy: Mapping[str, float | None]) -> None:
        """Keep some classes for so many seconds from now on, None: for ever."""
        unknown = policy.keys() - set(CLASSES)
        if unknown:
            raise StoreError(f"{', '.join(sorted(unknown))}: classes are {', '.join(CLASSES)}")
        self._link.write(
            (
                "INSERT INTO keeping (class, keep_s) VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET keep_s = excluded.keep_s",
                policy.items(),
            )
        )

    def retain(
        self, policy: Mapping[str, float | None], now: float, stop: Callable[[], bool]
    ) -> dict[str, int]:
        """Delete what is older than its class may be; return how many rows of each class."""
        found: dict[str, int] = {}
        for name, keep_s in policy.items():
            if keep_s is None:
                continue
            before = now - keep_s
            sql, given, place = _old(name, before)
            while some := self._link.read(sql, (*given, *place, _ROWS_A_STEP)):
                if stop():
                    return found
                if name not in found:
                    # Said first: now what is rolled up of that time is more than what is there.
                    self._link.write(
                        (
                            "INSERT INTO keeping (class, keep_s, gone) VALUES (?, ?, ?) "
                            "ON CONFLICT DO UPDATE SET gone = max(gone, excluded.gone)",
                            [(name, keep_s, before)],
                        )
                    )
                found[name] = found.get(name, 0) + self._delete(name, before, some)
                place = some[-1]
        return found

    def _delete(self, name: str, before: float, rows: list[tuple[Any, ...]]) -> int:
        """Delete rows, if they are still as old: ids of chunks are given again."""
        if name in SERIES_CLASSES:
            sql = "DELETE FROM chunks WHERE id = ? AND type = ? AND start + span <= ?"
            kind = SERIES_CLASSES[name]
            return self._link.write((sql, [(number, kind, before) for (number,) in rows]))
        if name in ROLLUP_CLASSES:
            sql = "DELETE FROM rollups WHERE id = ? AND level = ? AND start + level <= ?"
            level = ROLLUP_CLASSES[name]
            return self._link.write((sql, [(number, level, before) for (number,) in rows]))
        if name == "commands":
            return self._link.write(("DELETE FROM commands WHERE id = ? AND final", rows))
        if name == "alarms":
            return self._link.write(
                ("DELETE FROM alarm_episodes WHERE alarm = ?", rows),
                (f"DELETE FROM alarms WHERE id = ? AND NOT {STANDING}", rows),  # noqa: S608
            )
        # A number that comes again later has been here all the same.
        seqs: dict[int, list[int]] = {}
        for epoch, seq in rows:
            seqs.setdefault(epoch, []).append(seq)
        self._link.write(
            ("UPDATE epochs SET held = ? WHERE id = ?", self._held(seqs)),
            ("DELETE FROM frames WHERE epoch = ? AND seq = ?", rows),
        )
        return sum(map(len, seqs.values()))

    def _held(self, seqs: Mapping[int, list[int]]) -> Iterator[tuple[bytes, int]]:
        """Give what each boot has with these numbers, read in the transaction that writes it."""
        for epoch, numbers in seqs.items():
            ((packed,),) = self._link.read("SELECT held FROM epochs WHERE id = ?", (epoch,))
            ranges = Held.unpack(packed)
            ranges.update(numbers)
            yield ranges.pack(), epoch

    def check(self, *, full: bool = False) -> list[str]:
        """Return what is wrong, as the store is at one instant; `full`: every roll-up too."""
        try:
            return check(self._link.db, full=full)
        except sqlite3.DatabaseError as error:
            return [str(in_words(self._path, error))]

    def vacuum(self, stop: Callable[[], bool], *, alone: bool = False) -> int:
        """Give free pages back to the disk, some at a time; `alone`: all at once.

        Raises StoreError for a database that was made before this was possible, unless alone.
        """
        if alone:
            return self._vacuum_whole()
        if self._link.read("PRAGMA auto_vacuum") != [(_INCREMENTAL,)]:
            raise StoreError(
                f"{self._path} was made by an older program and cannot shrink while it is used: "
                "end the controller and run `lampione store vacuum` once"
            )
        ((page,),) = self._link.read("PRAGMA page_size")
        freed = 0
        while not stop():
            ((free,),) = self._link.read("PRAGMA freelist_count")
            if not free:
                break
            try:
                # `execute` would stop after a page: the statement gives no rows to fetch.
                self._link.db.executescript(f"PRAGMA incremental_vacuum({_PAGES_A_STEP})")
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: {error}") from error
            freed += min(free, _PAGES_A_STEP)
        self._link.read("PRAGMA wal_checkpoint(PASSIVE)")
        return int(freed * page)

    def _vacuum_whole(self) -> int:
        before = self._path.stat().st_size
        self._link.read(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
        self._link.read("VACUUM")
        self._link.read("PRAGMA wal_checkpoint(TRUNCATE)")
        return before - self._path.stat().st_size

    def backup(
        self,
        path: Path,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Copy the store, as it is at one instant, to a file that is not there yet.

        Whole or not at all, readable by its owner only, and checked. `progress` hears of the part
        that is done.
        """
        if path.exists():
            raise StoreError(f"{path} is there already: choose another name")
        beside = path.with_name(f"{path.name}.new")  # one that was killed left it: made anew
        try:
            with _made(beside):
                self._copy(beside, stop, progress)
                wrong = verify(beside)
                if wrong:
                    raise StoreError(f"{path}: the copy is damaged: {wrong[0]}")
                os.link(beside, path)  # not over a file that came meanwhile
            sync(path.parent)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None

    def _copy(
        self, path: Path, stop: Callable[[], bool], progress: Callable[[float], None]
    ) -> None:
        class _Stopped(Exception):
            pass

        def step(_: int, remaining: int, total: int) -> None:
            progress(1 - remaining / max(total, 1))
            if stop():
                raise _Stopped

        try:
            target = sqlite3.connect(path, isolation_level=None)
            try:
                # In a transaction of its own: else every commit of the writer begins it anew.
                self._link.db.execute("BEGIN")
                try:
                    self._link.read("SELECT count(*) FROM schema_version")
                    self._link.db.backup(target, pages=_PAGES_A_COPY, progress=step, sleep=0)
                finally:
                    self._link.db.execute("ROLLBACK")
                target.execute("PRAGMA journal_mode = DELETE")
            finally:
                target.close()
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error
        except _Stopped:
            raise StoreError("the backup was stopped") from None
        sync(path)


@contextlib.contextmanager
def _made(path: Path) -> Iterator[None]:
    """Have a new file, private from its first byte on, which is gone in the end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{path} is being made by somebody else") from None
        os.fchmod(descriptor, 0o600)
        os.ftruncate(descriptor, 0)
        try:
            yield
        finally:
            for leftover in (path, *logs(path)):
                leftover.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _old(name: str, before: float) -> tuple[str, tuple[Any, ...], tuple[Any, ...]]:
    """Return the question for some of what is older, what it is given, and a place before all.

    It is given the place after which it goes on, too, and how many rows are wanted.
    """
    given: tuple[Any, ...]
    if name in SERIES_CLASSES:
        which, given = "chunks WHERE type = ? AND start + span <= ?", (SERIES_CLASSES[name], before)
    elif name in ROLLUP_CLASSES:
        which = "rollups WHERE level = ? AND start + level <= ?"
        given = (ROLLUP_CLASSES[name], before)
    elif name == "commands":
        which, given = "commands WHERE final AND changed < ?", (before,)
    elif name == "alarms":
        which, given = f"alarms WHERE NOT {STANDING} AND changed < ?", (before,)
    else:
        series = ", ".join(map(str, SERIES))
        types = f"= {schema.EVENT}" if name == "events" else f"NOT IN ({schema.EVENT}, {series})"
        sql = (
            f"SELECT epoch, seq FROM frames WHERE type {types} AND coalesce(at, received) < ? "  # noqa: S608
            "AND (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?"
        )
        return sql, (before,), (-1, -1)
    return f"SELECT id FROM {which} AND id > ? ORDER BY id LIMIT ?", given, (-1,)  # noqa: S608
