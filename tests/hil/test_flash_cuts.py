"""Power cuts in the middle of flashing: the node always boots, and the next try comes through."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from lampione_hil.board import BenchError
from lampione_hil.firmware import compile_tree
from lampione_hil.flashing import Stopped, flash
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

from tests.hil.test_flash import other
from tests.node.controller import KEY, node_files

KEPT = ("/settings.json", "/node.key")
SHORT, LONG = 6, 2000


def start(board: VirtualBoard) -> str:
    """Switch it on; return the slot that says hello, and its name."""
    board.power_on()
    line = board.wait_console(r"lampione hello [0-9a-f]+ \S+ \S+\r?\n", 30)
    return " ".join(line.split()[3:])


class Cuts:
    """One board, put back to where it was before each cut."""

    def __init__(self, bench: VirtualBench, folder: Path, blank: bool) -> None:
        files: Mapping[str, bytes] = node_files("cut", KEY, 1, broker=None)
        self.old = compile_tree()
        self.new = other(self.old)
        self.names = {"/lib cut", "/lib.b cut"}
        if blank:
            files = {path: files[path] for path in KEPT}
        quiet = World(street=None, air=SteadyAir())
        self.board = bench.board(f"cut{blank}", files, world=quiet)
        self.blank = blank
        self.before = folder / f"before{blank}"
        if not blank:
            self.board.power_on()
            flash(self.board.port, self.old)
            self.board.power_off()
        self.kept = {path: self.board.read_file(path) for path in KEPT}
        self.board.snapshot(self.before)
        self.writes = self._count()

    def _count(self) -> int:
        self._power_on()
        before = self.board.flash_stats().writes
        flash(self.board.port, self.new)
        count = self.board.flash_stats().writes - before
        self.board.power_off()
        return count

    def _power_on(self) -> None:
        self.board.power_on()
        self.board.wait_console(">>> " if self.blank else "lampione hello")

    def _flash(self) -> bool:
        """Say whether it came through."""
        board = self.board

        def check() -> None:
            if not board.running:
                raise Stopped

        try:
            flash(board.port, self.new, check=check)
        except BenchError:
            return False
        return True

    def at(self, write: int, kept: float) -> None:
        """Cut at one write, see that the node lives, and flash again."""
        board = self.board
        board.restore(self.before)
        self._power_on()
        board.cut_power_at_write(write, kept)
        through = self._flash()
        board.power_off()
        board.cut_power_at_write(0)
        assert {path: board.read_file(path) for path in KEPT} == self.kept
        if not self.blank or through:
            assert start(board) in self.names, (write, kept)
            board.power_off()
        self._again()

    def _again(self) -> None:
        self.board.power_on()
        done = flash(self.board.port, self.new)
        assert done.hello is not None
        assert done.hello.name == "cut"
        assert "new" in self.board.console()
        self.board.power_off()


@pytest.fixture(params=[False, True], ids=["re-flashed", "blank"])
def cuts(request: pytest.FixtureRequest, bench: VirtualBench, tmp_path: Path) -> Cuts:
    return Cuts(bench, tmp_path, request.param)


def test_it_boots_whatever_write_was_cut(cuts: Cuts) -> None:
    """The last writes, which switch over, and some of those before."""
    draw = random.Random(5)
    writes = [cuts.writes - n for n in range(SHORT // 2)]
    writes += [draw.randrange(1, cuts.writes) for _ in range(SHORT // 2)]
    for write in writes:
        cuts.at(write, draw.choice([0.0, 0.3, 1.0]))


@pytest.mark.soak
def test_it_boots_whatever_write_was_cut_long(cuts: Cuts) -> None:
    draw = random.Random(6)
    for n in range(LONG):
        cuts.at(1 + n % cuts.writes, draw.choice([0.0, 0.3, 0.7, 1.0]))
