"""Seconds to flash a board beside `mpremote cp -r` of the same tree; both as programs of their own.

`lampione flash` also compares every hash on the board with what it wrote, resets the node and
waits for its Hello; mpremote copies, or compares hashes and finds nothing to copy. The boards are
virtual, with a serial line as fast as the computer: what counts is the work, not 115,200 baud.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lampione_hil.firmware import compile_tree
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

from benchmarks.row import Row, Rows

BOARDS = 8  # that one command flashes at once; mpremote has one board at a time


def _seconds(*command: str) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    taken = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout.decode()}{done.stderr.decode()}")
    return taken


def _ours(boards: Sequence[VirtualBoard]) -> float:
    ports = [word for board in boards for word in ("--port", board.port)]
    return _seconds("lampione", "flash", *ports)


def _theirs(board: VirtualBoard, tree: Path) -> float:
    there = [str(path) for path in sorted(tree.iterdir())]
    return _seconds("mpremote", "connect", board.port, "cp", "-r", *there, ":/")


@contextlib.contextmanager
def _blank(bench: VirtualBench, count: int) -> Iterator[list[VirtualBoard]]:
    quiet = World(street=None, air=SteadyAir())
    boards = [bench.board(f"b{len(bench.boards)}", world=quiet) for _ in range(count)]
    for board in boards:
        board.power_on()
    for board in boards:
        board.wait_console(">>> ")
    yield boards
    for board in boards:
        board.power_off()


def _tree(folder: Path) -> Path:
    """Lay the firmware out as mpremote takes it; both have it compiled before they begin."""
    for path, data in compile_tree().items():
        there = folder / path[1:]
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(data)
    return folder


def rows() -> Rows:
    """The first time, and when nothing has changed since: seconds a board."""
    with VirtualBench() as bench, tempfile.TemporaryDirectory() as folder:
        tree = _tree(Path(folder))
        with _blank(bench, 3) as boards:
            firsts = [_theirs(board, tree) for board in boards]
            agains = [_theirs(board, tree) for board in boards]
        first, again = min(firsts), min(agains)
        with _blank(bench, 1) as boards:
            one = _ours(boards), _ours(boards)
        with _blank(bench, BOARDS) as boards:
            all_first = _ours(boards) / BOARDS
            all_again = min(_ours(boards) / BOARDS for _ in range(2))
    peer = f"mpremote cp -r, {first:.2f} s"
    yield Row(f"flash_first of {BOARDS}", all_first, "s/board", peer, all_first / first, "< 0.5")
    yield Row(f"flash_same of {BOARDS}", all_again, "s/board", peer, all_again / first, "< 0.1")
    yield Row("flash_first of 1", one[0], "s/board", peer, one[0] / first, "< 0.5")
    yield Row("flash_same of 1", one[1], "s/board", peer, one[1] / first)
    peer = f"mpremote again, {again:.2f} s"
    yield Row("flash_same beside", all_again, "s/board", peer, all_again / again)
