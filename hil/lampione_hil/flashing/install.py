"""MicroPython itself onto an ESP32, with a table of partitions that has one for code."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lampione_hil.board import BenchError
from lampione_hil.flashing import esptool, layout
from lampione_hil.flashing.esptool import Check, Told
from lampione_hil.flashing.image import Image
from lampione_hil.flashing.layout import Layout
from lampione_hil.partitions import (
    APP,
    SECTOR,
    TABLE_AT,
    TABLE_BYTES,
    Files,
    FormatError,
    files,
    parse,
    table,
)
from lampione_hil.real.errors import BoardCodeError, BoardSilentError, NotMicroPythonError
from lampione_hil.real.repl import Repl

_READING = "reading the flash"
_WRITING = "installing MicroPython"
# A file system of LittleFS says so at the beginning of its first two blocks.
_LITTLEFS, _LITTLEFS_AT = b"littlefs", 8


def has(image: Image, port: str, check: Check | None = None) -> tuple[bool, bool]:
    """Whether the board at `port` runs this very MicroPython, and then whether it has a ROM
    partition. Raises what opening a port does.
    """
    try:
        with Repl.open(port, timeout_s=5, check=check) as repl:
            if not image.runs(str(repl.eval("__import__('sys').version"))):
                return False, False
            return True, bool(repl.eval("__import__('vfs').rom_ioctl(1) > 0"))
    except BoardCodeError:
        return True, False  # it knows no ROM partitions
    except (NotMicroPythonError, BoardSilentError):
        return False, False


def plan(
    image: Image,
    port: str,
    *,
    options: Sequence[str] = (),
    told: Told | None = None,
    check: Check | None = None,
) -> Layout | None:
    """Return the table that the board at `port` is to have; its file system stays where it is.

    None: the image's own, which cannot be read. Args as of `install`. Raises BenchError: it cannot
    stay there; esptool is not there, or what it says.
    """
    own = image.layout
    if own is None:
        return None

    def read(at: int, size: int) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder) / "read"
            what = [*options, "read-flash", hex(at), hex(size), str(found)]
            esptool.run(image.chip, port, what, step=_READING, told=told, check=check)
            return found.read_bytes()

    try:
        place = files(parse(read(TABLE_AT, TABLE_BYTES)))
    except FormatError:
        return layout.with_rom(own)  # nothing that it would start
    if place == files(own.entries) or not _littlefs(read, place):
        return layout.with_rom(own)
    try:
        return layout.with_rom(own, place)
    except BenchError as error:
        raise BenchError(
            f"{port}: {error}: nothing was written. --erase installs it and forgets all that the "
            "board knows"
        ) from None


def _littlefs(read: Callable[[int, int], bytes], place: Files) -> bool:
    head = read(place.offset, SECTOR + _LITTLEFS_AT + len(_LITTLEFS))
    return any(head[at + _LITTLEFS_AT :].startswith(_LITTLEFS) for at in (0, SECTOR))


def install(
    image: Image,
    port: str,
    wanted: Layout | None = None,
    *,
    erase: bool = False,
    options: Sequence[str] = (),
    told: Told | None = None,
    check: Check | None = None,
) -> None:
    """Write an image to the board at `port`; its files stay, unless all is erased.

    Args:
        image: what `read` returned.
        port: with reset lines, which bring the chip into its boot loader.
        wanted: the table of partitions; None: the image as it is.
        erase: the whole chip before.
        options: of esptool, beside ours.
        told: of how far it is.
        check: called all the while; what it raises ends the work.

    Raises BenchError: esptool is not there, or what it says.
    """
    with tempfile.TemporaryDirectory() as folder:
        what = [*options, "write-flash"]
        what += ["--erase-all"] if erase else []
        for number, (at, data) in enumerate(_pieces(image, wanted)):
            path = Path(folder) / f"{number}.bin"
            path.write_bytes(data)
            what += [hex(at), str(path)]
        esptool.run(image.chip, port, what, step=_WRITING, told=told, check=check)


def _pieces(image: Image, wanted: Layout | None) -> list[tuple[int, bytes]]:
    """Return (offset in the flash, content): the table first, so that a second try finds it."""
    if wanted is None or image.layout is None or wanted.entries == image.layout.entries:
        return [(image.offset, image.data)]
    (application,) = (one.offset for one in wanted.entries if one.type == APP)
    return [
        (TABLE_AT, table(wanted.entries)),
        (image.offset, image.data[: TABLE_AT - image.offset].rstrip(b"\xff")),
        (application, image.data[application - image.offset :]),
    ]
