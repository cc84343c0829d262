"""A controller that fits into a page: the other end of the node's tests."""

import hashlib
import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_hil import firmware
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_protocol import codec, names, schema, seal, topics
from lampione_protocol.errors import ProtocolError
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import Broker, wait_until

SHARD = "test"
FIELDS = {number: fields for number, _, fields in names.ALL_MESSAGES}
Identity = tuple[bytes, int, int]
KEY = bytes(range(32))
CHUNK = 25
OFFER, APPLY, CONFIRM, REVERT = range(11, 15)
ACCEPTED, DONE, REFUSED = range(3)


def named(kind: int, values: list[Any]) -> dict[str, Any]:
    """Return a message's values by name."""
    return {field[0]: value for field, value in zip(FIELDS[kind], values, strict=True)}


def node_files(node: str, key: bytes, port: int, **settings: Any) -> dict[str, bytes]:
    """Return what a node's flash holds: firmware, settings, key."""
    text = {
        "node": node,
        "shard": SHARD,
        "broker": {"host": "127.0.0.1", "port": port},
        "wifi": {"ssid": "lampione", "password": "lampione"},
        "report_interval_s": 1,
        "health_interval_s": 3600,
        "parts": {"lamp": {"pin": 5}},
        **settings,
    }
    files = firmware.compile_tree()
    return {**files, "/settings.json": json.dumps(text).encode(), "/node.key": key}


