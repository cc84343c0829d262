"""What is done with a board on a cable: by `lampione_hil`, and in a test by whatever else."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from lampione_hil.flashing import Hello

from lampione.provision.on_board import Repl

Progress = Callable[[str, float | None], None]


@dataclass(frozen=True)
class Place:
    """A board that is plugged in; a virtual one reaches this computer's loopback."""

    port: str
    serial_number: str
    virtual: bool = False
    name: str = ""  # of a virtual board


class Hands(Protocol):
    """Everything that touches boards. All of it raises BenchError in words."""

    def find(self) -> list[Place]:
        """Return the boards that are plugged in."""
        ...

    def repl(self, place: Place) -> AbstractContextManager[Repl]:
        """Interrupt what runs and open the REPL."""
        ...

    def flash(self, place: Place, told: Progress) -> dict[str, Any]:
        """Bring the firmware up to date, without starting it; return facts for the record."""
        ...

    def let_go(self, place: Place) -> None:
        """Let a board that was interrupted go on, as far as that can be done."""
        ...

    def start(self, place: Place, within_s: float) -> Hello:
        """Reset the board; return what it says when it has started."""
        ...
