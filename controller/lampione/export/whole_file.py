"""A file is there whole or not at all: written beside its place, and put there at the end."""

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lampione.export import ExportError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; whatever goes wrong, Ctrl-C too, leaves what was there before.

    Raises OSError; ExportError where somebody else writes it now.
    """
    beside = path.with_name(f".{path.name}.part")
    with _ours(path, beside) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _ours(path: Path, beside: Path) -> BinaryIO:
    """Open a file that nobody else writes until it is closed; what a kill left of it is gone."""
    while True:
        try:
            file = os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "wb")
        except FileNotFoundError as error:
            if path.parent.is_dir():
                raise
            raise FileNotFoundError(
                error.errno, "there is no such folder", str(path.parent)
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if not isinstance(error, BlockingIOError):
                raise
            raise ExportError(
                f"{path}: another export writes it now: wait for that one, or name another file"
            ) from None
        if _is_there(beside, file):
            file.truncate(0)
            return file
        file.close()  # it was put into its place between our two steps


def _is_there(beside: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(beside.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def target(path: Path | None) -> Iterator[BinaryIO]:
    """Open a whole file, or without a path the standard output."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole(path) as file:
        yield file


def sha256(path: Path) -> str:
    """Return a file's digest, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
