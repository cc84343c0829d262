"""What the supervisor asks of a part."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from lampione_hil.virtual.air import Air


class Part(ABC):
    """A part of a board's world. It lives in the supervisor, so it must pickle and never block.

    Times are seconds of the world's clock: they only grow, and begin anywhere.
    """

    name: str

    def fault(self, kind: str) -> None:
        """Behave wrongly in the way `kind` names ("" for rightly).

        Raises ValueError where the part has no such fault.
        """
        if kind:
            raise ValueError(f"{self.name} has no fault {kind!r}")

    def power_up(self, now_s: float) -> None:
        """Start anew: the supply is there at `now_s`, after the board's or after a plug's pause."""
        del now_s

    def dim(self, level: float) -> None:
        """Learn that the board's PWM asks for this level of the lamp, 0 to 1."""
        del level


class I2CDevice(Part):
    """A part on the I2C bus."""

    address: int

    @abstractmethod
    def write(self, data: bytes, now_s: float) -> bool:
        """Take a write of `data` at `now_s`; False: not acknowledged."""

    @abstractmethod
    def read(self, length: int, now_s: float) -> bytes | None:
        """Return `length` bytes, or None: not acknowledged."""

    def move(self, air: Air) -> None:
        """Go into another air; a part that feels none does not mind."""
        del air


class UartDevice(Part):
    """A part on a serial line, 8 data bits, no parity.

    What it says takes the time that its bytes need on the line, after what it is still saying.

    baud: its rate now; it may change that by itself. What it returns from the call that changes
        it goes out at the old rate.
    """

    baud: int = 9600
    # Whether `due` changes attributes of the part only, and these by assigning new values: then
    # what it will say can be known beforehand, and taken back. What only saves work may be filled.
    foreseeable = False

    def __init_subclass__(cls) -> None:
        """Refuse a part that would never be asked for what it says."""
        super().__init_subclass__()
        if cls.due is not UartDevice.due and cls.next_due_s is UartDevice.next_due_s:
            raise TypeError(f"{cls.__name__} has due() and no next_due_s()")

    @abstractmethod
    def feed(self, data: bytes, now_s: float) -> bytes:
        """Take what the board sent, its last bit at `now_s`; return what the part says to it.

        `data` is one write of the board's, or noise when the rates differ.
        """

    def next_due_s(self, now_s: float) -> float | None:
        """Return when the part says something by itself next; None: only when it is asked.

        Asked again after each feed, due, power_up and change of the world. What has been due
        already comes at once, and the next not within a millisecond of it.
        """
        del now_s
        return None

    def due(self, now_s: float) -> bytes:
        """Return what the part says by itself at `now_s`: `asked_s` of when it said it would."""
        del now_s
        return b""

    def forget(self) -> None:
        """Drop what was worked out ahead: the world changes."""


def asked_s(due_s: float) -> float:
    """Return when a part is asked that is due then: a line's clock has whole microseconds.

    Not a rounding error earlier than the part wants to be.
    """
    return max(math.ceil(due_s * 1_000_000) / 1e6, due_s)


class LineDevice(Part):
    """A part on a line of its own, between two of the board's pins.

    What happens on the line follows from what the board sends: `rx` hears that too.
    """

    tx: int
    rx: int

    @abstractmethod
    def pulses(self, changes: Sequence[int], now_s: float) -> list[int]:
        """Take the times (µs) at which the line changes for `tx`; return when it does for `rx`.

        `changes` begin now, at `now_s`, with the line leaving its rest.
        """

    @abstractmethod
    def level(self, now_s: float) -> int:
        """Return the level of `rx` while nobody sends."""

    def drive(self, level: int | None, now_s: float) -> None:
        """Learn at what level `tx` rests; None: the board lets go of it."""
        del level, now_s

    def join(self, joined: bool, now_s: float) -> None:
        """Be plugged in, or out."""
        del joined, now_s

    def pass_time(self, now_s: float) -> None:
        """Let everything happen that happens by `now_s`."""
        del now_s
