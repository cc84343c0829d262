"""A virtual board's flash: an image file and, beside it, a control file.

The control file is the agreement between the host and `board/_flash.py`:

    0  magic, 8 bytes
    8  version, blocks (2 × u32, little-endian, as everything)
   16  cut at write number, cut at erase number (0: never), bytes kept of it per mille  - host's
   28  writes, erases, writes that found bits already low (3 × u32)                     - board's
   40  writes and erases of each block (2 × u32)                                        - board's
"""

import math
import os
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4096
ENDURANCE = 100_000  # erases that a sector of serial NOR flash bears, as its data sheets have it
YEAR_S = 365.25 * 86400
HEAD = 40
_MAGIC = b"LAMPFLSH"


@dataclass(frozen=True)
class Wear:
    """What a time of work would do to the flash in a year of it."""

    erases_a_year: float  # all blocks together
    worst_a_year: float  # the block that is erased most
    years: float  # until that one has reached its endurance; infinite when nothing is erased


@dataclass(frozen=True)
class FlashStats:
    """What the flash has been through since it was made."""

    writes: int
    erases: int
    overwrites: int  # programs of bytes that were not erased: none before a power cut
    block_writes: tuple[int, ...]
    block_erases: tuple[int, ...]

    def wear(self, since: "FlashStats", seconds: float, endurance: int = ENDURANCE) -> Wear:
        """Return what the work between two looks, `seconds` of the board's time, comes to.

        The worst block is what the file system makes it: a short time, in which it has not come
        round to every block, shows it too worn.
        """
        pairs = zip(self.block_erases, since.block_erases, strict=True)
        a_year = YEAR_S / seconds
        worst = max(now - then for now, then in pairs) * a_year
        years = endurance / worst if worst else math.inf
        return Wear((self.erases - since.erases) * a_year, worst, years)


class Flash:
    """The image file at `path`: a file system, and a ROM partition behind it where there is one.

    What needs the power off says so.
    """

    def __init__(self, path: Path, fs_bytes: int, rom_bytes: int = 0) -> None:
        if rom_bytes < 0 or rom_bytes % BLOCK:
            raise ValueError(f"a ROM partition of {rom_bytes} bytes: a multiple of {BLOCK}")
        self.fs_bytes = fs_bytes
        self.rom_bytes = rom_bytes
        size_bytes = fs_bytes + rom_bytes
        if fs_bytes < 8 * BLOCK or fs_bytes % BLOCK:
            raise ValueError(f"flash of {fs_bytes} bytes: a multiple of {BLOCK}, 8 blocks or more")
        self.path = path
        self.size_bytes = size_bytes
        self.control = path.with_suffix(".control")
        if not path.exists() or path.stat().st_size != size_bytes:
            self.wipe()
        if not self.control.exists():
            blocks = size_bytes // BLOCK
            head = _MAGIC + struct.pack("<2I", 1, blocks) + bytes(HEAD - 16)
            self.control.write_bytes(head + bytes(8 * blocks))

    def wipe(self) -> None:
        """Erase the whole image (the counters stay). Only with the power off."""
        with self.path.open("wb") as file:
            for _ in range(self.size_bytes // BLOCK):
                file.write(b"\xff" * BLOCK)

    def snapshot(self, path: Path) -> None:
        """Copy the image to `path`."""
        shutil.copyfile(self.path, path)

    def restore(self, path: Path) -> None:
        """Put the image at `path` in place. Only with the power off.

        Raises ValueError when its size is another.
        """
        if path.stat().st_size != self.size_bytes:
            raise ValueError(f"{path.name} is not an image of {self.size_bytes} bytes")
        shutil.copyfile(path, self.path)

    def write_rom(self, data: bytes) -> None:
        """Put `data` at the beginning of the ROM partition. Only with the power off.

        Raises ValueError when it is longer than the partition.
        """
        if len(data) > self.rom_bytes:
            raise ValueError(f"{len(data)} bytes into a ROM partition of {self.rom_bytes}")
        with self.path.open("r+b") as file:
            os.pwrite(file.fileno(), data.ljust(self.rom_bytes, b"\xff"), self.fs_bytes)

    def cut_at(self, *, write: int = 0, erase: int = 0, kept: float = 0.5) -> None:
        """Cut the power in the middle of the `write`-th program (or `erase`) from now; 0: never.

        The share `kept` (0 to 1) of its bytes lands, from its beginning.
        """
        if write < 0 or erase < 0 or not 0 <= kept <= 1:
            raise ValueError("cut: numbers from 1 (0: never), kept from 0 to 1")
        done = self.stats()
        cut_write = done.writes + write if write else 0
        cut_erase = done.erases + erase if erase else 0
        with self.control.open("r+b") as file:
            os.pwrite(file.fileno(), struct.pack("<3I", cut_write, cut_erase, int(kept * 1000)), 16)

    def stats(self) -> FlashStats:
        """Return the counts."""
        data = self.control.read_bytes()
        writes, erases, overwrites = struct.unpack_from("<3I", data, 28)
        blocks = struct.unpack_from(f"<{self.size_bytes // BLOCK * 2}I", data, HEAD)
        return FlashStats(writes, erases, overwrites, blocks[::2], blocks[1::2])
