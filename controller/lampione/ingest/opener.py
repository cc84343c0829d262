"""Opens what nodes send. Nothing that comes from the air raises anything but `Refused`."""

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from lampione_protocol import schema, seal
from lampione_protocol.names import ALL_MESSAGES, CLOCKS

from lampione.seals import Ciphers, ccm

__all__ = ["Opened", "Refused", "open_up", "time_of"]

_FIRST = schema.WIRE_VERSION << 5
_TIMED = frozenset(
    kind
    for kind, _, fields in ALL_MESSAGES
    if fields[0][0] in ("start", "time") and kind != schema.COMMAND
)
_TIME_UNKNOWN = (1 << 31) - 1
_UNSET = CLOCKS.index("unset")


def _clock_bits() -> dict[int, tuple[int, int]]:
    """Return where each timed message says how far its clock can be trusted: first bit, bits."""
    found = {}
    for kind, _, fields in ALL_MESSAGES:
        names = [field[0] for field in fields]
        if kind in _TIMED and "clock" in names:
            at = names.index("clock")
            found[kind] = sum(field[2] for field in fields[:at]), fields[at][2]
    return found


_CLOCK_BITS = _clock_bits()


class Refused(Exception):
    """A frame that is not accepted: args = (reason,), one of `api.Refused`."""


class Opened(NamedTuple):
    """A frame that a node sealed. A hello has its epoch in its text and no number: seq is -1."""

    type: int
    epoch: bytes
    boot: int
    seq: int
    body: bytes


def open_up(ciphers: Ciphers, node: str, key: bytes, frame: bytes) -> Opened:
    """Open a frame from `node`, whose K_node is `key`. Raises Refused."""
    size = len(frame)
    if size < seal.UP_HEADER + seal.TAG_BYTES:
        raise Refused("truncated")
    if frame[0] & 0xE0 != _FIRST:
        raise Refused("version")
    if size > seal.FRAME_MAX:
        raise Refused("too long")
    kind = frame[0] & 31
    header = frame[:10]
    is_hello = kind == schema.HELLO
    epoch = b"" if is_hello else frame[1:5]
    cipher = ciphers.get(node, epoch)
    fresh = cipher is None
    if cipher is None:
        cipher = ccm(seal.hello_key(key) if is_hello else seal.up_key(key, epoch))
    try:
        body = cipher.decrypt(header + b"\0\0\0", frame[10:], header + node.encode())
    except InvalidTag:
        raise Refused("seal") from None
    if fresh:
        ciphers.keep(node, epoch, cipher)
    if is_hello:
        return Opened(kind, epoch, 0, -1, body)
    return Opened(
        kind, epoch, frame[5] << 8 | frame[6], frame[7] << 16 | frame[8] << 8 | frame[9], body
    )


def time_of(kind: int, body: bytes) -> int | None:
    """Return the message's own time, Unix seconds, or None: every timed one starts with it.

    While its clock is unset a node counts seconds since its start: that is no time.
    """
    if kind not in _TIMED or len(body) < 4:
        return None
    seconds = int.from_bytes(body[:4], "big") >> 1
    if seconds == _TIME_UNKNOWN or _is_unset(kind, body):
        return None
    return seconds + schema.EPOCH_2020


def _is_unset(kind: int, body: bytes) -> bool:
    found = _CLOCK_BITS.get(kind)
    if found is None:
        return False
    at, bits = found
    if len(body) * 8 < at + bits:
        return False
    pair = int.from_bytes(body[at // 8 : at // 8 + 2].ljust(2), "big")
    return pair >> (16 - at % 8 - bits) & ((1 << bits) - 1) == _UNSET
