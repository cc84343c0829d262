"""What a board in the supervisor is made of and stands on: settings, and its supervisor."""

import selectors
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lampione_hil.virtual.hublink import HubNet
from lampione_hil.virtual.microphone import Loop
from lampione_hil.virtual.radio import Relay
from lampione_hil.virtual.running import RunningWorld
from lampione_hil.virtual.wires import Wires

if TYPE_CHECKING:
    from lampione_hil.virtual.life import Life


@dataclass
class Settings:
    """What the host says of a board."""

    name: str
    flash: Path
    chip_flash: Path  # where its interpreter would be
    bare: bool  # nothing runs until a program is there
    control: Path
    flash_bytes: int  # of the file system
    flash_endurance: int  # erases that a block bears; 0: any number
    rom_bytes: int  # of the ROM partition behind it
    unique_id: bytes
    heap_bytes: int
    autorestart: bool
    ticks_base_ms: int
    world: RunningWorld


class Home(Protocol):
    """What a board needs of its supervisor."""

    selector: selectors.BaseSelector
    relay: Relay
    net: HubNet
    wires: Wires
    virtual: bool

    @property
    def virtual_us(self) -> int:
        """The virtual clock."""
        ...

    def at(self, world_us: int, call: Callable[[], None]) -> None:
        """Call when the world's clock shows a time."""

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call later."""

    def changed(self, life: "Life") -> None:
        """Something happened that somebody may wait for."""

    def loop(self, path: Path, channels: int) -> Loop:
        """The sound in a file, shared."""
        ...


@dataclass
class Wait:
    """A board that waits on the virtual clock: until when, since when, in the world's time.

    once: it goes on sooner where something comes, or the world changes.
    """

    until_us: int
    now_us: int
    once: bool
