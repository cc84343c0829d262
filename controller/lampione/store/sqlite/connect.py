"""Connections to the database's file."""

import sqlite3
from pathlib import Path

from lampione.store import StoreError

_WAIT_S = 30.0  # for who writes now: a batch, or a block that is folded


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing database to write, beside its writer. Raises StoreError."""
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            timeout=_WAIT_S,
            isolation_level=None,
            uri=True,
            check_same_thread=False,
        )
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
    return db
