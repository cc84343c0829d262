"""A partition a day: made before its rows come, dropped whole."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import psycopg

from lampione.store.postgres.connect import Link, in_words
from lampione.store.postgres.typed import TABLES

DAY_S = 86400
AHEAD_DAYS = 3
EARLY_DAYS, LATE_DAYS = 2, 400  # a clock that is further off is absurd: no partition for it
_NAME = re.compile(r"^([a-z]+)_(\d{8})$")
# Another worker makes the same one: as a table, an index' name, or a part of the range.
_THERE = (
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InvalidObjectDefinition,
    psycopg.errors.WrongObjectType,
)


def name_of(table: str, day: int) -> str:
    """Return the partition of a table that has a day, days since 1970."""
    return f"{table}_{_date(day):%Y%m%d}"


def _date(day: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)


def existing(link: Link) -> set[tuple[str, int]]:
    """Return (table, day) of each partition."""
    found = set()
    for (name,) in link.read(
        "SELECT c.relname FROM pg_catalog.pg_inherits i "
        "JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = ANY (%s::regclass[]) AND NOT i.inhdetachpending",
        (list(TABLES.values()),),
    ):
        match = _NAME.match(name)
        if match is not None:
            at = datetime.strptime(match[2], "%Y%m%d").replace(tzinfo=UTC)
            found.add((match[1], int(at.timestamp()) // DAY_S))
    return found


def make(link: Link, wanted: Iterable[tuple[str, int]]) -> None:
    """Make partitions that are missing; `link` commits by itself. Raises StoreError.

    A table is made first and attached then: that waits for nobody who inserts.
    """
    missing = set(wanted) - existing(link)
    for table, day in sorted(missing):
        name = name_of(table, day)
        try:
            link.db.execute(
                f"CREATE TABLE IF NOT EXISTS {name} (LIKE {table} INCLUDING DEFAULTS)".encode()
            )
            link.db.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {name} "
                f"FOR VALUES FROM ('{_date(day):%Y-%m-%d}+00') "
                f"TO ('{_date(day + 1):%Y-%m-%d}+00')".encode()
            )
        except _THERE as error:
            if (table, day) not in existing(link):
                raise in_words(link.url, error) from error
        except psycopg.Error as error:
            raise in_words(link.url, error) from error


def make_ahead(link: Link, now: float) -> None:
    """Make those of the next days."""
    today = int(now) // DAY_S
    make(link, [(table, today + n) for table in TABLES.values() for n in range(AHEAD_DAYS)])


def settle(link: Link, table: str, before: float) -> None:
    """End what a crash left half done: days before a time that were detached, and not dropped."""
    for name, pending in link.read(
        "SELECT c.relname::text, true FROM pg_catalog.pg_inherits i "
        "JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = %s::regclass AND i.inhdetachpending "
        "UNION SELECT relname::text, false FROM pg_catalog.pg_class c "
        "WHERE relkind = 'r' AND NOT relispartition AND relname ~ ('^' || %s || '_[0-9]{8}$') "
        "AND relname < %s "
        "AND relnamespace = current_schema()::regnamespace",
        (table, table, name_of(table, int(before) // DAY_S)),
    ):
        if pending:
            link.write(f"ALTER TABLE {table} DETACH PARTITION {name} FINALIZE")
        link.write(f"DROP TABLE IF EXISTS {name}")


def drop(link: Link, table: str, day: int) -> int:
    """Detach a day and drop it; return how many rows it had. `link` commits by itself."""
    name = name_of(table, day)
    rows: int = link.read(f"SELECT count(*) FROM {name}")[0][0]  # noqa: S608
    link.write(f"ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY")
    link.write(f"DROP TABLE {name}")
    return rows
