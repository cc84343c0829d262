"""Real boards of a rig, through `lampione_hil.real`, which is loaded only when there are any."""

from collections.abc import Iterator
from pathlib import Path

from lampione_hil.board import BenchError
from lampione_hil.instrument import Instrument
from lampione_hil.real.board import RealBoard
from lampione_hil.real.doctor import Check, examine
from lampione_hil.real.power import switch_of
from lampione_hil.real.usb import finder
from lampione_hil.real.wired import Wired
from lampione_hil.testing.rig import BoardTable, RigFile
from lampione_hil.testing.stand import Rig


def open_board(table: BoardTable, rig: RigFile) -> RealBoard:
    """Return a real board with its power switch and instrument; nothing is opened yet."""
    instrument = None
    if table.instrument is not None:
        its = rig.instrument(table.instrument)
        find = finder(its.serial_number, its.port)
        instrument = Wired(lambda: Instrument(find()), table.wires.pwm, table.wires.uart)
    return RealBoard(
        finder(table.serial_number, table.port),
        name=table.name,
        serial_number=table.serial_number or "",
        power=switch_of(table.power),
        instrument=instrument,
        reset=table.reset,
    )


def blank_board(table: BoardTable, rig: RigFile) -> RealBoard:
    """Return a real board as a test gets it: off, without files. Raises BenchError."""
    board = open_board(table, rig)
    try:
        board.power_off()
        board.wipe()
    except BaseException:
        board.close()
        raise
    return board


def all_off(rig: Rig) -> list[str]:
    """Switch off every board of the rig that nobody holds; say what went wrong.

    No port is opened: a switch is enough.
    """
    wrong = []
    for table in rig.file.boards:
        switch = switch_of(table.power)
        lock = rig.lock(table)
        if switch is None or not lock.take("switching off what a run has left on"):
            continue
        try:
            switch.off()
        except BenchError as error:
            wrong.append(f"{table.name}: {error}")
        finally:
            lock.release()
    return wrong


def all_off_now(file: RigFile) -> list[str]:
    """Switch off what a run that is over, in whatever way, has left on; say what went wrong."""
    return all_off(Rig(file, Path()))


def checks(rig: RigFile) -> Iterator[Check]:
    """Yield what the doctor finds of the real boards and instruments, one after the other."""
    for table in rig.boards:
        if table.kind == "real":
            lock = Rig(rig, Path()).lock(table)
            if not lock.take("the doctor looks at it"):
                yield Check("free", table.name, False, f"held by {lock.holder}", "end that first")
                continue
            board = open_board(table, rig)
            try:
                yield from examine(board)
            finally:
                board.close()
                lock.release()
