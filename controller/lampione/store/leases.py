"""Who serves which shard: leases in rows of the database, and the fence of whoever held one.

A lease counts until a time of the database's own clock, and each new holder gets a higher term.
A worker's every commit checks in its own transaction that holder and term still stand, so one
that was paused and wakes up late changes nothing beside its successor. The tables are made when
they are first used; they hold nothing that a backup needs.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lampione.store import Engine, StoreError

BUSY_S = 10.0
LOCK_ROWS = " FOR SHARE"  # of PostgreSQL: the row stays as it is until our commit
_TABLES = (
    "CREATE TABLE IF NOT EXISTS leases (shard TEXT PRIMARY KEY, holder TEXT NOT NULL, "
    "term {integer} NOT NULL, until {real} NOT NULL)",
    "CREATE TABLE IF NOT EXISTS workers (holder TEXT PRIMARY KEY, until {real} NOT NULL)",
)

Run = Callable[[str, tuple[Any, ...]], list[Any]]
"""Runs one statement in a transaction of its own, `?` for values; raises StoreError."""


class Fenced(StoreError):
    """The leases of `shards` are another's, or nobody's: nothing was written."""

    def __init__(self, shards: frozenset[str]) -> None:
        super().__init__(f"the lease of {', '.join(sorted(shards))} has ended")
        self.shards = shards


class Fence:
    """What a writer checks before it commits. Empty: it is the only writer there is."""

    def __init__(self) -> None:
        self._holder = ""
        self._terms: dict[str, int] = {}

    def set(self, holder: str, terms: Mapping[str, int]) -> None:
        """From now on these leases are to stand."""
        self._holder, self._terms = holder, dict(terms)

    def check(self, run: Callable[[str, tuple[Any, ...]], list[Any]], lock: str = "") -> None:
        """Check within the open transaction. Raises Fenced, StoreError.

        Args:
            lock: what makes the rows stay as they are until the transaction's end.
        """
        if not self._holder:
            return
        rows = run(f"SELECT shard, term FROM leases WHERE holder = ?{lock}", (self._holder,))  # noqa: S608
        stand = dict(rows)
        lost = {shard for shard, term in self._terms.items() if stand.get(shard) != term}
        if lost:
            raise Fenced(frozenset(lost))


class Lease(NamedTuple):
    """One row. `holder` is empty, or the lease has run out, where the shard is free."""

    shard: str
    holder: str
    term: int
    runs: bool


class Leases:
    """The rows, on a connection of its own. Raises StoreError from every method."""

    def __init__(self, run: Run, now: str, close: Callable[[], None], types: Mapping[str, str]):
        """
        Args:
            now: the database's time, Unix seconds, as SQL.
            types: what it calls `integer` and `real`.
        """
        self._run = run
        self._now = now
        self.close = close
        for table in _TABLES:
            run(table.format(**types), ())

    def offer(self, shards: list[str]) -> None:
        """See that every shard has its row."""
        for shard in shards:
            self._run(
                "INSERT INTO leases VALUES (?, '', 0, 0) ON CONFLICT (shard) DO NOTHING", (shard,)
            )

    def renew(self, holder: str, lasts_s: float) -> dict[str, int]:
        """Be there for `lasts_s` more; return what is held, {shard: term}."""
        until = f"{self._now} + ?"
        self._run(
            f"INSERT INTO workers VALUES (?, {until}) "  # noqa: S608
            "ON CONFLICT (holder) DO UPDATE SET until = excluded.until",
            (holder, lasts_s),
        )
        rows = self._run(
            f"UPDATE leases SET until = {until} WHERE holder = ? RETURNING shard, term",  # noqa: S608
            (lasts_s, holder),
        )
        return dict(rows)

    def look(self) -> tuple[list[str], list[Lease]]:
        """Return the workers that are there, and every lease."""
        workers = self._run(
            f"SELECT holder FROM workers WHERE until > {self._now} ORDER BY holder",  # noqa: S608
            (),
        )
        rows = self._run(
            f"SELECT shard, holder, term, until > {self._now} FROM leases ORDER BY shard",  # noqa: S608
            (),
        )
        leases = [Lease(shard, holder, term, bool(runs)) for shard, holder, term, runs in rows]
        return [holder for (holder,) in workers], leases

    def take(self, shard: str, holder: str, lasts_s: float) -> int | None:
        """Take a lease that is free; return its term, None when another was quicker."""
        rows = self._run(
            f"UPDATE leases SET holder = ?, term = term + 1, until = {self._now} + ? "  # noqa: S608
            f"WHERE shard = ? AND (holder = '' OR until <= {self._now}) RETURNING term",
            (holder, lasts_s, shard),
        )
        return rows[0][0] if rows else None

    def give_up(self, shard: str, holder: str) -> None:
        """Free a lease: whoever wants it need not wait until it has run out."""
        self._run(
            "UPDATE leases SET holder = '', until = 0 WHERE shard = ? AND holder = ?",
            (shard, holder),
        )

    def leave(self, holder: str) -> None:
        """Free everything, and be there no more."""
        self._run("UPDATE leases SET holder = '', until = 0 WHERE holder = ?", (holder,))
        self._run("DELETE FROM workers WHERE holder = ?", (holder,))


def open_leases(engine: Engine) -> Leases:
    """Return the leases of a store, which is there already. Raises StoreError."""
    if engine.url.startswith("sqlite:"):
        return _sqlite(engine.url.removeprefix("sqlite:"))
    from lampione.store.postgres.leases import postgres_leases

    return postgres_leases(engine)


def _sqlite(path: str) -> Leases:
    try:
        database = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None

    def run(sql: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            return database.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error

    now = "((julianday('now') - 2440587.5) * 86400.0)"
    return Leases(run, now, database.close, {"integer": "INTEGER", "real": "REAL"})
