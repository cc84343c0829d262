"""Processes of this machine, of whoever."""

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Say whether a process runs: one that only waits for its parent's look has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
