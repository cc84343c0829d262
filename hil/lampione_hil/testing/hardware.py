"""Real boards of a rig, through `lampione_hil.real`, which is loaded only when there are any."""

import functools
from pathlib import Path
from typing import Any

from lampione_hil import firmware
from lampione_hil.board import BenchError
from lampione_hil.testing.rig import BoardTable, RigFile
from lampione_hil.testing.stand import Rig

# sys.implementation._mpy >> 10, as MicroPython's py/persistentcode.h counts them.
_MARCHES = {
    1: "x86", 2: "x64", 3: "armv6", 4: "armv6m", 5: "armv7m", 6: "armv7em", 7: "armv7emsp",
    8: "armv7emdp", 9: "xtensa", 10: firmware.ESP32, 11: "rv32imc",
}  # fmt: skip


def open_board(table: BoardTable) -> Any:
    """Return a real board with its power switch. Raises BenchError."""
    from lampione_hil.real.board import RealBoard
    from lampione_hil.real.power import switch_of

    return RealBoard(
        functools.partial(_port, table),
        name=table.name,
        serial_number=table.shown,
        power=switch_of(table.power),
    )


def blank_board(table: BoardTable) -> Any:
    """Return a real board as a test gets it: off, without a node's files. Raises BenchError."""
    board = open_board(table)
    board.power_off()
    board.wipe()
    return board


def march_of(board: Any) -> str:
    """Return the architecture that a real board's code is compiled for. Raises BenchError."""
    number = board.evaluate("__import__('sys').implementation._mpy >> 10")
    if number not in _MARCHES:
        raise BenchError(f"{board.name}: mpy-cross knows no architecture {number}")
    return _MARCHES[number]


def all_off(rig: Rig) -> list[str]:
    """Switch off every board of the rig that nobody holds; say what went wrong.

    No port is opened: a switch is enough.
    """
    from lampione_hil.real.power import switch_of

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


def checks(rig: RigFile) -> Any:
    """Yield what the doctor finds of the real boards, one after the other."""
    from lampione_hil.real import doctor

    return doctor.checks(rig)


def _port(table: BoardTable) -> str:
    from lampione_hil.real import ports

    if table.port is not None:
        return table.port
    return ports.choose(ports.find(), table.shown).port
