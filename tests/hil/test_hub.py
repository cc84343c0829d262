"""The broker of the virtual clock: its packets, its rules, and paho-mqtt's opinion of it."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.virtual import packets
from lampione_hil.virtual.hub import Hub
from lampione_hil.virtual.packets import (
    DISCONNECT,
    PINGREQ,
    PUBACK,
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
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import wait_until

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TOPIC = TEXT.filter(lambda t: t and not set(t) & {"+", "#"})
FILTER = st.lists(st.sampled_from(["+", "a", "b", "", "$x"]), min_size=1, max_size=4).map(
    lambda levels: "/".join(levels) or "#"
)
MID = st.integers(1, 65535)
MESSAGE = st.builds(Message, TOPIC, st.binary(max_size=300), st.integers(0, 1), st.booleans())
CREDENTIALS = st.one_of(
    st.tuples(st.none(), st.none()), st.tuples(TEXT, st.one_of(st.none(), st.binary(max_size=9)))
)
PACKET: st.SearchStrategy[Packet] = st.one_of(
    st.builds(
        lambda client, clean, keepalive, will, both: Connect(client, clean, keepalive, will, *both),
        TEXT,
        st.booleans(),
        st.integers(0, 65535),
        st.one_of(st.none(), MESSAGE),
        CREDENTIALS,
    ),
    st.builds(
        lambda message, mid, again: Publish(
            message, mid if message.qos else 0, again and message.qos > 0
        ),
        MESSAGE,
        MID,
        st.booleans(),
    ),
    st.builds(Ack, st.just(PUBACK), MID),
    st.builds(
        Subscribe,
        MID,
        st.lists(st.tuples(FILTER, st.integers(0, 2)), min_size=1, max_size=4).map(tuple),
    ),
    st.builds(Unsubscribe, MID, st.lists(FILTER, min_size=1, max_size=4).map(tuple)),
    st.sampled_from([Plain(PINGREQ), Plain(DISCONNECT)]),
)
S = 1_000_000


def taken_apart(data: bytes) -> list[Packet]:
    return [packets.decode(*cut) for cut in packets.split(bytearray(data))]


@given(st.lists(PACKET, max_size=6), st.integers(1, 50))
def test_packets_come_back_whole_however_they_are_cut(given_: list[Packet], piece: int) -> None:
    data = b"".join(map(packets.encode, given_))
    buffer, found = bytearray(), []
    for at in range(0, len(data), piece):
        buffer += data[at : at + piece]
        found += [packets.decode(*cut) for cut in packets.split(buffer)]
    assert found == given_
    assert not buffer


@given(st.lists(st.one_of(st.binary(max_size=40), PACKET.map(packets.encode)), max_size=8))
def test_whatever_comes_one_client_harms_no_other(given_: list[bytes]) -> None:
    hub = Hub()
    good = Client(hub, 1, "good")
    good.says(Subscribe(1, (("news", 1),)))
    hub.opened(2, 0)
    for data in given_:
        hub.received(2, data, 1)
    assert 1 not in [number for number, data in hub.take() if data is None]
    hub.publish("", Message("news", b"yes", 1), 2)
    assert any(isinstance(p, Publish) and p.message.payload == b"yes" for p in good.hears())


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x0a\x00\x00",  # reserved flag
        b"\x10\x0c\x00\x04MQTT\x04\x42\x00\x0a\x00\x00",  # a password without a user
        b"\x10\x0c\x00\x04MQIT\x04\x02\x00\x0a\x00\x00",
        b"\x31\x05\x00\x03a/#x",  # a wildcard in a topic
        b"\x36\x06\x00\x01a\x00\x01x",  # QoS 3
        b"\x32\x06\x00\x01a\x00\x00x",  # packet identifier 0
        b"\x38\x04\x00\x01ax",  # again, with QoS 0
        b"\x30\x03\x00\x01\xff",
        b"\x30\x03\x00\x01\x00",
        b"\x80\x06\x00\x01\x00\x01a\x00",  # wrong flags
        b"\x82\x06\x00\x01\x00\x01a\x03",
        b"\x82\x02\x00\x01",
        b"\x82\x07\x00\x01\x00\x02a#\x00",
        b"\xf0\x00",
        b"\xff\xff\xff\xff\xff\x01",
        b"\x30\xff\xff\xff\x7f",
    ],
)
def test_what_is_not_mqtt_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        taken_apart(data)


@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        # The examples of the standard, 4.7.1 and 4.7.2
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/x", True),
    ],
)
def test_wildcards(pattern: str, topic: str, fits: bool) -> None:
    assert packets.matches(packets.check_filter(pattern), topic) is fits


class Client:
    """A client at a hub without a network."""

    def __init__(self, hub: Hub, number: int, name: str, now_us: int = 0, **about: object) -> None:
        self.hub = hub
        self.number = number
        hub.opened(number, now_us)
        self.says(Connect(name, **about), now_us)  # type: ignore[arg-type]
        self.buffer = bytearray()

    def says(self, packet: Packet, now_us: int = 0) -> None:
        self.hub.received(self.number, packets.encode(packet), now_us)

    def raw(self) -> tuple[bytes, bool]:
        """Return what was sent to this client, and whether it was cut off; forget the rest."""
        out = [data for number, data in self.hub.take() if number == self.number]
        return b"".join(data for data in out if data is not None), None in out

    def hears(self) -> list[Packet]:
        found = []
        buffer = bytearray(self.raw()[0])
        for first, content in packets.split(buffer):
            with contextlib.suppress(MalformedError):  # a CONNACK or a SUBACK
                found.append(packets.decode(first, content))
        return found


def payloads(found: list[Packet]) -> list[tuple[bytes, int, bool, bool]]:
    return [
        (p.message.payload, p.message.qos, p.message.retain, p.again)
        for p in found
        if isinstance(p, Publish)
    ]


def test_a_session_outlives_its_connection() -> None:
    hub = Hub()
    one = Client(hub, 1, "one", clean=False)
    one.says(Subscribe(1, (("+/x", 1),)))
    hub.publish("", Message("a/x", b"seen", 1), 1)
    assert payloads(one.hears()) == [(b"seen", 1, False, False)]
    hub.lost(1, 2)
    hub.publish("", Message("a/x", b"kept", 1), 3)
    hub.publish("", Message("a/x", b"lost", 0), 3)
    again = Client(hub, 2, "one", clean=False)
    data, _ = again.raw()
    assert data.startswith(packets.connack(True))
    found = taken_apart(data[4:])
    assert payloads(found) == [(b"seen", 1, False, True), (b"kept", 1, False, False)]
    for packet in found:
        assert isinstance(packet, Publish)
        again.says(Ack(PUBACK, packet.mid))
    hub.lost(2, 4)
    assert Client(hub, 3, "one", clean=False).raw() == (packets.connack(True), False)
    hub.lost(3, 5)
    assert Client(hub, 4, "one", clean=True).raw() == (packets.connack(False), False)


def test_silence_ends_a_connection_and_its_will_is_published() -> None:
    hub = Hub()
    watcher = Client(hub, 1, "watcher")
    watcher.says(Subscribe(1, (("state/#", 0),)))
    will = Message("state/one", b"off", 1, retain=True)
    one = Client(hub, 2, "one", keepalive_s=10, will=will)
    one.says(Plain(PINGREQ), 8 * S)
    assert hub.due_us() == 23 * S
    hub.tick(23 * S - 1)
    assert not payloads(watcher.hears())
    hub.tick(23 * S)
    assert payloads(watcher.hears()) == [(b"off", 0, False, False)]
    late = Client(hub, 3, "late")
    late.says(Subscribe(1, (("state/one", 1),)))
    assert payloads(late.hears()) == [(b"off", 1, True, False)]
    assert hub.refused == ["one: silent for too long"]


def test_a_goodbye_has_no_will_and_a_second_self_does() -> None:
    hub = Hub()
    will = Message("state/one", b"off")
    Client(hub, 1, "one", will=will).says(Plain(DISCONNECT))
    assert not hub.publications
    Client(hub, 2, "one", will=will)
    second = Client(hub, 3, "one", will=will)
    assert [said.payload for said in hub.publications] == [b"off"]
    assert (2, None) in list(hub.take())
    second.says(Publish(Message("a", b"b")))
    assert hub.publications[-1][1:4] == ("one", "a", b"b")


def test_so_many_in_flight_and_no_more() -> None:
    hub = Hub()
    one = Client(hub, 1, "one")
    one.says(Subscribe(1, (("a", 1),)))
    for n in range(50):
        hub.publish("", Message("a", b"%d" % n, 1), 0)
    seen = []
    while found := [p for p in one.hears() if isinstance(p, Publish)]:
        assert len(found) <= 20
        for packet in found:
            seen.append(int(packet.message.payload))
            one.says(Ack(PUBACK, packet.mid))
    assert seen == list(range(50))


@contextlib.contextmanager
def served() -> Iterator[tuple[Hub, int]]:
    """Serve a hub on a loopback socket; yield it and the port."""
    hub, selector, over = Hub(), selectors.DefaultSelector(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    selector.register(listener, selectors.EVENT_READ)
    clients: dict[int, socket.socket] = {}

    def serve() -> None:
        while not over.is_set():
            now_us = time.monotonic_ns() // 1000
            for key, _ in selector.select(0.02):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                if client is listener:
                    client = listener.accept()[0]
                    selector.register(client, selectors.EVENT_READ)
                    clients[client.fileno()] = client
                    hub.opened(client.fileno(), now_us)
                    continue
                number, data = client.fileno(), b""
                with contextlib.suppress(OSError):
                    data = client.recv(65536)
                if data:
                    hub.received(number, data, now_us)
                else:
                    end(number)
                    hub.lost(number, now_us)
            hub.tick(now_us)
            for number, answer in hub.take():
                if answer is None:
                    end(number)
                elif number in clients:
                    clients[number].sendall(answer)

    def end(number: int) -> None:
        client = clients.pop(number, None)
        if client is not None:
            selector.unregister(client)
            client.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield hub, listener.getsockname()[1]
    finally:
        over.set()
        thread.join()
        for client in (listener, *clients.values()):
            client.close()
        selector.close()


class Paho:
    """paho-mqtt at a port."""

    def __init__(self, port: int, name: str, clean: bool = True) -> None:
        self.got: list[tuple[str, bytes, int, bool]] = []
        self.present: list[bool] = []
        self.granted: list[int] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, name, clean_session=clean)
        self.client.on_message = lambda _c, _d, m: self.got.append(
            (m.topic, bytes(m.payload), m.qos, bool(m.retain))
        )
        self.client.on_connect = lambda _c, _d, flags, *_: self.present.append(
            flags.session_present
        )
        self.client.on_subscribe = lambda _c, _d, _m, codes, *_: self.granted.extend(
            code.value for code in codes
        )
        self.client.will_set("state/" + name, b"gone", 1, retain=True)
        self.client.connect("127.0.0.1", port, keepalive=5)
        self.client.loop_start()
        wait_until("a CONNACK", lambda: self.present)

    def subscribe(self, *filters: tuple[str, int]) -> None:
        self.granted.clear()
        self.client.subscribe(list(filters))
        wait_until("a SUBACK", lambda: self.granted)

    def say(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        self.client.publish(topic, payload, qos, retain).wait_for_publish(10)

    def die(self) -> None:
        """End without a goodbye."""
        self.client.loop_stop()
        raw = self.client.socket()
        assert raw is not None
        raw.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_paho_is_content() -> None:
    with served() as (hub, port):
        watcher = Paho(port, "watcher", clean=False)
        watcher.subscribe(("up/+", 1), ("state/#", 0))
        assert watcher.granted == [1, 0]
        node = Paho(port, "node")
        node.say("up/node", b"\0" * 5000)
        node.say("up/node", b"light", qos=0)
        node.say("state/node", b"here", retain=True)
        wait_until("three messages", lambda: len(watcher.got) == 3)
        assert watcher.got[0] == ("up/node", b"\0" * 5000, 1, False)
        assert watcher.got[1] == ("up/node", b"light", 0, False)
        assert watcher.got[2] == ("state/node", b"here", 0, False)
        watcher.close()
        node.say("up/node", b"later")
        node.die()
        wait_until("the will", lambda: hub.publications[-1].payload == b"gone")
        again = Paho(port, "watcher", clean=False)
        assert again.present == [True]
        wait_until("what has waited", lambda: again.got)
        assert again.got == [("up/node", b"later", 1, False)]
        again.subscribe(("state/node", 1))
        wait_until("what is retained", lambda: len(again.got) == 2)
        assert again.got[1] == ("state/node", b"gone", 1, True)
        again.close()
        assert hub.refused == []
