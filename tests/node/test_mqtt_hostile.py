"""The node's MQTT client against a peer that hangs, lies, floods or hangs up."""

import json
import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter

from tests.node.mqtt_peer import PATH, Node, NodeError

UP = "lampione/v1/porta/n001/up"
WELCOME = b"\x20\x02\x00\x00"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


@pytest.fixture
def node() -> Iterator[Node]:
    with Node() as running:
        yield running


def port(listener: socket.socket) -> int:
    number: int = listener.getsockname()[1]
    return number


def read_packet(sock: socket.socket) -> bytes:
    """Read one packet of less than 128 bytes."""
    head = sock.recv(2, socket.MSG_WAITALL)
    return head + (sock.recv(head[1], socket.MSG_WAITALL) if head[1:] and head[1] else b"")


def meet(node: Node, listener: socket.socket, **given: object) -> socket.socket:
    """Connect the node to this test as its broker."""
    given.setdefault("timeout_s", 1)
    settings = {"host": "127.0.0.1", "port": port(listener)}
    number = node.send("connect", settings=settings, client_id="n001", **given)
    sock, _ = listener.accept()
    sock.settimeout(20)
    read_packet(sock)
    sock.sendall(WELCOME)
    assert node.result(number) is False
    return sock


def message(payload: bytes, qos: int = 1, mid: int = 7, topic: bytes = b"down") -> bytes:
    """Return a PUBLISH."""
    body = len(topic).to_bytes(2) + topic + (mid.to_bytes(2) if qos else b"") + payload
    size = len(body)
    head = bytearray([0x30 | qos << 1])
    while True:
        size, digit = divmod(size, 128)
        head.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(head) + body


def test_what_is_written_is_what_the_standard_says(node: Node, listener: socket.socket) -> None:
    number = node.send(
        "connect",
        settings={"host": "127.0.0.1", "port": port(listener), "user": "u", "password": "pw"},
        client_id="n001",
        will=["w", "off", 1, True],
        keepalive_s=300,
    )
    sock, _ = listener.accept()
    with sock:
        sock.settimeout(20)
        assert read_packet(sock) == (
            b"\x10\x1f\x00\x04MQTT\x04\xec\x01\x2c"
            b"\x00\x04n001\x00\x01w\x00\x03off\x00\x01u\x00\x02pw"
        )
        sock.sendall(b"\x20\x02\x01\x00")
        assert node.result(number) is True
        number = node.send("subscribe", topic="t")
        assert read_packet(sock) == b"\x82\x06\x00\x01\x00\x01t\x01"
        sock.sendall(b"\x90\x03\x00\x01\x80")
        with pytest.raises(NodeError, match="MqttRefused: 128"):
            node.result(number)
        number = node.send("publish", topic="t", payload=b"hi".hex(), retain=True)
        assert read_packet(sock) == b"\x33\x07\x00\x01t\x00\x02hi"
        sock.sendall(b"\x40\x02\x00\x01\x40\x02\x00\x02")  # the first is for nobody
        node.result(number)
        node.do("publish", topic="t", payload=b"q0".hex(), qos=0)
        assert read_packet(sock) == b"\x30\x05\x00\x01tq0"
        sock.sendall(message(b"yes", mid=0x1234))
        assert node.message() == ("down", b"yes")
        assert read_packet(sock) == b"\x40\x02\x12\x34"
        number = node.send("close")
        assert read_packet(sock) == b"\xe0\x00"
        assert sock.recv(1) == b""
        node.result(number)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_refusal_carries_its_code(code: int, node: Node, listener: socket.socket) -> None:
    listener_port = port(listener)
    number = node.send(
        "connect", settings={"host": "127.0.0.1", "port": listener_port}, client_id="n001"
    )
    sock, _ = listener.accept()
    with sock:
        sock.sendall(b"\x20\x02\x00" + bytes([code]))
        with pytest.raises(NodeError) as caught:
            node.result(number)
        assert (caught.value.kind, caught.value.text) == ("MqttRefused", str(code))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (None, "MqttClosed"),  # hangs up at once
        (b"", "MqttTimeout"),  # says nothing
        (b"\x20", "MqttTimeout"),  # stops in the middle
        (b"\x20\x02\x00", "MqttTimeout"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, "MqttMalformed"),
        (b"\x20\xff\xff\xff\xff\x01", "MqttMalformed"),
        (b"\x20\x03\x00\x00\x00", "MqttMalformed"),
        (b"\xd0\x00", "MqttMalformed"),
        (b"\x30" * 2000, "MqttMalformed"),
    ],
)
def test_a_peer_that_is_no_broker(
    answer: bytes | None, kind: str, node: Node, listener: socket.socket
) -> None:
    address = {"host": "127.0.0.1", "port": port(listener)}
    number = node.send("connect", settings=address, client_id="n001", timeout_s=0.3)
    sock, _ = listener.accept()
    with sock:
        if answer is None:
            sock.close()
        else:
            sock.sendall(answer)
        with pytest.raises(NodeError) as caught:
            node.result(number)
        assert caught.value.kind == kind


