"""The writer's connection: WAL, `synchronous=FULL`, so that what was committed survives a cut."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lampione.store import StoreError
from lampione.store.sqlite.connect import in_words
from lampione.store.sqlite.migrate import migrate


class SqliteLink:
    """Makes the database where there is none, and brings it up to date. For one thread."""

    def __init__(self, path: Path):
        try:
            # Made by us, so that it is private from its first byte on.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            # The core's thread makes it and uses it; whoever waits for its end may close it.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new one; `keep.vacuum`
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA cache_size = -32768")
            migrate(self._db)
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        except sqlite3.Error as error:
            raise in_words(path, error) from None
        self._path = path
        self._open = False  # a transaction

    def _write(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            self._begin()
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error

    def _write_many(self, sql: str, rows: Iterable[Any]) -> int:
        try:
            self._begin()
            return self._db.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error

    def _begin(self) -> None:
        if not self._open:
            self._db.execute("BEGIN IMMEDIATE")
            self._open = True

    def _read(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error
