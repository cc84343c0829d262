"""A world in the supervisor: without the preparation, so without numpy and its threads."""

from dataclasses import dataclass, field
from pathlib import Path

from lampione_hil.virtual.air import Air
from lampione_hil.virtual.devices import I2CDevice, UartDevice


@dataclass
class RunningWorld:
    """The supervisor's side: parts with their faults, nothing of the preparation."""

    sound: Path | None
    sound_hz: int
    dump: Path | None
    wifi: bool
    rssi_dbm: int
    chip_c: int
    air: Air | None
    i2c: dict[int, I2CDevice]
    uarts: dict[int, UartDevice]
    unplugged: set[str] = field(default_factory=set)
    microvolts: dict[int, int] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)

    def device(self, address: int) -> I2CDevice | None:
        """Return the part that answers at `address` now."""
        found = self.i2c.get(address)
        return None if found is None or found.name in self.unplugged else found

    def part(self, name: str) -> I2CDevice | UartDevice:
        """Return the part called `name`. Raises ValueError when there is none."""
        parts: list[I2CDevice | UartDevice] = [*self.i2c.values(), *self.uarts.values()]
        for device in parts:
            if device.name == name:
                return device
        raise ValueError(f"this world has no part {name!r}")

    def unplug(self, name: str, unplugged: bool) -> None:
        """Take a part's plug out, or put it in again. "microphone" is a part too."""
        if name != "microphone":
            self.part(name)
        if unplugged:
            self.unplugged.add(name)
        else:
            self.unplugged.discard(name)
