"""The boards on cables: which, where, whose they are, and whether they can be worked on."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lampione_hil.firmware import Trees
from lampione_hil.flashing import Flashed, flash
from lampione_hil.real import line, ports

from lampione.provision import record

State = Literal["free", "busy", "closed"]


class Connected(NamedTuple):
    """A board that is plugged in.

    board: its serial number. name: of a virtual one.
    node: which it became, by the newest good record.
    why: why it cannot be worked on, and what to do; "" where it can.
    """

    board: str
    name: str
    port: str
    what: str
    virtual: bool
    node: str | None
    state: State
    why: str

    @property
    def shown(self) -> str:
        """How people know it."""
        return self.name or self.board

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return self._asdict()


def connected(records: Path) -> list[Connected]:
    """Return the boards that are plugged in, real ones first; `records`: the folder of records."""
    owners = record.boards(records)
    return [_look(port, owners) for port in ports.find()]


def _look(port: ports.Port, owners: Mapping[str, str]) -> Connected:
    state: State = "free"
    why = ""
    if port.port.startswith("/") and not os.access(port.port, os.R_OK | os.W_OK):
        state, why = "closed", line.permission(port.port)
    elif others := ports.holders(port.port):
        state, why = "busy", line.busy(others)
    return Connected(
        port.serial_number, port.name, port.port, port.product, port.virtual,
        owners.get(port.serial_number), state, why,
    )  # fmt: skip


_TREES = Trees()


def bring_up_to_date(port: str, told: Callable[[str, float], None]) -> Flashed:
    """Flash a board, leaving who it is. Raises BenchError, CompileError."""
    return flash(port, told=told, source=_TREES)
