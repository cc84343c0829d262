"""A switch for a board's power: told what to do, and asked whether it came about."""

from pydantic import BaseModel, ConfigDict, Field

from lampione_hil.board import BenchError


class PowerError(BenchError):
    """The power cannot be switched; the text says why and what to do."""


class Switch(BaseModel):
    """What all kinds have in common; it is the part `power` of a board in the rig file, too.

    off_s: how long a board is off at least. For less, its capacitors keep the chip alive.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    off_s: float = Field(default=2.0, ge=2.0, le=60.0)

    @property
    def name(self) -> str:
        """What it is, for messages."""
        raise NotImplementedError

    def on(self) -> None:
        """Switch on. Raises PowerError, also when it says that it is still off."""
        self._switch(True)

    def off(self) -> None:
        """Switch off. Raises PowerError, also when it says that it is still on."""
        self._switch(False)

    def state(self) -> bool | None:
        """Return what it says of itself; None: it cannot be asked. Raises PowerError."""
        return None

    def _turn(self, on: bool) -> None:
        raise NotImplementedError

    def _switch(self, on: bool) -> None:
        self._turn(on)
        if self.state() is (not on):
            wanted, says = ("on", "off") if on else ("off", "on")
            raise PowerError(
                f"{self.name} was switched {wanted} and still says {says}: {self._advice}"
            )

    @property
    def _advice(self) -> str:
        return "switch it by hand and look"
