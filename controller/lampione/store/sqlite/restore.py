"""A backup in the place of a store, whole or not at all; only where no controller runs."""

import contextlib
import os
import sqlite3
from pathlib import Path

from lampione.store import StoreError
from lampione.store.sqlite.migrate import migrations


def verify(path: Path) -> list[str]:
    """Return what is wrong with a file as a database of ours that nobody uses.

    What is in it may be damaged as it was in its original: better that than nothing. `check` says.
    """
    where = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(where, uri=True, isolation_level=None)) as db:
            found = [row[0] for row in db.execute("PRAGMA quick_check(10)") if row[0] != "ok"]
            ((version,),) = db.execute("SELECT max(version) FROM schema_version").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    if version is None or version > len(migrations()):
        found.append(f"it is of version {version}, which this program does not know")
    return found


def check_backup(path: Path) -> None:
    """See that a file is a backup that can be restored. Raises StoreError."""
    if not path.is_file():
        raise StoreError(f"{path} is not {'a file' if path.exists() else 'there'}")
    wrong = verify(path)
    if wrong:
        raise StoreError(f"{path} is damaged: {wrong[0]}")


def restore(backup: Path, path: Path, *, replace: bool = False) -> Path | None:
    """Put a backup in the place of a store that nobody uses; return where that one is now.

    Raises StoreError; then the store is what it was.
    """
    check_backup(backup)
    if path.exists() and not replace:
        raise StoreError(f"{path} is there: say --replace, and it is put aside")
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)  # of one that was killed
    aside: Path | None = None
    try:
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file, backup.open("rb") as source:
            while piece := source.read(1 << 20):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if path.exists() or any(log.exists() for log in logs(path)):
            aside = _put_aside(path)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)
    return aside


def _put_aside(path: Path) -> Path:
    """Have a second name for a store, and its log written into it: a log must not outlive it."""
    aside = path.with_name(f"{path.name}.before")
    number = 1
    while any(each.exists() for each in (aside, *logs(aside))):  # of an earlier restore: kept
        number += 1
        aside = path.with_name(f"{path.name}.before-{number}")
    if path.exists():
        # A damaged one may refuse: perhaps that is the reason for all this.
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db,
        ):
            db.execute("PRAGMA journal_mode = DELETE").fetchall()
        os.link(path, aside)
    for log, old in zip(logs(path), logs(aside), strict=True):
        if log.exists():
            log.rename(old)
    return aside


def logs(path: Path) -> list[Path]:
    """Return what SQLite may have beside a database."""
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def sync(path: Path) -> None:
    """Make a file, or a folder's names, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
