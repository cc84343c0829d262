"""What the supervisor asks of a part."""

from abc import ABC, abstractmethod

from lampione_hil.virtual.air import Air


class I2CDevice(ABC):
    """A part on the I2C bus. It lives in the supervisor, so it must pickle and never block."""

    name: str
    address: int

    @abstractmethod
    def write(self, data: bytes, now_s: float) -> bool:
        """Take a write of `data` at `now_s` (seconds, monotonic); False: not acknowledged."""

    @abstractmethod
    def read(self, length: int, now_s: float) -> bytes | None:
        """Return `length` bytes, or None: not acknowledged."""

    def move(self, air: Air) -> None:
        """Go into another air; a part that feels none does not mind."""
        del air

    def fault(self, kind: str) -> None:
        """Behave wrongly in the way `kind` names ("" for rightly).

        Raises ValueError where the part has no such fault.
        """
        if kind:
            raise ValueError(f"{self.name} has no fault {kind!r}")


class UartDevice(ABC):
    """A part on a serial line. It lives in the supervisor, so it must pickle and never block."""

    name: str

    @abstractmethod
    def feed(self, data: bytes, now_s: float) -> bytes:
        """Take what the board sent at `now_s` (seconds) and return what the part says to it."""

    def due(self, now_s: float) -> bytes:
        """Return what the part says by itself by now. Asked about every 10 ms."""
        del now_s
        return b""

    def fault(self, kind: str) -> None:
        """Behave wrongly in the way `kind` names ("" for rightly)."""
        if kind:
            raise ValueError(f"{self.name} has no fault {kind!r}")
