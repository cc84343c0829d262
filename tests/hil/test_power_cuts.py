"""Power cuts in the middle of a write or an erase of the flash."""

from pathlib import Path

import pytest
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

OLD = bytes(range(256)) * 9
NEW = bytes(reversed(range(256))) * 13
RENAME = b"""
import os
with open("/new", "rb") as f:
    new = f.read()
with open("/value.tmp", "wb") as f:
    f.write(new)
os.rename("/value.tmp", "/value")
print("written")
"""
IN_PLACE = b"""
with open("/new", "rb") as f:
    new = f.read()
with open("/value", "r+b") as f:
    for at in range(0, len(new), 1664):
        f.write(new[at : at + 1664])
        f.flush()
print("written")
"""


def outcomes(
    bench: VirtualBench, name: str, program: bytes, kept: float, folder: Path, cut: str = "write"
) -> list[bytes]:
    """Cut at the first, second, ... write or erase until the program comes through."""
    board = bench.board(
        name,
        {"/main.py": program, "/value": OLD, "/new": NEW},
        flash_bytes=128 * 1024,
        world=World(street=None, air=SteadyAir()),
    )
    board.snapshot(folder / "before")
    found: list[bytes] = []
    while True:
        assert len(found) < 200
        board.restore(folder / "before")
        if cut == "write":
            board.cut_power_at_write(len(found) + 1, kept)
        else:
            board.cut_power_at_erase(len(found) + 1, kept)
        board.power_on()
        through = _through(board)
        board.power_off()
        board.cut_power_at_write(0)
        if through:
            return found
        assert board.exits[-1] == "power cut"
        found.append(board.read_file("/value"))


def _through(board: VirtualBoard) -> bool:
    """Wait for the end, one way or the other; say whether the program came through."""
    while board.running:
        if "written" in board.console():
            return True
    return "written" in board.console()


@pytest.mark.parametrize("kept", [0.0, 0.4, 1.0])
def test_write_and_rename_keeps_old_or_new_whole(
    bench: VirtualBench, tmp_path: Path, kept: float
) -> None:
    found = outcomes(bench, f"rename{kept}", RENAME, kept, tmp_path)
    assert len(found) > 20, "the cuts must reach every write of the program"
    assert set(found) <= {OLD, NEW}
    assert found[0] == OLD


def test_the_same_at_every_erase(bench: VirtualBench, tmp_path: Path) -> None:
    found = outcomes(bench, "erase", RENAME, 0.5, tmp_path, "erase")
    assert found
    assert set(found) <= {OLD, NEW}


def test_a_rewrite_in_place_does_not_survive(bench: VirtualBench, tmp_path: Path) -> None:
    found = outcomes(bench, "place", IN_PLACE, 0.5, tmp_path)
    assert any(value not in (OLD, NEW) for value in found), "these cuts would find no bug"


def test_a_cut_is_exact_and_counted(bench: VirtualBench) -> None:
    board = bench.board("exact", {"/main.py": RENAME, "/value": OLD, "/new": NEW})
    before = board.flash_stats()
    assert before.overwrites == 0, "LittleFS never programs what is not erased"
    assert sum(before.block_writes) == before.writes
    assert sum(before.block_erases) == before.erases
    board.cut_power_at_write(5, kept=0.0)
    board.power_on()
    board.wait_exit()
    assert not board.running
    assert board.flash_stats().writes == before.writes + 5
    board.power_on()  # the cut is over, the flash mounts, the program comes through
    board.wait_console("written")
    board.power_off()
    assert board.read_file("/value") == NEW
