"""A config as a node's flash holds it: for boards that have one from their first second on."""

import binascii
import struct

from lampione.config.blob import digest

GOOD = "/config/good"
FIRST_VERSION = 1


def file_of(version: int, blob: bytes) -> bytes:
    """Return the content of `GOOD`: version, size, digest, CRC-32 of these, then the config."""
    head = struct.pack(">HH8s", version, len(blob), digest(blob))
    return head + binascii.crc32(head).to_bytes(4, "big") + blob
