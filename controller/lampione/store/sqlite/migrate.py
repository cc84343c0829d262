"""Numbered SQL files bring a database up to date, each in one transaction."""

import sqlite3
from importlib.resources import files

from lampione.store import StoreError

_FOLDER = "migrations"


def migrations() -> list[tuple[int, str]]:
    """Return (number, SQL) of each, rising from 1 without a hole."""
    found = sorted(
        (int(entry.name.partition("_")[0]), entry.read_text(encoding="utf-8"))
        for entry in files("lampione.store.sqlite").joinpath(_FOLDER).iterdir()
        if entry.name.endswith(".sql")
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreError("the program is damaged: its migrations are not numbered from 1")
    return found


def migrate(connection: sqlite3.Connection, steps: list[tuple[int, str]] | None = None) -> int:
    """Bring a database to the last of `steps` (default: ours); return its version then.

    Raises StoreError for one that a newer program wrote.
    """
    steps = migrations() if steps is None else steps
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL, at TEXT NOT NULL)"
    )
    version: int = connection.execute(
        "SELECT coalesce(max(version), 0) FROM schema_version"
    ).fetchone()[0]
    if version > len(steps):
        raise StoreError(
            f"the database is of version {version}, this program knows {len(steps)}: "
            "install the newer program again"
        )
    for number, sql in steps[version:]:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{sql}\n"
            f"INSERT INTO schema_version VALUES ({number:d}, datetime('now'));\nCOMMIT;"
        )
        version = number
    return version
