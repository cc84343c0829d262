"""ESP-IDF's binary formats: the table of a flash's partitions, and an application's image.

The table ("Partition Tables" of the ESP-IDF guide): entries of 32 bytes (AA 50, type, subtype,
offset, size, label, flags), then EB EB and the MD5 of all entries, then erased flash. The image
("App Image Format"): a header of 24 bytes, segments with 8 bytes before each, a checksum in the
last byte of a block of 16, a SHA-256 where the header says so.
"""

import functools
import hashlib
import operator
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

TABLE_AT = 0x8000  # in the flash
TABLE_BYTES = 0xC00
SECTOR = 0x1000
APP, DATA = 0, 1  # types
FACTORY, FAT, ROM = 0x00, 0x81, 0x8F  # subtypes
ROM_LABEL = "romfs"  # MicroPython's name of the one that it runs code from
ROM_BYTES = 128 << 10  # as in MicroPython's own table with one, and our firmware fits
FILES_LABELS = ("vfs", "ffat")  # and of its file system's
_ENTRY = struct.Struct("<2s2B2I16sI")
_MAGIC, _SUM_MAGIC = b"\xaa\x50", b"\xeb\xeb" + b"\xff" * 14
_FREE = b"\xff" * _ENTRY.size
_MOST = TABLE_BYTES // _ENTRY.size - 1
_APP_ALIGNED = 0x10000
_END = 1 << 32

_IMAGE_MAGIC = 0xE9
_IMAGE_HEAD, _SEGMENT_HEAD = 24, 8
_SEGMENTS = 16
_SUM = 0xEF
_BLOCK = 16
_SHA = 32


class FormatError(ValueError):
    """Bytes that are not what they ought to be; the text says where."""


@dataclass(frozen=True)
class Entry:
    """A partition."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        """Where the next one can begin."""
        return self.offset + self.size


def parse(data: bytes) -> tuple[Entry, ...]:
    """Return the entries of a table, in its order. Raises FormatError."""
    if len(data) < TABLE_BYTES:
        raise FormatError(f"a table of {len(data)} bytes: it has {TABLE_BYTES}")
    entries: list[Entry] = []
    for at in range(0, TABLE_BYTES, _ENTRY.size):
        raw = data[at : at + _ENTRY.size]
        if raw == _FREE:
            break
        if raw[:_BLOCK] == _SUM_MAGIC:
            if hashlib.md5(data[:at], usedforsecurity=False).digest() != raw[_BLOCK:]:
                raise FormatError(f"byte {at}: the MD5 is another")
            break
        if raw[:2] != _MAGIC:
            raise FormatError(f"byte {at}: no entry of a table")
        entries.append(_entry(raw, at))
    else:
        raise FormatError("a table without an end")
    check(entries)
    return tuple(entries)


def _entry(raw: bytes, at: int) -> Entry:
    _, type_, subtype, offset, size, label, flags = _ENTRY.unpack(raw)
    name, _, rest = label.partition(b"\0")
    if rest.strip(b"\0") or not name.isascii() or not name.decode("ascii", "replace").isprintable():
        raise FormatError(f"byte {at}: a label of other than ASCII letters")
    return Entry(name.decode(), type_, subtype, offset, size, flags)


def check(entries: Sequence[Entry]) -> None:
    """See that a boot loader would take them. Raises FormatError."""
    if not 0 < len(entries) <= _MOST:
        raise FormatError(f"{len(entries)} partitions: 1 to {_MOST}")
    for one in entries:
        aligned = _APP_ALIGNED if one.type == APP else SECTOR
        if one.offset % aligned or one.offset < TABLE_AT + SECTOR:
            raise FormatError(f"{one.label}: it cannot begin at {one.offset:#x}")
        if not one.size or one.size % SECTOR or one.end > _END:
            raise FormatError(f"{one.label}: a size of {one.size:#x}")
    for one, two in pairwise(sorted(entries, key=lambda one: one.offset)):
        if one.end > two.offset:
            raise FormatError(f"{one.label} and {two.label} overlap")
    names = [one.label for one in entries]
    if len(set(names)) < len(names):
        raise FormatError("two partitions of one name")


def table(entries: Sequence[Entry]) -> bytes:
    """Return the table of these partitions. Raises FormatError."""
    check(entries)
    data = b""
    for one in entries:
        label = one.label.encode("ascii", "replace")
        if len(label) > _BLOCK:
            raise FormatError(f"{one.label}: a longer name than {_BLOCK} letters")
        data += _ENTRY.pack(
            _MAGIC, one.type, one.subtype, one.offset, one.size, label, one.flags
        )  # fmt: skip
    data += _SUM_MAGIC + hashlib.md5(data, usedforsecurity=False).digest()
    return data.ljust(TABLE_BYTES, b"\xff")


@dataclass(frozen=True)
class Files:
    """Where the file system lies."""

    offset: int
    size: int | None  # None: up to the flash's end


def files(entries: Sequence[Entry]) -> Files:
    """Return where MicroPython has its file system with this table."""
    for one in entries:
        if one.type == DATA and one.label in FILES_LABELS:
            return Files(one.offset, one.size)
    return Files(max(one.end for one in entries), None)


def rom_bytes(entries: Sequence[Entry]) -> int:
    """Return the size of the ROM partition; 0: there is none."""
    sizes = (one.size for one in entries if one.type == DATA and one.label == ROM_LABEL)
    return next(sizes, 0)


def application_bytes(data: bytes) -> int:
    """Return how long the application is with which `data` begins. Raises FormatError."""
    if len(data) < _IMAGE_HEAD or data[0] != _IMAGE_MAGIC:
        raise FormatError("no application's image")
    if not 0 < data[1] <= _SEGMENTS:
        raise FormatError(f"an application of {data[1]} segments")
    at = _IMAGE_HEAD
    total = _SUM
    for number in range(data[1]):
        if at + _SEGMENT_HEAD > len(data):
            raise FormatError(f"segment {number} of the application is cut off")
        (size,) = struct.unpack_from("<I", data, at + 4)
        at += _SEGMENT_HEAD
        if size > len(data) - at:
            raise FormatError(f"segment {number} of the application is cut off")
        total ^= _xor(data[at : at + size])
        at += size
    at += _BLOCK - at % _BLOCK
    hashed = data[_IMAGE_HEAD - 1] > 0
    if at + _SHA * hashed > len(data):
        raise FormatError("the application's end is cut off")
    if data[at - 1] != total:
        raise FormatError("the application's checksum is another")
    if hashed:
        if hashlib.sha256(data[:at]).digest() != data[at : at + _SHA]:
            raise FormatError("the application's SHA-256 is another")
        at += _SHA
    return at


def _xor(data: bytes) -> int:
    """Return all bytes XORed, by long words first."""
    words = 0
    for at in range(0, len(data), SECTOR):
        words ^= int.from_bytes(data[at : at + SECTOR].ljust(SECTOR, b"\0"), "little")
    return functools.reduce(operator.xor, words.to_bytes(SECTOR, "little"))
