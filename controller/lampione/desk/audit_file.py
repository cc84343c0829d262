"""The audit, whole, into a file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from lampione.room import export

PAGE = 500
Call = Callable[..., Any]
"""Asks the core, as `Client.call` does."""


class AuditFileError(Exception):
    """The file cannot be written, or what is in it is not whole; the text says why."""


def rising(call: Call) -> Iterator[dict[str, Any]]:
    """Yield all entries, oldest first."""
    after = 0
    while page := call("audit", after=after, limit=PAGE):
        yield from page
        after = page[-1]["seq"]


def write(call: Call, path: Path) -> export.Checked:
    """Write all entries into a new file, and check them there.

    Raises AuditFileError, OSError, CoreError.
    """
    if path.exists():
        raise AuditFileError(f"{path} is there already; nothing was written")
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("w", encoding="ascii") as file:
            for entry in rising(call):
                file.write(export.line_of(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())
        checked = read(beside)
        beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)
    return checked


def read(path: Path) -> export.Checked:
    """Check a file. Raises OSError."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return export.check(_lines(file))


def _lines(file: TextIO) -> Iterator[str]:
    """Yield lines, none of which fills the memory."""
    while line := file.readline(export.LINE_MAX + 1):
        yield line
