"""Where a board is now: its port's name changes when it is plugged in again, or has power again."""

from collections.abc import Callable

from lampione_hil.real import ports
from lampione_hil.virtual import offered


def finder(serial_number: str | None, port: str | None) -> Callable[[], str]:
    """Return what looks for a board's port; it raises NoBoardError while there is none.

    A virtual board that is offered is reached by its URL, where it has reset lines.
    """
    if serial_number is None:
        return lambda: port or ""

    def find() -> str:
        found = ports.choose(ports.find(), serial_number)
        if found.virtual:
            for board in offered.offered():
                if board.serial_number == found.serial_number and board.rfc2217:
                    return board.rfc2217
        return found.port

    return find
