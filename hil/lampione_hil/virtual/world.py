"""What a board senses, as a test writes it down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lampione_hil.virtual.air import Air, PlausibleDay
from lampione_hil.virtual.devices import I2CDevice, LineDevice, Sht45, UartDevice
from lampione_hil.virtual.running import BUS, DMA_FRAMES, STREAMS, RunningWorld
from lampione_hil.virtual.sound import SAMPLE_HZ, Street, SyntheticStreet


class Doppler(Protocol):
    """The raw signal of a radar, as it comes over I2S: two channels, round and round."""

    @property
    def rate_hz(self) -> int:
        """Frames a second."""
        ...

    def samples(self, folder: Path) -> Path:
        """Return the file of one round: frames of two 32-bit little-endian words."""
        ...


@dataclass
class World:
    """What a board is connected to.

    street: what its microphone hears (None: no microphone).
    air: what its SHT45 feels (None: no SHT45).
    dump: file (or folder: one file a board) for the samples exactly as delivered, signed 32 bits
        little-endian, with a `.jsonl` beside it that ties sample numbers to the host's time.
    wifi: whether there is an access point in reach; `rssi_dbm` how strong. `network` is its name
        and password; None: any will do.
    i2c, uarts: more parts, by bus and by UART number.
    crystal_ppm: how much faster than the world's time the board's ticks and its RTC run, in
        millionths; a crystal is off by 10 to 40 either way. On both clocks.
    lines: parts on lines of their own at two pins (virtual clock only).
    doppler: the radar whose raw signal a STEREO receiver hears (None: no such radar).
    i2s_frames: how many frames an I2S receiver hands over at once, on the virtual clock; 256 as on
        the chip. With 1024 a day of sound takes half the time to compute; what is heard is the
        same, up to 16 ms later. No more than the receiver's ring holds (ibuf / 8).
    """

    street: Street | None = field(default_factory=SyntheticStreet)
    air: Air | None = field(default_factory=PlausibleDay)
    dump: Path | None = None
    wifi: bool = True
    rssi_dbm: int = -61
    network: tuple[str, str] | None = None
    chip_c: int = 41
    crystal_ppm: float = 0.0
    i2c: Sequence[I2CDevice] = ()
    uarts: dict[int, UartDevice] = field(default_factory=dict)
    lines: Sequence[LineDevice] = ()
    doppler: Doppler | None = None
    i2s_frames: int = DMA_FRAMES


def start(world: World, folder: Path, board: str) -> RunningWorld:
    """Make a world ready to run: sound is computed once and kept in `folder`."""
    parts = list(world.i2c)
    if world.air is not None:
        parts.append(Sht45(world.air))
    devices = [*parts, *world.uarts.values(), *world.lines]
    names = [BUS, *STREAMS, *(part.name for part in devices)]
    if len(set(names)) < len(names) or len({part.address for part in parts}) < len(parts):
        raise ValueError(f"two parts with one name or address: {', '.join(sorted(names))}")
    dump = world.dump
    if dump is not None and dump.is_dir():
        dump = dump / f"{board}.s32"
    return RunningWorld(
        sound=None if world.street is None else world.street.samples(folder),
        sound_hz=SAMPLE_HZ,
        dump=dump,
        wifi=world.wifi,
        rssi_dbm=world.rssi_dbm,
        network=world.network,
        chip_c=world.chip_c,
        crystal_ppb=round(world.crystal_ppm * 1000),
        air=world.air,
        i2c={part.address: part for part in parts},
        uarts=dict(world.uarts),
        lines=list(world.lines),
        doppler=None if world.doppler is None else world.doppler.samples(folder),
        doppler_hz=0 if world.doppler is None else world.doppler.rate_hz,
        i2s_frames=world.i2s_frames,
    )
