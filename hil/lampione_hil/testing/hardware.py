"""Real boards of a rig, through `lampione_hil.real`, which is loaded only when there are any."""

from pathlib import Path
from typing import Any

from lampione_hil.board import BenchError
from lampione_hil.testing.rig import BoardTable, RigFile
from lampione_hil.testing.stand import Rig


def open_board(table: BoardTable, rig: RigFile) -> Any:
    """Return a real board with its power switch and instrument. Raises BenchError."""
    del rig
    raise BenchError(f"{table.name}: real boards are not there yet")


def blank_board(table: BoardTable, rig: RigFile) -> Any:
    """Return a real board as a test gets it: off, without a node's files. Raises BenchError."""
    return open_board(table, rig)


def all_off(rig: Rig) -> list[str]:
    """Switch off every board of the rig that nobody holds; say what went wrong."""
    wrong = []
    for table in rig.file.boards:
        if table.kind == "virtual" or table.power.kind == "none":
            continue
        lock = rig.lock(table)
        if not lock.take("switching off what a run left on"):
            continue
        try:
            board = open_board(table, rig.file)
            board.power_off()
            board.close()
        except BenchError as error:
            wrong.append(f"{table.name}: {error}")
        finally:
            lock.release()
    return wrong


def all_off_now(file: RigFile) -> list[str]:
    """Switch off what a run that is over, in whatever way, has left on; say what went wrong."""
    return all_off(Rig(file, Path()))


def checks(rig: RigFile) -> Any:
    """Yield what the doctor finds of the real boards, one after the other."""
    from lampione_hil.real import doctor

    return doctor.checks(rig)
