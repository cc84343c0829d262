"""MQTT 3.1.1 packets: bytes in, values out, and back. Sans I/O.

Source: OASIS MQTT Version 3.1.1; the numbers in brackets are its sections. QoS 2 is not spoken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK = range(1, 5)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)
PACKET_MAX = 1 << 16
_FLAGS = {SUBSCRIBE: 2, UNSUBSCRIBE: 2}  # those that are not 0 [2.2.2]


class MalformedError(ValueError):
    """A peer sent what is not MQTT 3.1.1, or what this broker does not speak."""


@dataclass(frozen=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True)
class Connect:
    """The first packet of a client [3.1]."""

    client_id: str
    clean: bool = True
    keepalive_s: int = 0
    will: Message | None = None
    user: str | None = None
    password: bytes | None = None
    level: int = 4


@dataclass(frozen=True)
class Publish:
    """A message on its way; `mid` is 0 with QoS 0 [3.3]."""

    message: Message
    mid: int = 0
    again: bool = False


@dataclass(frozen=True)
class Ack:
    """PUBACK or UNSUBACK."""

    kind: int
    mid: int


@dataclass(frozen=True)
class Subscribe:
    """Filters with the QoS that is asked for [3.8]."""

    mid: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Unsubscribe:
    """Filters to forget [3.10]."""

    mid: int
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Plain:
    """PINGREQ, PINGRESP or DISCONNECT: a packet without content."""

    kind: int


Packet = Connect | Publish | Ack | Subscribe | Unsubscribe | Plain


class _Body:
    """The content of a packet, read from its start to its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, length: int) -> bytes:
        found = self._data[self._at : self._at + length]
        if len(found) < length:
            raise MalformedError("a packet ends too soon")
        self._at += length
        return found

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)

    def number(self, size: int = 2) -> int:
        return int.from_bytes(self.take(size), "big")

    def mid(self) -> int:
        found = self.number()
        if not found:
            raise MalformedError("packet identifier 0")  # [2.3.1]
        return found

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            found = self.binary().decode()
        except UnicodeDecodeError:
            raise MalformedError("a text is not UTF-8") from None
        if "\0" in found:
            raise MalformedError("a text with U+0000")  # [1.5.3]
        return found


def check_topic(topic: str) -> str:
    """Return the name of a topic [4.7]. Raises MalformedError."""
    if not topic or "+" in topic or "#" in topic:
        raise MalformedError(f"no topic: {topic!r}")
    return topic


def check_filter(pattern: str) -> str:
    """Return the filter of a subscription [4.7.1]. Raises MalformedError."""
    levels = pattern.split("/")
    for n, level in enumerate(levels):
        alone = len(level) == 1 and (level == "+" or n == len(levels) - 1)
        if ("+" in level or "#" in level) and not alone:
            raise MalformedError(f"no filter: {pattern!r}")
    if not pattern:
        raise MalformedError("an empty filter")
    return pattern


def matches(pattern: str, topic: str) -> bool:
    """Whether a subscription to `pattern` gets what is published on `topic` [4.7]."""
    wanted, there = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted.pop()
        there = there[: len(wanted)]  # the level above is meant too
    return len(wanted) == len(there) and all(
        one in ("+", other) for one, other in zip(wanted, there, strict=True)
    )


