"""Where MicroPython's parts lie in a flash: an image's own table, with a ROM partition in it.

MicroPython looks for code in a data partition called "romfs", and for its file system in one called
"vfs"; where there is none, it takes all that lies behind the last partition. A ROM partition at the
end of what the application may take so leaves the file system where it was.
"""

from dataclasses import dataclass, replace

from lampione_hil.board import BenchError
from lampione_hil.partitions import (
    APP,
    DATA,
    FACTORY,
    FAT,
    FILES_LABELS,
    ROM,
    ROM_BYTES,
    ROM_LABEL,
    TABLE_AT,
    Entry,
    Files,
    FormatError,
    application_bytes,
    files,
    parse,
    rom_bytes,
)

_STEP = 64 << 10  # an application's room, left for its next version


@dataclass(frozen=True)
class Layout:
    """A table for a flash, and what is to be known of it."""

    entries: tuple[Entry, ...]
    used: int  # bytes of the application
    flash_bytes: int  # as the image's header says; the boot loader takes no partition beyond
    why_no_rom: str = ""  # empty: it has a ROM partition
    known: bool = False  # of the kind that can have one

    @property
    def words(self) -> str:
        """The table for people."""
        found = []
        for one in sorted(self.entries, key=lambda one: one.offset):
            used = f", {_kib(self.used)} used" if one.type == APP and self.used else ""
            found.append(f"{one.label} {one.offset:#x} ({_kib(one.size)}{used})")
        if files(self.entries).size is None:
            found.append(f"files from {files(self.entries).offset:#x}")
        return ", ".join(found)


def of(image: bytes, offset: int) -> Layout:
    """Return an image's own table; `offset` is where in the flash it begins.

    Raises FormatError: it has no table, or an application that is not whole.
    """
    entries = parse(image[TABLE_AT - offset :])
    apps = [one for one in entries if one.type == APP]
    if len(apps) != 1 or apps[0].subtype != FACTORY:
        return Layout(entries, 0, 0, "its table has places for several applications (OTA)")
    factory = apps[0]
    used = application_bytes(image[factory.offset - offset :])
    if used > factory.size:
        raise FormatError("the application is larger than its partition")
    found = Layout(entries, used, 1 << 20 << (image[3] >> 4))
    if rom_bytes(entries):
        return found
    behind = [one for one in entries if one.offset > factory.offset]
    if any((one.label, one.type, one.subtype) != ("vfs", DATA, FAT) for one in behind):
        return replace(found, why_no_rom="its table is of a kind that is not known here")
    return replace(found, why_no_rom="its table has none", known=True)


def with_rom(own: Layout, kept: Files | None = None) -> Layout:
    """Return a table with a ROM partition at the end of what the application of `own` may take.

    Where it cannot be, `why_no_rom` says why.

    Args:
        own: what `of` returned.
        kept: the file system is there, and stays; None: where `own` has it.

    Raises BenchError when it cannot stay there.
    """
    place = kept or files(own.entries)
    if place == files(own.entries) and not own.known:
        return own
    stays = f"its file system begins at {place.offset:#x}"
    if not own.known:
        raise BenchError(f"{stays}, and the table of this MicroPython cannot be changed to that")
    front = [one for one in own.entries if one.type != APP and one.label not in FILES_LABELS]
    (factory,) = (one for one in own.entries if one.type == APP)
    limit = kept.offset if kept else factory.end
    least = factory.offset + -(-own.used // _STEP) * _STEP
    if least > limit:
        raise BenchError(f"{stays}, where this MicroPython would lie")
    if kept and kept.size is not None and kept.offset + kept.size > own.flash_bytes:
        raise BenchError(f"{stays}, and ends beyond the flash that this MicroPython is for")
    rom = limit - least >= ROM_BYTES
    end = limit - ROM_BYTES * rom
    entries = [*front, replace(factory, size=end - factory.offset)]
    entries += [Entry(ROM_LABEL, DATA, ROM, end, ROM_BYTES)] * rom
    if place.size is not None:
        entries.append(Entry("vfs", DATA, FAT, place.offset, place.size))
    left = f"the application leaves {_kib(limit - least)}, and it takes {_kib(ROM_BYTES)}"
    return replace(own, entries=tuple(entries), why_no_rom="" if rom else left)


def _kib(size: int) -> str:
    return f"{size // 1024} KiB"
