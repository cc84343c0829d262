"""What can be wrong with a board on a bench. Each text says what is wrong and what to do."""

from lampione_hil.board import BenchError


class NoBoardError(BenchError):
    """Nothing is connected that could be the board that was asked for."""


class PortBusyError(BenchError):
    """Another program has the port."""


class PortPermissionError(BenchError):
    """The port belongs to others."""


class NotMicroPythonError(BenchError):
    """Something answers, and it is not MicroPython's prompt."""


class BoardSilentError(BenchError):
    """Nothing answers, or no longer."""


class CablePulledError(BenchError):
    """The port is gone while it was in use."""


class WrongChipError(BenchError):
    """The firmware, or an image, is not for this chip."""


class WrongVersionError(BenchError):
    """MicroPython on the board is too old, or of another format of .mpy."""


class FlashFullError(BenchError):
    """The board's file system has no room for what is to be written."""


class NotVerifiedError(BenchError):
    """What was read back is not what was written."""


class NoStartError(BenchError):
    """What was written does not start."""


class BoardCodeError(BenchError):
    """What the board was told to run raised an exception there.

    Args:
        where: the board's port.
        traceback: as the board printed it.
    """

    def __init__(self, where: str, traceback: str) -> None:
        lines = traceback.strip().splitlines()
        self.traceback = traceback
        self.last = lines[-1] if lines else "an error without words"
        super().__init__(f"{where}: the board says {self.last}")
