"""Frames: what goes over the air, sealed. Headers, keys and nonces; the cipher is in `ccm`.

    up     [version 3 | type 5][epoch 4][boot 2][seq 3]        text, tag 8     key K_up(epoch)
    hello  [version 3 | type 5][random 9]                      text, tag 8     key K_hello
    down   [version 3 | type 5][epoch 4][session 4][counter 4] text, tag 8     key K_down(epoch)
    group  [version 3 | type 5][epoch 4][member 2][seq 3]      text, tag 8     key K_wave

The nonce is the header, filled with zeros to 13 bytes; associated data are the header and the
node's id. Each node has one secret of 32 bytes, K_node; every key is drawn from it by
HMAC-SHA256, so no two directions, epochs or nodes share one. A group of nodes has a secret of 16
bytes, and K_wave is drawn from that: whoever steals a node can raise its group's light, no more.

No nonce repeats: a node draws its epoch at random at *every* boot, since it cannot know whether
its flash is an old image of itself; within an epoch `seq` rises. Downwards `session` is drawn at
random at every start of the controller and `counter` rises within it. A hello's nonce is random.
"""

import hashlib

from lampione_protocol.errors import (
    EpochError,
    RangeError,
    TooLongError,
    TruncatedError,
    VersionError,
)
from lampione_protocol.schema import WIRE_VERSION

KEY_BYTES = 32  # of K_node
UP_HEADER = 10
HELLO_HEADER = 10
DOWN_HEADER = 13
TAG_BYTES = 8
FRAME_MAX = 51  # the largest LoRaWAN payload at DR0; no frame of ours is larger
EPOCH_BYTES = 4
COUNTER_MAX = 2147483646  # of commands: what `Hello` and `Result` can say of one


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC (RFC 2104) with SHA-256, for keys of 64 bytes or fewer; MicroPython has none."""
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]))
    inner.update(message)
    outer = hashlib.sha256(bytes([b ^ 0x5C for b in key]))
    outer.update(inner.digest())
    return outer.digest()


def up_key(node_key: bytes, epoch: bytes) -> bytes:
    """Return K_up, 16 bytes, of an epoch."""
    return hmac_sha256(node_key, b"lampione up" + epoch)[:16]


def down_key(node_key: bytes, epoch: bytes) -> bytes:
    """Return K_down, 16 bytes, of an epoch."""
    return hmac_sha256(node_key, b"lampione down" + epoch)[:16]


def hello_key(node_key: bytes) -> bytes:
    """Return K_hello, 16 bytes."""
    return hmac_sha256(node_key, b"lampione hello")[:16]


def wave_key(group_key: bytes) -> bytes:
    """Return K_wave, 16 bytes, of a group's secret."""
    return hmac_sha256(group_key, b"lampione wave")[:16]


def first_byte(message_type: int) -> int:
    """Return a frame's first byte."""
    return WIRE_VERSION << 5 | message_type


def message_type(frame: "bytes | bytearray", header_bytes: int) -> int:
    """Return a frame's type, the first look at anything received.

    Raises TruncatedError and VersionError.
    """
    if len(frame) < header_bytes + TAG_BYTES:
        raise TruncatedError("frame", header_bytes + TAG_BYTES, len(frame))
    if frame[0] >> 5 != WIRE_VERSION:
        raise VersionError(WIRE_VERSION, frame[0] >> 5)
    return frame[0] & 31


def nonce(frame: "bytes | bytearray", header_bytes: int) -> bytes:
    """Return a frame's nonce."""
    return bytes(frame[:header_bytes]) + bytes(13 - header_bytes)


class UpSealer:
    """The node's side upwards: seals a message that lies in a buffer behind its header.

    Args:
        ccm: over K_up of this epoch.
        node: the node's id.
        epoch: 4 bytes.
        boot: 0 to 65534.

    A group's frame has the same shape: with K_wave, the group's name, the sender's epoch and its
    member number.
    """

    def __init__(self, ccm, node: bytes, epoch: bytes, boot: int):  # type: ignore[no-untyped-def]
        self._ccm = ccm
        self._header = bytearray(UP_HEADER)
        self._header[1:5] = epoch
        self._header[5] = boot >> 8
        self._header[6] = boot & 255
        self._nonce = bytearray(13)
        self._ad = bytearray(UP_HEADER + len(node))
        self._ad[UP_HEADER:] = node

    def seal(self, kind: int, seq: int, buf: bytearray, end: int) -> int:
        """Seal `buf[UP_HEADER:end]` as type `kind`, number `seq`; return the frame's end."""
        header = self._header
        header[0] = first_byte(kind)
        header[7] = seq >> 16
        header[8] = seq >> 8 & 255
        header[9] = seq & 255
        for i in range(UP_HEADER):
            buf[i] = self._nonce[i] = self._ad[i] = header[i]
        return self._ccm.seal(self._nonce, self._ad, buf, UP_HEADER, end)


class DownOpener:
    """The node's side downwards: opens frames of its own epoch and no others."""

    def __init__(self, ccm, node: bytes, epoch: bytes):  # type: ignore[no-untyped-def]
        self._ccm = ccm
        self._node = node
        self._epoch = epoch

    def open(self, frame: bytearray) -> tuple:
        """Open a frame in place; return (type, counter, end), the text behind DOWN_HEADER.

        Raises TruncatedError, VersionError, TooLongError, EpochError, SealError.
        """
        kind = message_type(frame, DOWN_HEADER)
        if len(frame) > FRAME_MAX:
            raise TooLongError("frame", FRAME_MAX, len(frame))
        epoch = bytes(frame[1:5])
        if epoch != self._epoch:
            raise EpochError(self._epoch, epoch)
        header = bytes(frame[:DOWN_HEADER])
        end = self._ccm.open(header, header + self._node, frame, DOWN_HEADER, len(frame))
        return kind, int.from_bytes(header[9:13], "big"), end


def seal_hello(ccm, node: bytes, random9: bytes, kind: int, buf: bytearray, end: int) -> int:  # type: ignore[no-untyped-def]
    """Seal the hello in `buf[HELLO_HEADER:end]`; return the frame's end.

    Args:
        ccm: over K_hello.
        random9: 9 bytes from the system's random source, new for every hello.
    """
    buf[0] = first_byte(kind)
    buf[1:HELLO_HEADER] = random9
    header = bytes(buf[:HELLO_HEADER])
    return ccm.seal(nonce(header, HELLO_HEADER), header + node, buf, HELLO_HEADER, end)


def parse_up(frame: "bytes | bytearray") -> tuple:
    """Return (type, epoch, boot, seq) of a frame from a node, unauthenticated.

    Raises TruncatedError and VersionError.
    """
    kind = message_type(frame, UP_HEADER)
    return (
        kind,
        bytes(frame[1:5]),
        frame[5] << 8 | frame[6],
        frame[7] << 16 | frame[8] << 8 | frame[9],
    )


def down_header(kind: int, epoch: bytes, session: bytes, counter: int) -> bytes:
    """Return the header of a frame to a node, which is its nonce too.

    Raises RangeError for a counter outside 0 to COUNTER_MAX.
    """
    if not 0 <= counter <= COUNTER_MAX:
        raise RangeError("counter", counter, 0, COUNTER_MAX)
    return bytes([first_byte(kind)]) + epoch + session + counter.to_bytes(4, "big")
