"""How a file comes to a disk."""

import contextlib
import os
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises OSError, which names it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
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
