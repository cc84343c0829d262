"""Boards that are connected: by USB identity and serial number, never by the port's name alone."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from lampione_hil.real.errors import NoBoardError
from lampione_hil.virtual import offered

# Makers of the chips (or of their bridges to USB) that boards with MicroPython have.
_VENDORS = {
    0x0403: "FTDI",
    0x067B: "Prolific",
    0x10C4: "Silicon Labs",
    0x1A86: "WCH",
    0x2E8A: "Raspberry Pi",
    0x303A: "Espressif",
    0xF055: "MicroPython",
}


_SHOWN = 6
_MASTERS = {"/dev/ptmx", "/dev/pts/ptmx"}


@dataclass(frozen=True)
class Port:
    """One serial port with a board, or with what could be one.

    `serial_number`: of its USB bridge; one that has none is known by its place on the bus.
    """

    port: str  # what to open
    serial_number: str
    vid: int | None = None
    pid: int | None = None
    product: str = ""
    virtual: bool = False
    name: str = ""  # of a virtual board
    rfc2217: str = ""  # of a virtual board: the port that has reset lines

    @property
    def shown(self) -> str:
        """How people know it."""
        return self.name or self.serial_number or self.port


def find() -> list[Port]:
    """Return the boards that are connected: on USB, then the virtual ones that are offered."""
    found = []
    for one in sorted(list_ports.comports(), key=lambda one: one.device):
        if one.vid in _VENDORS:
            serial_number = one.serial_number or f"usb-{one.location or one.device}"
            product = one.product or _VENDORS[one.vid]
            found.append(Port(one.device, serial_number, one.vid, one.pid, product))
    for board in offered.offered():
        if board.plugged:
            found.append(
                Port(
                    board.port,
                    board.serial_number,
                    product="virtual board",
                    virtual=True,
                    name=board.name,
                    rfc2217=board.rfc2217,
                )
            )
    return found


def choose(ports: Sequence[Port], wanted: str) -> Port:
    """Return the board with a serial number or a name, or with the only one that begins so.

    Raises NoBoardError.
    """
    if not wanted.strip():  # a variable of a shell that is not set: not any board
        raise NoBoardError(f"{wanted!r} is no board's name: {there_is(ports)}")
    for port in ports:
        if wanted in (port.serial_number, port.name, port.port):
            return port
    begin = wanted.lower()
    near = [
        port
        for port in ports
        if port.serial_number.lower().startswith(begin) or port.name.lower().startswith(begin)
    ]
    if len(near) == 1:
        return near[0]
    if near:
        raise NoBoardError(f"{wanted}: could be {_listed(near)}: write more of it")
    raise NoBoardError(f"{wanted}: not connected: {there_is(ports)}")


def there_is(ports: Sequence[Port]) -> str:
    """Say in words what is connected, or what to do when nothing is."""
    if ports:
        return f"there is {_listed(ports)}"
    return (
        "no board is connected: look at cable and power; some cables only charge. "
        "`lampione board start` makes virtual ones"
    )


def _listed(ports: Sequence[Port]) -> str:
    shown = [
        f"{port.name} ({port.serial_number})" if port.name else port.serial_number
        for port in ports[:_SHOWN]
    ]
    more = [f"{len(ports) - _SHOWN} more"] if len(ports) > _SHOWN else []
    return ", ".join(shown + more)


def holders(port: str) -> list[tuple[int, str]]:
    """Return (process id, program) of the other processes that have a port open.

    The process behind a pseudo-terminal (a virtual board's) is not one of them. Those of other
    users cannot be seen.
    """
    found = []
    path = os.path.realpath(port)
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):
            names = {os.readlink(one) for one in folder.joinpath("fd").iterdir()}
            if path in names and pid != os.getpid() and not names & _MASTERS:
                found.append((pid, _program(folder)))
    return sorted(found)


def _program(folder: Path) -> str:
    words = folder.joinpath("cmdline").read_bytes().decode(errors="replace").split("\0")
    name = Path(words[0]).name or folder.joinpath("comm").read_text().strip()
    if name.startswith("python") and len(words) > 2:
        arguments = words[2:3] if words[1] == "-m" else words[1:2]
        name = " ".join([name, *(Path(word).name for word in arguments)]).strip()
    return name
