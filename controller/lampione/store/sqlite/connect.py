"""Connections to the database's file beside its writer's."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lampione.store import StoreError

_WAIT_S = 30.0  # for who writes now: a batch, or a block that is folded

Step = tuple[str, Iterable[tuple[Any, ...]]]
"""One statement, and the rows that it is done with; `[()]` where it takes none."""


def in_words(path: Path, error: Exception) -> StoreError:
    """Return what is to be said of an error of SQLite's, and what to do."""
    said = str(error)
    if "no such table" in said or "no such column" in said:
        return StoreError(
            f"{path} is no store of Lampione's, or one of an older program ({said}): "
            "a controller that starts on it brings it up to date"
        )
    if "malformed" in said or "not a database" in said:
        return StoreError(
            f"{path} is damaged ({said}): `lampione store restore BACKUP --replace` puts a backup "
            "in its place and keeps this one beside it"
        )
    return StoreError(f"{path}: {said}")


class Link:
    """A connection to an existing database, to write too. For one thread. Raises StoreError."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self.db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                timeout=_WAIT_S,
                isolation_level=None,
                uri=True,
                check_same_thread=False,
            )
            self.db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise in_words(path, error) from None

    def close(self) -> None:
        """Close the connection."""
        self.db.close()

    def read(self, sql: str, given: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of an answer."""
        try:
            return self.db.execute(sql, given).fetchall()
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error

    def stream(self, sql: str, given: tuple[Any, ...] = ()) -> Iterator[Any]:
        """Give the rows of an answer that may be long."""
        try:
            yield from self.db.execute(sql, given)
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error

    def write(self, *steps: Step, first: Callable[[], None] = lambda: None) -> int:
        """Do it all in one transaction; return how many rows it touched.

        `first`: asked within it, before anything is written; what it raises ends it.
        """
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                first()
                touched = sum(self.db.executemany(sql, rows).rowcount for sql, rows in steps)
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error
        return touched
