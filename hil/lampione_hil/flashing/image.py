"""What the file of a MicroPython for an ESP32 says of itself."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from lampione_hil.board import BenchError
from lampione_hil.flashing import layout
from lampione_hil.flashing.layout import Layout
from lampione_hil.partitions import FormatError

_MAGIC = 0xE9
# The chip's number at byte 12 of an image (ESP-IDF, "App Image Format"): esptool's name of it, and
# where its ROM looks for the image that boots.
_CHIPS = {
    0: ("esp32", 0x1000),
    2: ("esp32s2", 0x1000),
    5: ("esp32c3", 0),
    9: ("esp32s3", 0),
    12: ("esp32c2", 0),
    13: ("esp32c6", 0),
    16: ("esp32h2", 0),
    18: ("esp32p4", 0x2000),
    23: ("esp32c5", 0x2000),
}
_VERSION = re.compile(rb"MicroPython (v[0-9][^ \0]*) on ([0-9-]{10})")


@dataclass(frozen=True)
class Image:
    """A MicroPython to be installed."""

    path: Path
    sha256: str
    chip: str  # esptool's name
    offset: int
    version: str  # v1.29.0
    built: bytes  # how sys.version of it ends
    data: bytes = field(repr=False)
    layout: Layout | None  # None: it cannot be read
    wrong: str = ""  # why

    def runs(self, build: str) -> bool:
        """Whether a board that says `build` of itself (sys.version) has this one already."""
        return bool(self.built) and build.encode().endswith(self.built)


def read(path: Path) -> Image:
    """Look at an image. Raises BenchError when it is none, OSError."""
    data = path.read_bytes()
    if len(data) < 1024 or data[0] != _MAGIC:
        raise BenchError(
            f"{path}: not an image for an ESP32: take the .bin file of your board from "
            "micropython.org/download"
        )
    number = int.from_bytes(data[12:14], "little")
    if number not in _CHIPS:
        raise BenchError(f"{path}: for a chip that is not known here (number {number})")
    chip, offset = _CHIPS[number]
    found = _VERSION.search(data)
    own, wrong = None, ""
    try:
        own = layout.of(data, offset)
    except FormatError as error:
        wrong = str(error)
    return Image(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        chip=chip,
        offset=offset,
        version=found[1].decode() if found else "of an unknown version",
        built=found[0] if found else b"",
        data=data,
        layout=own,
        wrong=wrong,
    )
