"""What a node has committed, read from its flash image by littlefs-python and from the format's
description alone: records of length, sealed frame, CRC-32; segments named by their first number.
"""

import binascii
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol.seal import UP_HEADER, nonce, parse_up, up_key
from littlefs import LittleFS

BLOCK = 4096

Identity = tuple[str, bytes, int, int]
"""(node, epoch, boot, seq)"""


def committed(image: Path, node: str, key: bytes) -> dict[Identity, bytes]:
    """Return the opened text of every whole frame in the outbox of a flash image."""
    data = image.read_bytes()
    disk = LittleFS(block_size=BLOCK, block_count=len(data) // BLOCK, mount=False)
    disk.context.buffer = bytearray(data)
    disk.mount()
    found: dict[Identity, bytes] = {}
    for name in sorted(disk.listdir("/outbox")):
        with disk.open(f"/outbox/{name}", "rb") as file:
            raw = file.read()
        at = 0
        while at < len(raw):
            size = raw[at]
            frame = raw[at + 1 : at + 1 + size]
            crc = raw[at + 1 + size : at + 5 + size]
            assert binascii.crc32(frame).to_bytes(4, "big") == crc, (node, name, at)
            at += 5 + size
            _, epoch, boot, seq = parse_up(frame)
            found[node, epoch, boot, seq] = _open(frame, node, up_key(key, epoch))
    return found


def _open(frame: bytes, node: str, key: bytes) -> bytes:
    header = frame[:UP_HEADER]
    try:
        return AESCCM(key, 8).decrypt(
            nonce(frame, UP_HEADER), frame[UP_HEADER:], header + node.encode()
        )
    except InvalidTag:
        raise AssertionError(f"{node}: a frame on flash does not open") from None
