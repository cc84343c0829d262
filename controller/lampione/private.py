"""Files that hold a secret: read when nobody else can read them, and written so."""

import os
import shlex
import stat
from pathlib import Path

from lampione_hil.put import put as put_whole


class NotPrivateError(Exception):
    """Others can read or have the file; the text says what to do and holds no secret."""


def read(path: Path) -> bytes:
    """Return the content of a file of this user's, mode 0600 or less.

    Raises NotPrivateError, OSError.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise NotPrivateError(
                f"{path} can be read by others: run `chmod 600 {shlex.quote(str(path))}`"
            )
        if status.st_uid != os.geteuid():
            raise NotPrivateError(f"{path} belongs to another user (uid {status.st_uid})")
        return file.read()


def put(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file, whole or not at all; nobody else writes it meanwhile.

    Raises OSError, which names the file.
    """
    # Always the same name: of what a crash leaves behind there is one copy, until the next time.
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)  # here, so that what cannot be removed is named
    put_whole(path, content, mode, beside)
