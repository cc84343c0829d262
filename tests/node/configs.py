"""Configs as a node has them on flash, put together by hand."""

import hashlib
import zlib
from struct import pack

from lampione_light import layout


def section(number: int, *content: bytes) -> bytes:
    """Return a section of a config."""
    body = b"".join(content)
    return bytes([number]) + pack(">H", len(body)) + body


def blob(*sections: bytes) -> bytes:
    """Return a config."""
    return bytes([layout.FORMAT]) + b"".join(sections)


def flash(config: bytes, version: int = 1) -> dict[str, bytes]:
    """Return the file of a confirmed config."""
    head = pack(">HH8s", version, len(config), hashlib.sha256(config).digest()[:8])
    return {"/config/good": head + pack(">I", zlib.crc32(head)) + config}


MILAN = section(layout.SITE, pack(">iihB", 4_546_420, 919_000, 60, 1))
BY_SUN = section(layout.NIGHT, bytes([0]))