def split(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole packets out of the front of `buffer`: first byte, content [2.2].

    Raises MalformedError for one of more than PACKET_MAX bytes.
    """
    while True:
        size = shift = 0
        at = 1
        while True:
            if at >= len(buffer):
                return
            size |= (buffer[at] & 0x7F) << shift
            shift += 7
            at += 1
            if buffer[at - 1] < 0x80:
                break
            if shift > 21:
                raise MalformedError("a length of more than four bytes")
        if size > PACKET_MAX:
            raise MalformedError(f"a packet of {size} bytes")
        if len(buffer) < at + size:
            return
        found = buffer[0], bytes(buffer[at : at + size])
        del buffer[: at + size]
        yield found


def decode(first: int, content: bytes) -> Packet:
    """Return what a client's packet says. Raises MalformedError."""
    kind, flags = first >> 4, first & 15
    body = _Body(content)
    found: Packet
    if kind == PUBLISH:
        return _publish(flags, body)
    if flags != _FLAGS.get(kind, 0):
        raise MalformedError(f"packet {kind} with the flags {flags}")
    if kind == CONNECT:
        found = _connect(body)
    elif kind == PUBACK:
        found = Ack(kind, body.mid())
    elif kind == SUBSCRIBE:
        mid = body.mid()
        filters: list[tuple[str, int]] = []
        while body or not filters:
            filters.append((check_filter(body.text()), body.number(1)))
            if filters[-1][1] > 2:
                raise MalformedError("no such QoS")
        found = Subscribe(mid, tuple(filters))
    elif kind == UNSUBSCRIBE:
        mid = body.mid()
        names: list[str] = []
        while body or not names:
            names.append(check_filter(body.text()))
        found = Unsubscribe(mid, tuple(names))
    elif kind in (PINGREQ, DISCONNECT):
        found = Plain(kind)
    else:
        raise MalformedError(f"no packet of a client: {kind}")
    if body:
        raise MalformedError(f"packet {kind} is too long")
    return found


def _connect(body: _Body) -> Connect:
    if body.text() != "MQTT":
        raise MalformedError("not MQTT")
    level, flags, keepalive_s = body.number(1), body.number(1), body.number()
    qos, has_will = flags >> 3 & 3, flags >> 2 & 1
    if level != 4:  # what follows is another version's
        body.rest()
        return Connect("", level=level)
    # [3.1.2.3] to [3.1.2.9]
    if flags & 1 or qos > 2 or (flags & 0x38 and not has_will) or flags & 0xC0 == 0x40:
        raise MalformedError(f"CONNECT with the flags {flags:#04x}")
    client_id = body.text()
    will = None
    if has_will:
        if qos == 2:
            raise MalformedError("QoS 2")
        will = Message(check_topic(body.text()), body.binary(), qos, bool(flags & 0x20))
    user = body.text() if flags & 0x80 else None
    password = body.binary() if flags & 0x40 else None
    return Connect(client_id, bool(flags & 2), keepalive_s, will, user, password)


def _publish(flags: int, body: _Body) -> Publish:
    qos, again = flags >> 1 & 3, bool(flags & 8)
    if qos > 1 or (again and not qos):
        raise MalformedError(f"PUBLISH with the flags {flags}")
    topic = check_topic(body.text())
    mid = body.mid() if qos else 0
    return Publish(Message(topic, body.rest(), qos, bool(flags & 1)), mid, again)


def _frame(first: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size, head = len(content), bytearray([first])
    while True:
        head.append(size & 0x7F | (0x80 if size > 0x7F else 0))
        size >>= 7
        if not size:
            return bytes(head) + content


def _text(data: str | bytes) -> bytes:
    if isinstance(data, str):
        data = data.encode()
    return len(data).to_bytes(2, "big") + data


def connack(present: bool, code: int = 0) -> bytes:
    """Return the answer to a CONNECT [3.2]."""
    return _frame(CONNACK << 4, bytes([present, code]))


def suback(mid: int, codes: list[int]) -> bytes:
    """Return the answer to a SUBSCRIBE [3.9]."""
    return _frame(SUBACK << 4, mid.to_bytes(2, "big"), bytes(codes))


def encode(packet: Packet) -> bytes:
    """Return a packet's bytes."""
    if isinstance(packet, Plain):
        return _frame(packet.kind << 4)
    if isinstance(packet, Ack):
        return _frame(packet.kind << 4, packet.mid.to_bytes(2, "big"))
    if isinstance(packet, Publish):
        message = packet.message
        first = PUBLISH << 4 | packet.again << 3 | message.qos << 1 | message.retain
        mid = packet.mid.to_bytes(2, "big") if message.qos else b""
        return _frame(first, _text(message.topic), mid, message.payload)
    if isinstance(packet, Subscribe):
        parts = [_text(name) + bytes([qos]) for name, qos in packet.filters]
        return _frame(SUBSCRIBE << 4 | 2, packet.mid.to_bytes(2, "big"), *parts)
    if isinstance(packet, Unsubscribe):
        return _frame(
            UNSUBSCRIBE << 4 | 2, packet.mid.to_bytes(2, "big"), *map(_text, packet.filters)
        )
    return _frame(CONNECT << 4, *_connect_parts(packet))


def _connect_parts(packet: Connect) -> Iterator[bytes]:
    will = packet.will
    flags = packet.clean << 1
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
    flags |= (packet.user is not None) << 7 | (packet.password is not None) << 6
    yield _text("MQTT") + bytes([packet.level, flags]) + packet.keepalive_s.to_bytes(2, "big")
    yield _text(packet.client_id)
    if will is not None:
        yield _text(will.topic) + _text(will.payload)
    for given in (packet.user, packet.password):
        if given is not None:
            yield _text(given)
