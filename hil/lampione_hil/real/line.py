"""A serial port whose every wait has an end, and whose failures say what happened."""

import contextlib
import errno
import termios
import time
from collections.abc import Callable
from typing import Any

import serial

from lampione_hil.real import ports
from lampione_hil.real.errors import (
    BoardSilentError,
    CablePulledError,
    NoBoardError,
    PortBusyError,
    PortPermissionError,
)

_LOOK_S = 0.05  # how long one read waits; the deadline is looked at in between
_WRITE_S = 10.0
_TOLD = 3  # programs that have a port
# An OSError of pyserial, the terminal's own, and what it raises for a port closed under it.
_GONE = (OSError, termios.error, TypeError)


class Line:
    """An open port: what mpremote expects of pyserial, with a deadline for whatever is read.

    Args:
        port: a path, or a URL of pyserial.
        baud: bits a second.

    Raises NoBoardError, PortBusyError, PortPermissionError.
    """

    def __init__(self, port: str, baud: int) -> None:
        self.port = port
        self.deadline = time.monotonic()
        self.check: Callable[[], None] | None = None  # called while it waits; may raise
        self._ahead = b""
        self._gone = False
        path = "://" not in port
        if path and (others := ports.holders(port)):
            raise _busy(port, others)
        try:
            self._serial: Any = serial.serial_for_url(
                port, baudrate=baud, timeout=_LOOK_S, exclusive=True, do_not_open=True
            )
            if path:  # the network's kind cannot
                self._serial.write_timeout = _WRITE_S
            self._serial.open()
        except (OSError, ValueError, termios.error) as error:
            raise _cannot_open(port, error) from None

    def allow(self, seconds: float) -> None:
        """What follows may take so long."""
        self.deadline = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """What is left of that."""
        return self.deadline - time.monotonic()

    def some(self) -> bytes:
        """Return what has come, at least a byte; nothing when none comes for a moment.

        Raises CablePulledError.
        """
        if self.check:
            self.check()
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except _GONE:
            raise self._pulled() from None

    def put_back(self, data: bytes) -> None:
        """What has come belongs to who reads next."""
        self._ahead = data + self._ahead

    def read(self, size: int = 1) -> bytes:
        """Return so many bytes. Raises BoardSilentError at the deadline, CablePulledError."""
        data = b""
        while len(data) < size:
            data += self.some()
            if len(data) < size and self.left_s < 0:
                raise self.silent()
        self.put_back(data[size:])
        return data[:size]

    def write(self, data: bytes) -> int:
        """Send. Raises BoardSilentError when nobody takes it, CablePulledError."""
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            raise self.silent() from None
        except _GONE:
            raise self._pulled() from None
        return len(data)

    def inWaiting(self) -> int:
        """Return how much has come."""
        try:
            return len(self._ahead) + int(self._serial.in_waiting)
        except _GONE:
            raise self._pulled() from None

    def lines(self, *, dtr: bool, rts: bool) -> None:
        """Set the two control lines; a pseudo-terminal has none, and takes no notice."""
        with contextlib.suppress(*_GONE):
            self._serial.rts = rts
            self._serial.dtr = dtr

    def close(self) -> None:
        """Close the port, in the order of its control lines that resets no ESP32."""
        if not self._gone:  # a network's port would be waited for
            self.lines(dtr=False, rts=False)
        with contextlib.suppress(*_GONE):
            self._serial.close()

    def silent(self) -> BoardSilentError:
        """Return the error of a board that does not answer."""
        return BoardSilentError(
            f"{self.port}: the board does not answer: press its reset button, or switch it off "
            "and on, and run this again"
        )

    def _pulled(self) -> CablePulledError:
        self._gone = True
        return CablePulledError(
            f"{self.port}: the cable was pulled, or the board lost its power: connect it and run "
            "this again"
        )


def busy(others: list[tuple[int, str]]) -> str:
    """Say who has a port, of `ports.holders`, and what to do."""
    known = [f"{name} (process {pid})" for pid, name in others[:_TOLD]]
    if len(others) > _TOLD:
        known.append(f"{len(others) - _TOLD} more")
    by = " and ".join(known)
    return f"in use by {by or 'another program'}: close it and try again"


def _busy(port: str, others: list[tuple[int, str]]) -> PortBusyError:
    return PortBusyError(f"{port}: {busy(others)}")


def _cannot_open(port: str, error: Exception) -> Exception:
    """Return the error to raise instead of what pyserial or the system says."""
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        return _busy(port, ports.holders(port))
    if number in (errno.EACCES, errno.EPERM):
        return PortPermissionError(f"{port}: {permission(port)}")
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return NoBoardError(f"{port}: no board there: {ports.there_is(ports.find())}")
    if "://" in port and isinstance(error, OSError):
        if not str(error).startswith("Could not open port"):  # connected, and turned away
            return PortBusyError(f"{port}: another program has this port: close it and try again")
        return NoBoardError(f"{port}: nobody answers there: is its server running?")
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return NoBoardError(f"{port}: not a serial port ({reason})")


def permission(port: str) -> str:
    """Say that a port may not be opened, and what to do."""
    import grp
    import os

    try:
        status = os.stat(port)
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return "you may not open it"
    if status.st_mode & 0o060 == 0o060 and group != "root":
        return f"you may not open it: type `sudo usermod -aG {group} $USER` and log in again"
    return f"you may not open it: type `sudo chmod a+rw {port}`"
