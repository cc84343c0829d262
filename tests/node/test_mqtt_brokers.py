"""The node's MQTT client against real brokers, with paho as the peer."""

import queue
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import KINDS, Broker, Kind, running_broker, wait_until
from tests.node.mqtt_peer import Node, NodeError

UP = "lampione/v1/porta/n001/up"
DOWN = "lampione/v1/porta/n001/down"
STATE = "lampione/v1/porta/n001/state"


class Peer:
    """The other side: paho, with the messages it received in `messages`."""

    def __init__(self, broker: Broker, client_id: str = "peer", *, clean: bool = True):
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._subscribed: queue.Queue[int] = queue.Queue()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean
        )
        self._client.on_message = lambda client, data, message: self.messages.put(message)
        self._client.on_subscribe = lambda client, data, mid, codes, properties: (
            self._subscribed.put(mid)
        )
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, 1)
        self._subscribed.get(timeout=10)

    def publish(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos, retain).wait_for_publish(10)

    def message(self) -> paho.MQTTMessage:
        return self.messages.get(timeout=20)


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    kind: Kind = request.param
    with running_broker(kind, tmp_path) as running:
        yield running


@pytest.fixture
def node() -> Iterator[Node]:
    with Node() as running:
        yield running


@pytest.fixture
def peer(broker: Broker) -> Iterator[Peer]:
    with Peer(broker) as running:
        yield running


def test_qos_1_goes_both_ways(broker: Broker, node: Node, peer: Peer) -> None:
    peer.subscribe(UP)
    assert node.connect(broker) is False
    assert node.do("subscribe", topic=DOWN) == 1
    for size in (0, 1, 51, 300):
        node.publish(UP, bytes(range(256))[:size] + b"x" * (size - 256))
        message = peer.message()
        assert message.topic == UP
        assert message.qos == 1
        assert message.payload == bytes(range(256))[:size] + b"x" * (size - 256)
        peer.publish(DOWN, b"%d" % size)
        assert node.message() == (DOWN, b"%d" % size)
    peer.publish(DOWN, b"nought", qos=0)
    assert node.message() == (DOWN, b"nought")
    node.publish(UP, b"nought", qos=0)
    assert peer.message().payload == b"nought"
    node.do("close")
    assert node.wait(ended=None)["ended"] == ""


def test_more_in_flight_than_the_window_all_arrive(broker: Broker, node: Node, peer: Peer) -> None:
    peer.subscribe(UP)
    node.connect(broker, later=True)
    node.do("subscribe", topic=DOWN)
    numbers = [node.send("publish", topic=UP, payload=f"{i:04x}") for i in range(40)]
    for i in range(40):
        peer.publish(DOWN, b"%d" % i)
    for number in numbers:
        node.result(number)
    assert {peer.message().payload for _ in range(40)} == {i.to_bytes(2) for i in range(40)}
    assert [node.message()[1] for _ in range(40)] == [b"%d" % i for i in range(40)]


def test_memory_does_not_grow(broker: Broker, node: Node) -> None:
    node.connect(broker)
    node.do("subscribe", topic=UP)
    sizes = []
    for _ in range(4):
        numbers = [node.send("publish", topic=UP, payload="00" * 60) for _ in range(100)]
        for number in numbers:
            node.result(number)
        for _ in range(100):
            node.message()
        sizes.append(node.do("memory"))
    assert sizes[3] - sizes[1] < 500


def wait_retained(broker: Broker, payload: bytes) -> None:
    """Wait until who subscribes to the state is told `payload`.

    NATS acknowledges a publish before it has retained it: asked at once, it may say what was.
    """
    with Peer(broker, "newcomer") as newcomer:

        def told() -> bool:
            newcomer.subscribe(STATE)
            try:
                state = newcomer.messages.get(timeout=1)
            except queue.Empty:
                return False
            return (state.payload, state.retain) == (payload, True)

        wait_until(f"{payload!r} is retained", told)


def test_last_will_and_retained_state(broker: Broker, node: Node, peer: Peer) -> None:
    node.connect(broker, will=[STATE, "offline", 1, True])
    node.publish(STATE, b"online", retain=True)
    wait_retained(broker, b"online")
    peer.subscribe(STATE)
    state = peer.message()
    assert (state.payload, state.retain) == (b"online", True)
    node.kill9()
    assert peer.message().payload == b"offline"
    wait_retained(broker, b"offline")


