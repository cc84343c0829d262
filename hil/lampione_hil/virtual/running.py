"""A world in the supervisor: without the preparation, so without numpy, which is slow to load."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lampione_hil.virtual.air import Air
from lampione_hil.virtual.devices import I2CDevice, LineDevice, UartDevice

T = TypeVar("T")
Model = I2CDevice | UartDevice | LineDevice

# Parts that are no models: what they are held at (a byte) for a fault, or unplugged.
STREAMS = ("microphone", "doppler")
DMA_FRAMES = 256  # the chip hands over whole DMA buffers
CLIPPED = 256  # instead of a byte: a square wave from one end of the range to the other
_HELD = {"stuck": 0xFF, "silent": 0x00, "clipped": CLIPPED}  # the data line, for ever
BUS = "i2c"  # the two wires that all parts on I2C share


def ask_part(part: Model, method: Callable[..., T], *arguments: object) -> T:
    """Call a part's method. What it raises is a mistake in the model, not in what a board sent."""
    try:
        return method(*arguments)
    except Exception as error:
        raise RuntimeError(f"the part {part.name!r} raised {error!r}") from error


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
    doppler: Path | None = None
    doppler_hz: int = 0
    i2s_frames: int = DMA_FRAMES
    lines: list[LineDevice] = field(default_factory=list)
    network: tuple[str, str] | None = None
    crystal_ppb: int = 0
    unplugged: set[str] = field(default_factory=set)
    microvolts: dict[int, int] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    stream_faults: dict[str, str] = field(default_factory=dict)
    bus_held: bool = False  # SDA is low, and nobody gets a word through

    def device(self, address: int) -> I2CDevice | None:
        """Return the part that answers at `address` now."""
        found = self.i2c.get(address)
        return None if found is None or found.name in self.unplugged else found

    def parts(self) -> list[Model]:
        """Return all models."""
        return [*self.i2c.values(), *self.uarts.values(), *self.lines]

    def part(self, name: str) -> Model:
        """Return the part called `name`. Raises ValueError when there is none."""
        parts = self.parts()
        for device in parts:
            if device.name == name:
                return device
        names = [device.name for device in parts]
        raise ValueError(f"this world has no part {name!r}, but {', '.join(names) or 'none'}")

    def target(self, path: str) -> object:
        """Return a part's model, or what `part.attribute.attribute` of it leads to."""
        name, *attributes = path.split(".")
        found: object = self.part(name)
        for attribute in attributes:
            found = getattr(found, attribute)
        return found

    def dim(self, level: float) -> None:
        """Tell the parts the level that the board's PWM asks for, 0 to 1."""
        for part in self.parts():
            part.dim(level)

    def fault(self, name: str, kind: str) -> None:
        """Let a part behave wrongly ("" for rightly)."""
        if name == BUS:
            if kind not in ("", "held"):
                raise ValueError(f"{name} has no fault {kind!r}: held")
            self.bus_held = bool(kind)
        elif name not in STREAMS:
            self.part(name).fault(kind)
        elif kind and kind not in _HELD:
            raise ValueError(f"{name} has no fault {kind!r}: {', '.join(_HELD)}")
        else:
            self.stream_faults[name] = kind

    def held(self, name: str) -> int:
        """Return the byte that the data line of a stream is held at, or CLIPPED; -1: it is not."""
        if name in self.unplugged:
            return 0  # nothing drives the line: it is pulled low
        return _HELD.get(self.stream_faults.get(name, ""), -1)

    def plugged(self) -> list[str]:
        """Return the names of the models that are plugged in."""
        return [part.name for part in self.parts() if part.name not in self.unplugged]

    def unplug(self, name: str, unplugged: bool) -> None:
        """Take a part's plug out, or put it in again."""
        if name not in STREAMS:
            self.part(name)
        if unplugged:
            self.unplugged.add(name)
        else:
            self.unplugged.discard(name)