def test_nobody_listens(node: Node, listener: socket.socket) -> None:
    unused = port(listener)
    listener.close()
    with pytest.raises(NodeError, match="MqttClosed"):
        node.connect(unused)


@pytest.mark.parametrize(
    ("rubbish", "kind"),
    [
        (b"\xff\xff\xff\xff\xff\xff", "MqttMalformed"),  # a length of five bytes
        (b"\x00\x00", "MqttMalformed"),  # type 0
        (b"\xf0\x00", "MqttMalformed"),  # type 15
        (b"\x36\x08\x00\x01t\x00\x01abc", "MqttMalformed"),  # QoS 3
        (b"\x34\x08\x00\x01t\x00\x01abc", "MqttMalformed"),  # QoS 2, never asked for
        (b"\x32\x08\x00\x01t\x00\x00abc", "MqttMalformed"),  # packet id 0
        (b"\x32\x03\x00\x01t", "MqttMalformed"),  # no packet id
        (b"\x30\x03\x00\x09t", "MqttMalformed"),  # a topic beyond the end
        (b"\x30\x00", "MqttMalformed"),
        (b"\x30\x04\x00\x02\xff\xfe", "MqttMalformed"),  # a topic that is no UTF-8
        (b"\x40\x03\x00\x01\x00", "MqttMalformed"),  # PUBACK of three bytes
        (b"\x40\x00", "MqttMalformed"),
        (b"\x90\x02\x00\x01", "MqttMalformed"),  # SUBACK without a code
        (b"\x20\x02\x00\x00", "MqttMalformed"),  # a second CONNACK
        (b"\x62\x02\x00\x01", "MqttMalformed"),  # PUBREL
    ],
)
def test_rubbish_ends_the_connection(
    rubbish: bytes, kind: str, node: Node, listener: socket.socket
) -> None:
    with meet(node, listener) as sock:
        number = node.send("publish", topic=UP, payload="00")
        read_packet(sock)
        sock.sendall(rubbish)
        with pytest.raises(NodeError, match="MqttClosed"):
            node.result(number)
        assert node.wait(ended=None)["ended"] == kind
        assert sock.recv(1) == b""


def test_a_huge_packet_is_skipped_and_acknowledged(node: Node, listener: socket.socket) -> None:
    with meet(node, listener) as sock:
        sock.sendall(message(b"x" * 300_000, mid=5) + message(b"next", mid=6))
        assert node.message() == ("down", b"next")
        assert read_packet(sock) == b"\x40\x02\x00\x05"
        assert read_packet(sock) == b"\x40\x02\x00\x06"
        sock.sendall(message(b"y" * 600, qos=0) + message(b"more", qos=0))
        assert node.message() == ("down", b"more")
        assert node.do("counts") == [2, 0]


def test_bytes_one_at_a_time(node: Node, listener: socket.socket) -> None:
    with meet(node, listener) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message(b"slow" * 40, qos=0) + b"\xd0\x00" + message(b"end", qos=0):
            sock.sendall(bytes([byte]))
        assert node.message() == ("down", b"slow" * 40)
        assert node.message() == ("down", b"end")


def test_a_publish_that_nobody_acknowledges(node: Node, listener: socket.socket) -> None:
    with meet(node, listener, timeout_s=0.2) as sock:
        numbers = [node.send("publish", topic="t", payload="00") for _ in range(10)]
        for _ in range(8):  # the window
            read_packet(sock)
        for number in numbers[:8]:
            with pytest.raises(NodeError, match="MqttTimeout"):
                node.result(number)
        # The connection holds, and the two that waited for room go out; a late PUBACK harms none.
        sock.sendall(b"\x40\x02\x00\x01")
        for number in numbers[8:]:
            packet = read_packet(sock)
            sock.sendall(b"\x40\x02" + packet[5:7])
            node.result(number)


def test_silence_after_a_ping_ends_the_connection(node: Node, listener: socket.socket) -> None:
    with meet(node, listener, keepalive_s=1, timeout_s=0.3) as sock:
        assert read_packet(sock) == b"\xc0\x00"
        sock.sendall(b"\xd0\x00")
        assert read_packet(sock) == b"\xc0\x00"
        assert node.wait(ended=None)["ended"] == "MqttTimeout"
        assert sock.recv(1) == b""


def test_pings_go_out_though_messages_come_in(node: Node, listener: socket.socket) -> None:
    # [3.1.2.10]: the broker counts what the client sends, not what it sends itself.
    with meet(node, listener, keepalive_s=1) as sock:
        sock.settimeout(0.05)
        ping = b""
        for _ in range(200):
            sock.sendall(message(b"talk", qos=0))
            try:
                ping = sock.recv(2)
                break
            except TimeoutError:
                continue
        assert ping == b"\xc0\x00"


