"""Locks by file: no two runs hold one board. They go with the process that holds them."""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lampione_hil.board import BenchError

LOOK_S = 0.05


def folder() -> Path:
    """Return where this user's locks of real boards lie, for every run of this computer.

    Raises BenchError.
    """
    made = Path(tempfile.gettempdir()) / f"lampione-locks-{os.getuid()}"
    made.mkdir(mode=0o700, exist_ok=True)
    if made.is_symlink() or made.stat().st_uid != os.getuid():
        raise BenchError(f"{made} is somebody else's: remove it, or set TMPDIR")
    return made


class Lock:
    """The lock of one thing on a bench.

    Args:
        place: the folder of the locks.
        what: what it is, the same in every run: a serial number, not a name of one rig.
    """

    def __init__(self, place: Path, what: str) -> None:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(what.encode()).hexdigest()[:16]
        self.what = what
        self._told = place / f"{name}.holder"
        self._lock = FileLock(place / f"{name}.lock", mode=0o600)

    def take(self, why: str) -> bool:
        """Take it if it is free; say whether it was. `why`: told to whoever comes after."""
        if self._lock.is_locked:  # by ourselves: it would let us in again
            return False
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        self._told.write_text(json.dumps({"pid": os.getpid(), "since": time.time(), "why": why}))
        return True

    def wait(self, why: str, patience_s: float) -> None:
        """Take it as soon as it is free. Raises BenchError."""
        end = time.monotonic() + patience_s
        while not self.take(why):
            if time.monotonic() > end:
                raise BenchError(f"{self.what} not free within {patience_s:g} s: {self.holder}")
            time.sleep(LOOK_S)

    def release(self) -> None:
        """Give it back, if it is held."""
        if self._lock.is_locked:
            self._told.unlink(missing_ok=True)
            self._lock.release()

    @property
    def holder(self) -> str:
        """Who holds it: "process 12 (for …)", as far as is known."""
        found: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._told.read_text())
        return f"process {found.get('pid', '?')} ({found.get('why', 'no reason given')})"
