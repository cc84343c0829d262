"""The MQTT session by itself: any chunks, any rubbish, a broker that says nothing."""

import math
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione import keys
from lampione.broker_url import BrokerUrl
from lampione.core.core import Core
from lampione.core.folder import StateFolder
from lampione.ingest import session as module
from lampione.ingest.session import Received, Session
from lampione.store.sqlite.writer import SqliteStore

CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x04\x00\x01\x01\x01"
PINGRESP = b"\xd0\x00"


@contextmanager
def connected() -> Iterator[tuple[Session, socket.socket]]:
    """A session and the broker's end of its connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        session = Session(BrokerUrl("127.0.0.1", listener.getsockname()[1]), "test")
        session.connect()
        wire, _ = listener.accept()
        try:
            yield session, wire
        finally:
            session.close()
            wire.close()


def give(session: Session, wire: socket.socket, data: bytes, limit: int = 10_000) -> None:
    """Send, and read until the socket is empty."""
    wire.sendall(data)
    deadline = time.monotonic() + 5
    waiting = len(data)
    while waiting > 0 and session.error is None and time.monotonic() < deadline:
        before = session._client.unread, session._client.read_at
        session.read(limit)
        waiting = 0 if (session._client.unread, session._client.read_at) == before else 1


def publish(topic: str, payload: bytes, mid: int) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic.encode()
    body += (mid.to_bytes(2, "big") if mid else b"") + payload
    size = bytearray()
    left = len(body)
    while True:
        left, low = left >> 7, left & 127
        size.append(low | (128 if left else 0))
        if not left:
            return bytes([0x32 if mid else 0x30]) + bytes(size) + body


messages = st.lists(
    st.tuples(
        st.text("ab/", min_size=1, max_size=20),
        st.binary(max_size=60) | st.binary(min_size=120, max_size=300),
        st.integers(0, 65535),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(messages, st.lists(st.integers(1, 90), max_size=40), st.data())
def test_any_chunks_give_the_same_messages(
    sent: list[tuple[str, bytes, int]], sizes: list[int], data: st.DataObject
) -> None:
    stream = b""
    for message in sent:
        stream += publish(*message)
        if data.draw(st.booleans()):
            stream += PINGRESP
    with connected() as (session, wire):
        give(session, wire, CONNACK + SUBACK)
        at = 0
        for size in [*sizes, len(stream)]:
            give(session, wire, stream[at : at + size])
            at += size
        deadline = time.monotonic() + 5
        while len(session.received) < len(sent) and time.monotonic() < deadline:
            session.read(10_000)
        assert session.error is None
        assert session.ready
        assert list(session.received) == [
            Received(topic, payload[:52], mid) for topic, payload, mid in sent
        ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), st.booleans())
def test_rubbish_ends_the_connection_at_most(chunks: list[bytes], greeted: bool) -> None:
    with connected() as (session, wire):
        if greeted:
            give(session, wire, CONNACK + SUBACK)
        for chunk in chunks:
            if session.error is None:
                give(session, wire, chunk)
        assert session.error is None or session.fileno() == -1


def test_acknowledgements_go_out_and_not_after_the_end() -> None:
    with connected() as (session, wire):
        give(session, wire, CONNACK + SUBACK + publish("a", b"x", 7) + publish("a", b"y", 0x102))
        wire.settimeout(5)
        wire.recv(4096)  # CONNECT, SUBSCRIBE
        session.acknowledge([message.mid for message in session.received])
        assert wire.recv(4096) == b"\x40\x02\x00\x07\x40\x02\x01\x02"
        wire.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 5
        while session.error is None and time.monotonic() < deadline:
            session.read(10)
        assert session.error == "the broker ended the connection"
        session.acknowledge([1])
        assert not session.wants_write


def test_of_what_is_too_long_only_the_start_is_kept() -> None:
    """By both ways in: our own parser, and paho for what comes between other packets."""
    with connected() as (session, wire):
        give(session, wire, CONNACK + SUBACK)
        give(session, wire, publish("a/" * 30_000, b"x", 1))
        for mid in (2, 3):
            give(session, wire, publish("a", bytes(200_000), mid))
        session._on_message(session._client, None, large())
        sizes = [(len(r.topic), len(r.payload), r.mid) for r in session.received]
    assert sizes == [(256, 1, 1), (1, 52, 2), (1, 52, 3), (256, 52, 4)]


def large() -> mqtt.MQTTMessage:
    """A message as paho hands it over."""
    message = mqtt.MQTTMessage(4, b"t" * 60_000)
    message.qos = 1
    message.payload = bytes(200_000)
    return message


def test_what_is_left_in_the_buffer_is_not_waited_for(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    keys.new(folder.keys, ["a-1"])
    core = Core(folder, SqliteStore(folder.database), BrokerUrl("127.0.0.1", 1), "test")
    try:
        with connected() as (session, wire):
            core._links["test"].session = session
            core._tick_at = math.inf
            give(session, wire, CONNACK + SUBACK)
            assert (session.more, core._until(100.0) > 100.0) == (False, True)
            wire.sendall(b"".join(publish("a", b"", n + 1) for n in range(50)))
            read_some(session, 20)
            assert (session.more, core._until(100.0)) == (True, 100.0)
            session.received.clear()
            while session.more:
                session.read(100)
            assert len(session.received) == 30
            assert core._until(100.0) > 100.0
            core._session = None
    finally:
        core.stop()


def read_some(session: Session, limit: int) -> None:
    """Read until something has come."""
    while not session.received:
        select.select([session], [], [], 5)
        session.read(limit)


def test_the_limit_is_kept() -> None:
    with connected() as (session, wire):
        give(session, wire, CONNACK + SUBACK)
        wire.sendall(publish("a", b"x", 1) * 50)
        deadline = time.monotonic() + 5
        while len(session.received) < 10 and time.monotonic() < deadline:
            session.read(10)
        session.read(10)
        assert len(session.received) == 10


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_refusal_is_said(code: int) -> None:
    with connected() as (session, wire):
        give(session, wire, bytes([0x20, 2, 0, code]))
        assert session.error is not None
        assert "refuses the session" in session.error


def test_a_refused_subscription_is_said() -> None:
    with connected() as (session, wire):
        give(session, wire, CONNACK + b"\x90\x04\x00\x01\x01\x80")
        assert session.error is not None
        assert "subscription" in session.error


def test_a_broker_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEPALIVE_S", 1)
    with connected() as (session, _):
        deadline = time.monotonic() + 10
        while session.error is None and time.monotonic() < deadline:
            session.read(10)
            session.tick(time.monotonic())
        assert session.error is not None


@given(
    size=st.integers(65_000, 3_000_000),
    qos_mid=st.sampled_from([0, 7]),
    cut=st.integers(10_000, 400_000),
)
@settings(max_examples=10, deadline=None)
def test_a_packet_of_any_size_is_skipped_and_acknowledged(
    size: int, qos_mid: int, cut: int
) -> None:
    with connected() as (session, wire):
        big = publish("lampione/v1/test/a/up", bytes(size), qos_mid)
        data = CONNACK + big + publish("lampione/v1/test/b/up", b"after", 8)
        for at in range(0, len(data), cut):
            give(session, wire, data[at : at + cut])
        deadline = time.monotonic() + 10
        while len(session.received) < 2 and time.monotonic() < deadline:
            select.select([session.fileno()], [], [], 1)
            session.read(10)
        assert session.error is None
        assert [(r.topic[-4:], r.mid) for r in session.received] == [("a/up", qos_mid), ("b/up", 8)]
        assert len(session.received[0].payload) < 100
        assert session.received[1].payload == b"after"
        assert len(session._client.unread) < 200_000
