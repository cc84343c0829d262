"""The frames in a node's outbox, as they lie on its flash: found, opened, never believed.

A record is [length 1][sealed frame][CRC-32 of the frame 4]; segments are named by the number of
their first frame.
"""

from binascii import crc32
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lampione_protocol import schema, seal

from lampione import values
from lampione.ingest.opener import Refused, open_up, time_of
from lampione.seals import Ciphers

FOLDER = "/outbox"
_EXTRA = 5
_LEAST = seal.UP_HEADER + seal.TAG_BYTES + 1
_SAID = (schema.EVENT, schema.LOG)
_LAST = 20


def first_of(path: str) -> int | None:
    """Return the number of a segment's first frame; None: it is no segment."""
    name, dot, kind = path.rpartition("/")[2].partition(".")
    return int(name) if dot and kind == "seg" and name.isascii() and name.isdigit() else None


def wanted(files: Mapping[str, int], acked: int) -> list[str]:
    """Return the segments that may hold frames nobody has acknowledged, oldest first."""
    firsts = sorted((first, path) for path in files if (first := first_of(path)) is not None)
    return [
        path
        for at, (_, path) in enumerate(firsts)
        if at + 1 == len(firsts) or firsts[at + 1][0] > acked + 1
    ]


def frames(segment: bytes) -> list[bytes]:
    """Return the whole frames of a segment; what is damaged costs itself and no other."""
    found: list[bytes] = []
    at = 0
    while at + _LEAST + _EXTRA <= len(segment):
        size = segment[at]
        end = at + 1 + size
        frame = segment[at + 1 : end]
        if (
            _LEAST <= size <= seal.FRAME_MAX
            and end + 4 <= len(segment)
            and crc32(frame) == int.from_bytes(segment[end : end + 4], "big")
        ):
            found.append(frame)
            at = end + 4
        else:
            at += 1
    return found


def number_of(frame: bytes) -> int:
    """Return the number in a frame's header."""
    return int.from_bytes(frame[seal.UP_HEADER - 3 : seal.UP_HEADER], "big")


@dataclass
class Said:
    """What a node's frames say.

    report, health: the latest, as people read them, with the Unix seconds of each.
    recent: the last events and log lines, oldest first: (Unix seconds or None, kind, values).
    refused: how many frames did not open, by why.
    """

    report: dict[str, Any] = field(default_factory=dict)
    report_at: int | None = None
    health: dict[str, Any] = field(default_factory=dict)
    health_at: int | None = None
    recent: list[tuple[int | None, str, dict[str, Any]]] = field(default_factory=list)
    opened: int = 0
    refused: dict[str, int] = field(default_factory=dict)


def read(node: str, key: bytes, sealed: Iterable[bytes]) -> Said:
    """Open frames in the order in which they were made; `key` is the node's."""
    ciphers = Ciphers()
    said = Said()
    for frame in sealed:
        try:
            opened = open_up(ciphers, node, key, frame)
        except Refused as why:
            said.refused[why.args[0]] = said.refused.get(why.args[0], 0) + 1
            continue
        said.opened += 1
        shown, at = values.try_read(opened.type, opened.body), time_of(opened.type, opened.body)
        if opened.type == schema.REPORT:
            said.report, said.report_at = shown, at
        elif opened.type == schema.HEALTH:
            said.health, said.health_at = shown, at
        elif opened.type in _SAID:
            said.recent = [*said.recent[1 - _LAST :], (at, values.NAMES[opened.type], shown)]
    return said
