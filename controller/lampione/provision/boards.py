"""Boards on cables, by `lampione_hil`: real ones, and the virtual ones that are offered."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from lampione_hil import firmware, flashing
from lampione_hil.board import BenchError
from lampione_hil.flashing import Hello
from lampione_hil.real import ports
from lampione_hil.real.errors import NoBoardError, NoStartError
from lampione_hil.real.repl import Repl

from lampione.provision.hands import Place, Progress

_OPEN_S = 20.0
_LET_GO_S = 3.0


class RealHands:
    """See `hands.Hands`.

    Args:
        check: called all the while; what it raises ends the work.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._trees = firmware.Trees()

    def find(self) -> list[Place]:
        """See Hands."""
        return [_place(port) for port in ports.find()]

    def repl(self, place: Place) -> AbstractContextManager[Repl]:
        """See Hands."""
        return Repl.open(place.port, timeout_s=_OPEN_S, check=self._check)

    def flash(self, place: Place, told: Progress) -> dict[str, Any]:
        """See Hands."""
        flashed = flashing.flash(
            place.port, told=told, start=False, source=self._trees, check=self._check
        )
        return {
            "tree": flashed.ident,
            "slot": flashed.slot,
            "sent": flashed.sent,
            "copied": flashed.copied,
            "kept": flashed.kept,
        }

    def let_go(self, place: Place) -> None:
        """See Hands."""
        with contextlib.suppress(BenchError), Repl.open(place.port, timeout_s=_LET_GO_S) as repl:
            repl.reset()

    def start(self, place: Place, within_s: float) -> Hello:
        """See Hands."""
        with Repl.open(place.port, timeout_s=_OPEN_S, check=self._check) as repl:
            repl.reset()
            hello = flashing.wait_hello(repl, within_s)
        if hello is None:
            raise NoStartError(
                f"{place.port}: no hello of the node within {within_s:g} s: look at what it "
                f"prints with `mpremote connect {place.port} repl`"
            )
        return hello


def choose(wanted: str | None) -> Place:
    """Return the board with a serial number, its beginning, or a name; without: the only one.

    Raises NoBoardError.
    """
    found = ports.find()
    if wanted is None and len(found) > 1:
        raise NoBoardError(
            f"{len(found)} boards are connected ({', '.join(one.shown for one in found)}): "
            "say which with --board"
        )
    if wanted is None and len(found) == 1:
        return _place(found[0])
    return _place(ports.choose(found, wanted or ""))


def _place(port: ports.Port) -> Place:
    return Place(port.port, port.serial_number, port.virtual, port.name)
