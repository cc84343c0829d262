"""A file is there whole or not at all: written beside its place, and put there at the end."""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; whatever goes wrong, Ctrl-C too, leaves what was there before.

    Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except FileNotFoundError as error:
        if path.parent.is_dir():
            raise
        raise FileNotFoundError(error.errno, "there is no such folder", str(path.parent)) from None
    finally:
        beside.unlink(missing_ok=True)


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
