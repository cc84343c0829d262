"""Images of MicroPython as they are built for an ESP32-S3, with an application that is none."""

import hashlib
import struct
from functools import reduce
from operator import xor
from pathlib import Path

VERSION = b"3.4.0; MicroPython v1.29.0 on 2026-06-01"
S3 = 9
FACTORY_AT = 0x10000

Row = tuple[str, int, int, int, int]  # label, type, subtype, offset, size

# As MicroPython's own tables: 2 MiB for all but the files, these by name and without.
FRONT: tuple[Row, ...] = (("nvs", 1, 2, 0x9000, 0x6000), ("phy_init", 1, 1, 0xF000, 0x1000))
STOCK = (*FRONT, ("factory", 0, 0, FACTORY_AT, 0x1F0000))
NAMED = (*STOCK, ("vfs", 1, 0x81, 0x200000, 0x200000))
OTA = (*FRONT, ("ota_0", 0, 0x10, 0x10000, 0x180000), ("ota_1", 0, 0x11, 0x190000, 0x180000))


def table(rows: tuple[Row, ...], summed: bool = True) -> bytes:
    """Return the bytes of a table."""
    data = b"".join(
        b"\xaa\x50" + struct.pack("<2B2I16sI", kind, sub, at, size, label.encode(), 0)
        for label, kind, sub, at, size in rows
    )
    if summed:
        data += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(data, usedforsecurity=False).digest()
    return data.ljust(0xC00, b"\xff")


def application(*segments: bytes, chip: int = S3, hashed: bool = True) -> bytes:
    """Return an application's image, as ESP-IDF's "App Image Format" has it."""
    head = struct.pack("<4BI", 0xE9, len(segments), 2, 0x2F, 0x40000000)
    data = head + b"\xee" + bytes(3) + struct.pack("<H", chip) + bytes(9) + bytes([hashed])
    for segment in segments:
        data += struct.pack("<2I", 0x3C000020, len(segment)) + segment
    total = reduce(xor, b"".join(segments), 0xEF)
    data += bytes(15 - len(data) % 16) + bytes([total])
    return data + hashlib.sha256(data).digest() if hashed else data


def image(rows: tuple[Row, ...] = STOCK, used: int = 40_000, chip: int = S3) -> bytes:
    """Return a file as micropython.org has it, whose application has about `used` bytes."""
    offset = 0x1000 if chip == 0 else 0
    boot = application(b"boot loader!" * 99, chip=chip)
    data = boot.ljust(0x8000 - offset, b"\xff") + table(rows)
    code = (VERSION + b"\0Generic\0").ljust(used - 100, b"\x55")
    at = next(at for _, kind, _, at, _ in rows if kind == 0)
    return data.ljust(at - offset, b"\xff") + application(code[:64], code[64:], chip=chip)


def write(path: Path, rows: tuple[Row, ...] = STOCK, used: int = 40_000, chip: int = S3) -> Path:
    """Write such a file."""
    path.write_bytes(image(rows, used, chip))
    return path
