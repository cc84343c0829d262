"""An MQTT 3.1.1 broker as a state machine, for boards on the virtual clock.

Bytes and times in, bytes out; no socket and no clock of its own. It is a broker that forgives
nothing: whoever sends what is not MQTT 3.1.1 is cut off. QoS 0 and 1, retained messages, wills,
sessions that outlive their connection, wildcards, keep-alive. Any user and password will do.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from lampione_hil.virtual import packets
from lampione_hil.virtual.packets import (
    PINGREQ,
    PINGRESP,
    UNSUBACK,
    Ack,
    Connect,
    MalformedError,
    Message,
    Packet,
    Plain,
    Publish,
    Subscribe,
    Unsubscribe,
)
from lampione_hil.virtual.sessions import Session

BENCH = ""  # the client that the bench itself is
KEPT = 1_000_000  # publications that can be looked at
_HELLO_US = 20_000_000  # a connection without a CONNECT ends after so long
_BAD_VERSION, _BAD_ID = 1, 2  # [3.2.2.3]


class Publication(NamedTuple):
    """What a client published: when it came to the hub, who (BENCH: the bench), what."""

    us: int
    client: str
    topic: str
    payload: bytes
    retained: bool


class _Peer:
    """One connection."""

    def __init__(self, now_us: int) -> None:
        self.buffer = bytearray()
        self.session: Session | None = None
        self.will: Message | None = None
        self.patience_us = _HELLO_US  # 0: for ever
        self.heard_us = now_us


class Hub:
    """The broker. What it has to say after each call is in `take()`."""

    def __init__(self) -> None:
        self.publications: list[Publication] = []
        self.digest = hashlib.sha256()  # of all publications ever
        self.skipped = 0  # the oldest publications that are not kept any more
        self.refused: list[str] = []  # why peers were cut off
        self._peers: dict[int, _Peer] = {}
        self._sessions: dict[str, Session] = {}
        self._retained: dict[str, Message] = {}
        self._out: list[tuple[int, bytes | None]] = []
        self._strangers = 0

    def take(self) -> Iterator[tuple[int, bytes | None]]:
        """Return what is to be sent (connection, bytes; None: close it), once."""
        out, self._out = self._out, []
        return iter(out)

    # Connections

    def opened(self, number: int, now_us: int) -> None:
        """A client has connected."""
        self._peers[number] = _Peer(now_us)

    def received(self, number: int, data: bytes, now_us: int) -> None:
        """A client has sent something."""
        peer = self._peers.get(number)
        if peer is None:
            return
        peer.buffer += data
        try:
            for first, content in packets.split(peer.buffer):
                peer.heard_us = now_us
                self._handle(number, peer, packets.decode(first, content), now_us)
                if number not in self._peers:
                    return
        except MalformedError as error:
            self._cut(number, str(error), now_us)

    def lost(self, number: int, now_us: int) -> None:
        """A connection has ended: without a DISCONNECT its will is published."""
        peer = self._peers.pop(number, None)
        if peer is None or peer.session is None:
            return
        session = peer.session
        session.connection = None
        if session.clean:
            del self._sessions[session.client_id]
        if peer.will is not None:
            self.publish(session.client_id, peer.will, now_us)

    def stop(self) -> None:
        """Cut everybody off, as a broker that ends; sessions and retained messages are kept."""
        for number, peer in self._peers.items():
            self._out.append((number, None))
            if peer.session is not None:
                peer.session.connection = None
                if peer.session.clean:
                    del self._sessions[peer.session.client_id]
        self._peers.clear()

    # Time

    def due_us(self) -> int | None:
        """When `tick` has something to do, unless somebody is heard before; None: never."""
        ends = (p.heard_us + p.patience_us for p in self._peers.values() if p.patience_us)
        return min(ends, default=None)

    def tick(self, now_us: int) -> None:
        """Cut off those that were silent for too long [3.1.2.10]."""
        for number, peer in list(self._peers.items()):
            if peer.patience_us and peer.heard_us + peer.patience_us <= now_us:
                self._cut(number, "silent for too long", now_us)

    # Messages

    def publish(self, client: str, message: Message, now_us: int) -> None:
        """Pass a message on to all who subscribe to its topic, and keep it if it is retained."""
        said = Publication(now_us, client, message.topic, message.payload, message.retain)
        self.publications.append(said)
        self.digest.update(repr(said).encode())
        if len(self.publications) > KEPT:
            gone = KEPT // 10
            del self.publications[:gone]
            self.skipped += gone
        if message.retain:
            if message.payload:
                self._retained[message.topic] = message
            else:
                self._retained.pop(message.topic, None)
        for session in list(self._sessions.values()):
            qos = session.wants(message.topic)
            if qos is not None:
                fresh = replace(message, qos=min(qos, message.qos), retain=False)
                self._send(session, session.give(fresh))

    def _send(self, session: Session, found: list[Publish]) -> None:
        if session.connection is not None:
            self._out += [(session.connection, packets.encode(packet)) for packet in found]

    # Packets

    def _cut(self, number: int, why: str, now_us: int) -> None:
        peer = self._peers[number]
        name = "" if peer.session is None else peer.session.client_id
        self.refused.append(f"{name}: {why}")
        self._out.append((number, None))
        self.lost(number, now_us)

    def _handle(self, number: int, peer: _Peer, packet: Packet, now_us: int) -> None:
        session = peer.session
        if isinstance(packet, Connect):
            if session is not None:
                raise MalformedError("a second CONNECT")
            self._connect(number, peer, packet, now_us)
        elif session is None:
            raise MalformedError("no CONNECT")
        elif isinstance(packet, Publish):
            self.publish(session.client_id, packet.message, now_us)
            if packet.mid:
                self._out.append((number, packets.encode(Ack(packets.PUBACK, packet.mid))))
        elif isinstance(packet, Ack):
            self._send(session, session.acknowledged(packet.mid))
        elif isinstance(packet, Subscribe):
            self._subscribe(number, session, packet)
        elif isinstance(packet, Unsubscribe):
            for pattern in packet.filters:
                session.filters.pop(pattern, None)
            self._out.append((number, packets.encode(Ack(UNSUBACK, packet.mid))))
        elif packet.kind == PINGREQ:
            self._out.append((number, packets.encode(Plain(PINGRESP))))
        else:  # DISCONNECT
            peer.will = None
            self._out.append((number, None))
            self.lost(number, now_us)

    def _connect(self, number: int, peer: _Peer, packet: Connect, now_us: int) -> None:
        name = packet.client_id
        code = _BAD_VERSION if packet.level != 4 else 0
        if not code and not name:
            code = 0 if packet.clean else _BAD_ID
            self._strangers += 1
            name = f"stranger-{self._strangers}"
        if code:
            self._out.append((number, packets.connack(False, code)))
            self._cut(number, f"CONNECT refused with {code}", now_us)
            return
        session = self._sessions.get(name)
        if session is not None and session.connection is not None:
            self._cut(session.connection, f"{name} has connected again", now_us)
            session = self._sessions.get(name)
        present = session is not None and not packet.clean and not session.clean
        if session is None or not present:
            session = self._sessions[name] = Session(name, packet.clean)
        session.connection = number
        peer.session = session
        peer.will = packet.will
        peer.patience_us = packet.keepalive_s * 1_500_000
        self._out.append((number, packets.connack(present)))
        self._send(session, session.resumed())

    def _subscribe(self, number: int, session: Session, packet: Subscribe) -> None:
        codes = [min(qos, 1) for _, qos in packet.filters]
        for (pattern, _), qos in zip(packet.filters, codes, strict=True):
            session.filters[pattern] = qos
        self._out.append((number, packets.suback(packet.mid, codes)))
        for (pattern, _), qos in zip(packet.filters, codes, strict=True):
            for topic, message in self._retained.items():
                if packets.matches(pattern, topic):
                    kept = replace(message, qos=min(qos, message.qos))
                    self._send(session, session.give(kept))
