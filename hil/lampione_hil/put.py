"""How a file comes to a disk."""

import contextlib
import os
from pathlib import Path


def put(path: Path, content: bytes, mode: int = 0o666, beside: Path | None = None) -> None:
    """Write a file, whole or not at all. Raises OSError, which names it.

    mode: of the file, less the umask. beside: where it is written first; None: where no other
    process writes it meanwhile.
    """
    beside = beside or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # of a crash
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:  # a full disk
        error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