def test_closing_in_good_order_leaves_no_last_will(broker: Broker, node: Node, peer: Peer) -> None:
    peer.subscribe(STATE)
    node.connect(broker, will=[STATE, "offline", 1, False])
    node.do("close")
    with Node() as other:
        other.connect(broker, "n002")
        other.publish(STATE, b"mark")
    assert peer.message().payload == b"mark"


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_resumes_with_what_was_queued(kind: Kind, tmp_path: Path, node: Node) -> None:
    # What went to the dead connection comes again after NATS' ack_wait, 30 s where nobody says so.
    with running_broker(kind, tmp_path, nats_mqtt="ack_wait: 2s") as broker, Peer(broker) as peer:
        assert node.connect(broker) is False
        node.do("subscribe", topic=DOWN)
        node.kill9()
        for i in range(5):
            peer.publish(DOWN, b"%d" % i)
        with Node() as again:
            assert again.connect(broker) is True
            found = [again.message(60)[1] for _ in range(5)]
            assert sorted(found) == [b"%d" % i for i in range(5)]
            peer.publish(DOWN, b"live")
            assert again.message()[1] == b"live"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_callback_refused_comes_again(kind: Kind, tmp_path: Path, node: Node) -> None:
    # mosquitto sends it again to the next connection, NATS after its ack_wait.
    with running_broker(kind, tmp_path, nats_mqtt="ack_wait: 1s") as broker, Peer(broker) as peer:
        node.connect(broker)
        node.do("subscribe", topic=DOWN)
        peer.publish(DOWN, b"raise")
        peer.publish(DOWN, b"fine")
        assert node.message()[1] == b"fine"
        assert node.do("counts") == [0, 1]
        node.do("close")
        assert node.connect(broker) is True
        peer.publish(DOWN, b"more")
        assert node.message()[1] == b"more"
        wait_until("the refused message again", lambda: node.do("counts") == [0, 1])


def test_a_packet_larger_than_the_buffer_is_dropped(broker: Broker, node: Node, peer: Peer) -> None:
    node.connect(broker)
    node.do("subscribe", topic=DOWN)
    for size in (600, 4_000, 200_000):
        peer.publish(DOWN, b"x" * size)
    peer.publish(DOWN, b"after")
    assert node.message()[1] == b"after"
    assert node.do("counts") == [3, 0]
    node.do("close")
    assert node.connect(broker) is True  # and none of them comes again
    peer.publish(DOWN, b"last")
    assert node.message()[1] == b"last"
    assert node.do("counts") == [0, 0]
    with pytest.raises(NodeError, match="ValueError"):
        node.publish(UP, b"x" * 600)
    node.publish(UP, b"still there")


def test_keep_alive_holds_a_quiet_connection(broker: Broker, node: Node, peer: Peer) -> None:
    peer.subscribe(STATE)
    # Both brokers end a client that is silent for 1.5 keep-alives.
    node.connect(broker, keepalive_s=1, will=[STATE, "offline", 1, False])
    node.do("subscribe", topic=DOWN)
    with Node() as other:
        # One that never pings is ended by the broker: this is how long to wait.
        other.connect(broker, "n002", will=[STATE, "silent", 1, False], keepalive_s=1)
        other.freeze()
        assert peer.message().payload == b"silent"
    peer.publish(DOWN, b"still there?")
    assert node.message()[1] == b"still there?"


def test_a_broker_killed_and_restarted(broker: Broker, node: Node) -> None:
    node.connect(broker)
    numbers = [node.send("publish", topic=UP, payload=f"{i:04x}") for i in range(200)]
    node.result(numbers[20])
    broker.kill9()
    assert node.wait(ended=None)["ended"] == "MqttClosed"
    # Each of the others ended too: acknowledged before, or closed; none waits for ever.
    ends = [node.wait(id=n).get("error") for n in numbers if n != numbers[20]]
    assert set(ends) <= {None, "MqttClosed"}
    assert ends[:12] == [None] * 12  # 8 at most were in flight beside number 20
    with pytest.raises(NodeError, match="MqttClosed"):
        node.connect(broker)
    broker.restart()
    node.connect(broker)
    node.publish(UP, b"back")


def test_a_broker_that_freezes_is_noticed(broker: Broker, node: Node) -> None:
    node.connect(broker, keepalive_s=2, timeout_s=1)
    broker.freeze()
    with pytest.raises(NodeError, match=r"MqttTimeout|MqttClosed"):
        node.publish(UP, b"?")
    assert node.wait(ended=None)["ended"] == "MqttTimeout"
    with pytest.raises(NodeError, match="MqttTimeout"):
        node.connect(broker, timeout_s=1)
    broker.thaw()
    node.connect(broker)


def test_a_wrong_password_is_refused(tmp_path: Path, node: Node) -> None:
    extra = 'authorization { users: [{user: "n001", password: "right"}] }'
    with running_broker("nats", tmp_path, extra=extra, probe=False) as broker:
        with pytest.raises(NodeError) as caught:
            node.connect(broker, settings={"user": "n001", "password": "wrong"})
        assert (caught.value.kind, caught.value.text) == ("MqttRefused", "5")
        node.connect(broker, settings={"user": "n001", "password": "right"})
        node.publish(UP, b"in")