class Desk:
    """Opens and keeps what nodes send; acknowledges while `answers`; sends what a test wants.

    How frames come (`take`), go and are waited for is the business of its kinds.
    """

    port = 1883

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.answers = True
        self.counter = 0
        self.session = os.urandom(4)
        self.frames: dict[str, dict[Identity, tuple[int, dict[str, Any]]]] = defaultdict(dict)
        self.raw: dict[str, dict[Identity, bytes]] = defaultdict(dict)
        self.copies: dict[str, dict[Identity, int]] = defaultdict(dict)
        self.order: dict[str, list[int]] = defaultdict(list)
        self.hellos: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.states: dict[str, bytes] = {}
        self.marks: dict[str, int] = defaultdict(int)
        self.errors: list[str] = []
        self._lock = threading.Lock()

    # Up

    def take(self, topic: str, payload: bytes) -> None:
        """Take what was published."""
        parsed = topics.parse(topic)
        assert parsed
        _, node, leaf = parsed
        if leaf == topics.STATE:
            self.states[node] = payload
            return
        try:
            with self._lock:
                self._take(node, payload)
        except (AssertionError, InvalidTag, ProtocolError) as error:
            self.errors.append(f"{error!r} {payload.hex()}")

    def _open(self, node: str, key: bytes, frame: bytes) -> dict[str, Any]:
        header = frame[: seal.UP_HEADER]
        cipher = AESCCM(key, seal.TAG_BYTES)
        nonce = seal.nonce(frame, seal.UP_HEADER)
        text = cipher.decrypt(nonce, frame[seal.UP_HEADER :], header + node.encode())
        kind = frame[0] & 31
        return named(kind, codec.decode(FIELDS[kind], text, 0, len(text)))

    def _take(self, node: str, frame: bytes) -> None:
        assert len(frame) <= seal.FRAME_MAX
        kind, epoch, boot, seq = seal.parse_up(frame)
        key = self.keys[node]
        if kind == schema.HELLO:
            self.hellos[node].append(self._open(node, seal.hello_key(key), frame))
            self.watermark(node)
            return
        identity = epoch, boot, seq
        known = self.raw[node].setdefault(identity, frame)
        assert known == frame, "one identity, two frames: a nonce was used twice"
        self.frames[node][identity] = kind, self._open(node, seal.up_key(key, epoch), frame)
        self.copies[node][identity] = self.copies[node].get(identity, 0) + 1
        self.order[node].append(seq)
        self.watermark(node)

    def watermark(self, node: str) -> None:
        """Acknowledge what is there without a gap."""
        if not self.answers or not self.hellos[node]:
            return
        have = {seq for _, _, seq in self.raw[node]}
        mark = self.marks[node]
        mark = max(mark, self.hellos[node][-1]["oldest_held"] - 1)
        while mark + 1 in have:
            mark += 1
        self.marks[node] = mark
        self.send(node, schema.WATERMARK, [mark])

    # Down

    def seal(self, node: str, kind: int, values: list[Any], **other: Any) -> bytes:
        """Return a frame for a node; `epoch`, `key`, `name`, `counter` make it a wrong one."""
        self.counter += 1
        epoch = other.get("epoch", self.hellos[node][-1]["epoch"])
        counter = other.get("counter", self.counter)
        text = codec.encode(FIELDS[kind] if kind in FIELDS else FIELDS[schema.WATERMARK], values)
        header = seal.down_header(kind, epoch, self.session, counter)
        key = seal.down_key(other.get("key", self.keys[node]), epoch)
        name = other.get("name", node).encode()
        return header + AESCCM(key, 8).encrypt(header, text, header + name)

    def publish(self, node: str, frame: bytes) -> None:
        raise NotImplementedError

    def send(self, node: str, kind: int, values: list[Any], **other: Any) -> bytes:
        frame = self.seal(node, kind, values, **other)
        self.publish(node, frame)
        return frame

    def _order(self, node: str, kind: int, op: int, **fields: Any) -> int:
        with self._lock:
            last = max((hello["last_counter"] for hello in self.hellos[node]), default=0)
            self.counter = max(self.counter, last)
            fields = {"op": op, "challenge": self.hellos[node][-1]["challenge"], **fields}
            self.send(node, kind, [fields.get(field[0]) for field in FIELDS[kind]])
            return self.counter

    def command(self, node: str, op: int, **fields: Any) -> int:
        """Send a command; return its counter."""
        return self._order(node, schema.COMMAND, op, **fields)

    def setup(self, node: str, op: int, version: int, blob: bytes, **fields: Any) -> int:
        """Send a Setup of a config; return its counter."""
        about = {
            "version": version,
            "size": len(blob),
            "digest": hashlib.sha256(blob).digest()[:8],
            "trial": 60,
        }
        return self._order(node, schema.SETUP, op, **{**about, **fields})

    def chunks(self, node: str, version: int, blob: bytes, start: int = 0) -> None:
        """Send the pieces of a config from byte `start` on."""
        for at in range(start, len(blob), CHUNK):
            self.send(node, schema.CONFIG, [version, at, None, blob[at : at + CHUNK]])

    def stage(self, node: str, version: int, blob: bytes) -> None:
        """Offer a config and send what the node lacks of it."""
        counter = self.setup(node, OFFER, version, blob)
        self.wait_for("an answer to the offer", lambda: self.results(node, counter))
        held = self.results(node, counter)[0]
        if held["outcome"] == ACCEPTED:
            self.chunks(node, version, blob, held["value"])
        self.outcome(node, counter, DONE)

    def push(self, node: str, version: int, blob: bytes, **fields: Any) -> int:
        """Stage a config and apply it; return the counter of the latter."""
        self.stage(node, version, blob)
        return self.setup(node, APPLY, version, blob, **fields)

    def runs(self, node: str) -> tuple[int, int]:
        """Return the version and the state of the config that the latest hello told."""
        last = self.hellos[node][-1]
        return last["config_version"], last["config_state"]

    # What there is

    def of(self, node: str, kind: int) -> list[dict[str, Any]]:
        """Return the messages of a kind, in the order of their numbers, epochs apart."""
        with self._lock:
            found = [(i[1:], v) for i, (k, v) in self.frames[node].items() if k == kind]
        return [values for _, values in sorted(found, key=lambda item: item[0])]

    def results(self, node: str, counter: int) -> list[dict[str, Any]]:
        return [r for r in self.of(node, schema.RESULT) if r["counter"] == counter]

    def outcome(
        self, node: str, counter: int, outcome: int, timeout_s: float = 20
    ) -> dict[str, Any]:
        """Wait for a command's result of this outcome."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [r for r in self.results(node, counter) if r["outcome"] == outcome]
            return bool(found)

        self.wait_for(f"result {outcome} of command {counter}", there, timeout_s)
        return found[0]

    def wait_for(self, what: str, condition: Callable[[], object], timeout_s: float = 20) -> None:
        raise NotImplementedError

    def events(self, node: str, code: int) -> list[dict[str, Any]]:
        return [e for e in self.of(node, schema.EVENT) if e["code"] == code]

    def node(
        self, bench: VirtualBench, node: str, world: World | None = None, **settings: Any
    ) -> VirtualBoard:
        """Make a node with a key of its own, known here, its power off."""
        key = self.keys[node] = os.urandom(32)
        return bench.board(node, node_files(node, key, self.port, **settings), world=world)


class Controller(Desk):
    """At a real broker."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-controller")
        self.client.on_message = lambda _client, _data, message: self.take(
            message.topic, bytes(message.payload)
        )
        ready = threading.Event()
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_connect = lambda c, *_: c.subscribe(
            [(f"lampione/v1/{SHARD}/+/{leaf}", 1) for leaf in ("up", "state")]
        )
        self.port = broker.port
        if broker.tls is not None:
            self.client.tls_set(ca_certs=str(broker.tls.ca))
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert ready.wait(20)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, node: str, frame: bytes) -> None:
        self.client.publish(topics.topic(SHARD, node, topics.DOWN), frame, qos=1)

    def wait_for(self, what: str, condition: Callable[[], object], timeout_s: float = 20) -> None:
        wait_until(what, condition, timeout_s)
        assert not self.errors, self.errors


class VirtualController(Desk):
    """Beside the hub of a bench on the virtual clock: it answers once a `step_s`."""

    def __init__(self, bench: VirtualBench, step_s: float = 0.25) -> None:
        super().__init__()
        self.bench = bench
        self.session = b"desk"  # the same in each run
        self._step_s = step_s
        self._seen = 0
        self.now_s = 0.0

    def publish(self, node: str, frame: bytes) -> None:
        self.bench.hub.publish(topics.topic(SHARD, node, topics.DOWN), frame)

    def run_for(self, seconds: float, step_s: float = 0.0) -> None:
        """Let time pass, and take what comes."""
        step_s = step_s or self._step_s
        for _ in range(round(seconds / step_s)):
            self.now_s = self.bench.run_for(step_s)
            found = self.bench.hub.published(self._seen)
            self._seen += len(found)
            for said in found:
                if said.topic.endswith(("/up", "/state")):
                    self.take(said.topic, said.payload)
        assert not self.errors, self.errors

    def wait_for(self, what: str, condition: Callable[[], object], timeout_s: float = 20) -> None:
        """Wait in virtual time."""
        for _ in range(round(timeout_s / self._step_s)):
            if condition():
                return
            self.run_for(self._step_s)
        assert condition(), f"waited {timeout_s:g} virtual seconds in vain: {what}"
