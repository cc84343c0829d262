"""Switches for the power of real boards: the part `power` of a board in a rig file."""

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from lampione_hil.real.power.command import CommandSwitch
from lampione_hil.real.power.relay import Relay
from lampione_hil.real.power.switch import PowerError, Switch
from lampione_hil.real.power.tasmota import Tasmota
from lampione_hil.real.power.uhubctl import Uhubctl

__all__ = ["NoSwitch", "Power", "PowerError", "PowerSwitch", "Switch", "switch_of"]


class PowerSwitch(Protocol):
    """What a board needs of its switch: see Switch."""

    @property
    def name(self) -> str:
        """What it is, for messages."""
        ...

    @property
    def off_s(self) -> float:
        """How long the power stays off at least."""
        ...

    def on(self) -> None:
        """Switch on. Raises PowerError."""

    def off(self) -> None:
        """Switch off. Raises PowerError."""

    def state(self) -> bool | None:
        """Return what it says of itself; None: it cannot be asked. Raises PowerError."""
        ...


class NoSwitch(BaseModel):
    """The board hangs at a supply that nobody switches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["none"] = "none"


Power = Annotated[NoSwitch | Uhubctl | Relay | Tasmota | CommandSwitch, Field(discriminator="kind")]


def switch_of(power: NoSwitch | Switch | None) -> Switch | None:
    """Return the switch of a board's part `power`; None: it has none."""
    return power if isinstance(power, Switch) else None
