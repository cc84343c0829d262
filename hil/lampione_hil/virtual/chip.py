"""A bare chip's flash: what esptool sees of it, and what of that a virtual board runs from.

A virtual board's file system and its ROM partition have an image of their own. While the chip is in
its boot loader they are where the table of partitions has them, in the flash that esptool reads and
writes; the next start takes them from where the table, which may be another now, has them then. Of
a file system that was moved nothing is there. Its size is the virtual board's, not the table's.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from lampione_hil import partitions
from lampione_hil.partitions import Entry, FormatError
from lampione_hil.virtual.rom_loader import FLASH_BYTES

ROM_MOST = 256 << 10  # that a bare board's image has room for


def entries(chip_flash: Path) -> tuple[Entry, ...]:
    """Return the partitions of a chip; none where it has no table that a boot loader takes."""
    try:
        with chip_flash.open("rb") as file:
            file.seek(partitions.TABLE_AT)
            return partitions.parse(file.read(partitions.TABLE_BYTES))
    except (FileNotFoundError, FormatError):
        return ()


def rom_bytes(chip_flash: Path) -> int:
    """Return the size of its ROM partition; 0: there is none."""
    return min(partitions.rom_bytes(entries(chip_flash)), ROM_MOST)


def into_loader(chip_flash: Path, image: Path, fs_bytes: int) -> bool:
    """Put a board's image where the chip's table has it; whether there is a table."""
    found = entries(chip_flash)
    if found:
        data = image.read_bytes()
        with chip_flash.open("r+b") as file:
            for place, at, size in _places(found, fs_bytes):
                os.pwrite(file.fileno(), data[at : at + size], place)
    return bool(found)


def out_of_loader(chip_flash: Path, image: Path, fs_bytes: int) -> None:
    """Take a board's image from where the chip's table has it."""
    data = chip_flash.read_bytes()
    with image.open("r+b") as file:
        for place, at, size in _places(entries(chip_flash), fs_bytes):
            os.pwrite(file.fileno(), data[place : place + size], at)


def _places(found: tuple[Entry, ...], fs_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Yield (where in the chip's flash, where in the image, bytes) of what the image holds."""
    if not found:
        return
    files = partitions.files(found)
    yield files.offset, 0, max(0, min(fs_bytes, files.size or fs_bytes, FLASH_BYTES - files.offset))
    for one in found:
        if one.label == partitions.ROM_LABEL:
            yield one.offset, fs_bytes, min(one.size, ROM_MOST)