def test_a_peer_that_reads_nothing(node: Node, listener: socket.socket) -> None:
    # The kernel's buffers fill up, and a write waits: it ends with the time-out.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with meet(node, listener, timeout_s=0.5):
        kinds = set()
        while "MqttTimeout" not in kinds:
            numbers = [
                node.send("publish", topic=UP, payload="00" * 500, qos=0) for _ in range(500)
            ]
            kinds |= {node.wait(id=number).get("error") for number in numbers}
        assert node.wait(ended=None)["ended"] == "MqttTimeout"


def test_no_socket_is_left_behind(node: Node, listener: socket.socket) -> None:
    # Each of these would leave a descriptor: closed, timed out, refused.
    for _ in range(5):
        with meet(node, listener) as sock:
            sock.close()
            assert node.wait(ended=None)["ended"] == "MqttClosed"
        number = node.send(
            "connect",
            settings={"host": "127.0.0.1", "port": port(listener)},
            client_id="n001",
            timeout_s=0.1,
        )
        sock, _ = listener.accept()
        with sock, pytest.raises(NodeError, match="MqttTimeout"):
            node.result(number)
    with meet(node, listener) as sock:
        assert node.sockets() == 1
        node.do("close")
        assert node.sockets() == 0


# The parser alone: every case of a batch in one run of MicroPython.
_PARSE = """
import json, sys
from lampione_node import mqtt

for line in sys.stdin:
    reader = mqtt.Reader(64)
    seen = []
    try:
        for chunk in json.loads(line):
            data = bytes.fromhex(chunk)
            while data:
                room = reader.room()
                count = min(len(room), len(data))
                assert count
                room[:count] = data[:count]
                reader.filled(count)
                data = data[count:]
                while (first := reader.next()) >= 0:
                    if first & 0xF0 == 0x30:
                        topic, payload, mid = reader.publish(first)
                        seen.append([first, topic, payload.hex(), mid, reader.whole])
                    else:
                        seen.append([first, reader.answer(2), reader.whole])
    except mqtt.MqttMalformed:
        seen.append("malformed")
    print(json.dumps(seen))
"""


def parse(cases: list[list[bytes]]) -> list[list[object]]:
    lines = "".join(json.dumps([chunk.hex() for chunk in case]) + "\n" for case in cases)
    printed = interpreter.run(["-c", _PARSE], path=PATH, stdin=lines.encode())
    return [json.loads(line) for line in printed.splitlines()]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


places = st.lists(st.integers(0, 2000), max_size=12)
packets = st.one_of(
    st.tuples(
        st.just("publish"),
        st.integers(0, 1),
        st.integers(1, 0xFFFF),
        st.text("down/é", max_size=9),
        st.binary(max_size=90),
    ),
    st.tuples(st.just("puback"), st.integers(0, 0xFFFF)),
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.lists(packets, max_size=8), places), min_size=30, max_size=60))
def test_packets_are_found_wherever_the_stream_is_cut(
    cases: list[tuple[list[tuple[object, ...]], list[int]]],
) -> None:
    streams: list[list[bytes]] = []
    wanted: list[list[object]] = []
    for parts, at in cases:
        data = b""
        seen: list[object] = []
        for part in parts:
            if part[0] == "puback":
                mid = part[1]
                assert isinstance(mid, int)
                data += b"\x40\x02" + mid.to_bytes(2)
                seen.append([0x40, mid, True])
                continue
            _, qos, mid, topic, payload = part
            assert isinstance(qos, int)
            assert isinstance(mid, int)
            assert isinstance(topic, str)
            assert isinstance(payload, bytes)
            packet = message(payload, qos, mid, topic.encode())
            data += packet
            whole = len(packet) <= 64
            kept = payload if whole else payload[: len(payload) - (len(packet) - 64)]
            seen.append([0x30 | qos << 1, topic, kept.hex(), mid if qos else 0, whole])
        streams.append(cut(data, at))
        wanted.append(seen)
    assert parse(streams) == wanted


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=200),
                st.lists(
                    st.sampled_from([0x30, 0x32, 0x40, 0x02, 0x00, 0x7F, 0x80, 0xFF, 0x90, 1, 4]),
                    max_size=60,
                ).map(bytes),
            ),
            places,
        ),
        min_size=50,
        max_size=100,
    )
)
def test_no_bytes_crash_the_parser(cases: list[tuple[bytes, list[int]]]) -> None:
    cut_up = parse([cut(data, at) for data, at in cases])
    # And it does not matter how the stream was cut.
    assert cut_up == parse([[data] if data else [] for data, _ in cases])
