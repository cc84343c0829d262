"""The other end of a node's radio, as a test needs it: everything opened, decoded and kept."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol import codec, names, schema, seal, topics
from lampione_protocol.errors import ProtocolError

from lampione_hil.testing.clock import Clock
from lampione_hil.testing.links import Link
from lampione_hil.testing.node import SHARD

FIELDS: dict[int, tuple[Any, ...]] = {kind: fields for kind, _, fields in names.ALL_MESSAGES}
Identity = tuple[bytes, int, int]  # epoch, boot, sequence number
ACCEPTED, DONE, REFUSED = range(3)
OFFER, APPLY, CONFIRM, REVERT = range(11, 15)
CHUNK_BYTES = 25
TOPICS = [topics.topic(SHARD, "+", leaf) for leaf in (topics.UP, topics.STATE)]


class Uplink:
    """The fixture `uplink`. Frames come while the clock runs; so do the acknowledgements.

    acknowledge: whether watermarks are sent.
    errors: what came that could not be opened, or was not what was said before.
    """

    def __init__(self, link: Link, clock: Clock, keys: Mapping[str, bytes]) -> None:
        self.acknowledge = True
        self.errors: list[str] = []
        self.counter = 0
        self.session = hashlib.sha256(repr(sorted(keys)).encode()).digest()[:4]
        self._link = link
        self._clock = clock
        self._keys = keys
        self._frames: dict[str, dict[Identity, tuple[int, dict[str, Any]]]] = defaultdict(dict)
        self._raw: dict[str, dict[Identity, bytes]] = defaultdict(dict)
        self._copies: dict[str, dict[Identity, int]] = defaultdict(dict)
        self._hellos: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._states: dict[str, bytes] = {}
        self._marks: dict[str, int] = defaultdict(int)
        clock.pumps.append(self.pump)

    def broker(self, up: bool) -> None:
        """End the broker at once, or start it again."""
        self._link.up(up)

    # Up

    def pump(self) -> None:
        """Take what has come, and acknowledge it. The clock calls this."""
        for topic, payload in self._link.take():
            parsed = topics.parse(topic)
            if parsed is None or parsed[2] not in (topics.UP, topics.STATE):
                continue
            _, node, leaf = parsed
            if leaf == topics.STATE:
                self._states[node] = payload
                continue
            try:
                self._take(node, payload)
            except (InvalidTag, ProtocolError, KeyError) as error:
                self.errors.append(f"{node}: {error!r} {payload.hex()}")

    def _take(self, node: str, frame: bytes) -> None:
        if len(frame) > seal.FRAME_MAX:
            self.errors.append(f"{node}: a frame of {len(frame)} bytes")
        kind, epoch, boot, seq = seal.parse_up(frame)
        key = self._keys[node]
        if kind == schema.HELLO:
            self._hellos[node].append(_open(node, seal.hello_key(key), frame))
            self.watermark(node)
            return
        identity = epoch, boot, seq
        if self._raw[node].setdefault(identity, frame) != frame:
            self.errors.append(f"{node}: one identity, two frames: a nonce was used twice")
        self._frames[node][identity] = kind, _open(node, seal.up_key(key, epoch), frame)
        self._copies[node][identity] = self._copies[node].get(identity, 0) + 1
        self.watermark(node)

    def watermark(self, node: str) -> None:
        """Acknowledge what is there without a gap, while `acknowledge`."""
        if not self.acknowledge or not self._hellos[node]:
            return
        have = {seq for _, _, seq in self._raw[node]}
        mark = max(self._marks[node], self._hellos[node][-1]["oldest_held"] - 1)
        while mark + 1 in have:
            mark += 1
        self._marks[node] = mark
        self.publish(node, self.seal(node, schema.WATERMARK, [mark]))

    # What came; `node` is a board or a name

    def frames(self, node: Any, kind: int | None = None) -> list[tuple[int, dict[str, Any]]]:
        """Return (kind, {field: value}) in the order of arrival, copies left out; hellos apart."""
        self.pump()
        found = self._frames[_name(node)].values()
        return [(k, values) for k, values in found if kind in (None, k)]

    def of(self, node: Any, kind: int) -> list[dict[str, Any]]:
        """Return the messages of a kind, in the order of their numbers within an epoch."""
        self.pump()
        found = [(i[1:], v) for i, (k, v) in self._frames[_name(node)].items() if k == kind]
        return [values for _, values in sorted(found, key=lambda item: item[0])]

    def raw(self, node: Any) -> dict[Identity, bytes]:
        """Return {identity: frame as it came}."""
        self.pump()
        return dict(self._raw[_name(node)])

    def copies(self, node: Any) -> dict[Identity, int]:
        """Return {identity: how often it came}."""
        self.pump()
        return dict(self._copies[_name(node)])

    def hellos(self, node: Any) -> list[dict[str, Any]]:
        """Return its hellos."""
        self.pump()
        return list(self._hellos[_name(node)])

    def state(self, node: Any) -> bytes | None:
        """Return what its state topic said last."""
        self.pump()
        return self._states.get(_name(node))

    def results(self, node: Any, counter: int) -> list[dict[str, Any]]:
        """Return the results of one command."""
        return [r for r in self.of(node, schema.RESULT) if r["counter"] == counter]

    def events(self, node: Any, code: int) -> list[dict[str, Any]]:
        """Return the events of a code."""
        return [e for e in self.of(node, schema.EVENT) if e["code"] == code]

    def wait_hello(self, node: Any, count: int = 1, within_s: float = 60.0) -> dict[str, Any]:
        """Wait for its `count`-th hello. Raises BoardTimeoutError."""
        what = f"{_name(node)}: hello number {count}"
        return self._clock.wait(lambda: self.hellos(node)[count - 1 :], what, within_s)[-1]

    def outcome(
        self, node: Any, counter: int, outcome: int = DONE, within_s: float = 30.0
    ) -> dict[str, Any]:
        """Wait for a command's result of this outcome. Raises BoardTimeoutError."""
        return self._clock.wait(
            lambda: [r for r in self.results(node, counter) if r["outcome"] == outcome],
            f"{_name(node)}: result {outcome} of command {counter}",
            within_s,
        )[0]

    # Down

    def key(self, node: Any) -> bytes:
        """Return a node's secret."""
        return self._keys[_name(node)]

    def seal(self, node: Any, kind: int, values: list[Any], **other: Any) -> bytes:
        """Return a frame for a node; `epoch`, `key`, `name`, `counter` make it a wrong one."""
        self.counter += 1
        name = _name(node)
        epoch = other.get("epoch") or self._hellos[name][-1]["epoch"]
        text = codec.encode(FIELDS[kind if kind in FIELDS else schema.WATERMARK], values)
        header = seal.down_header(kind, epoch, self.session, other.get("counter", self.counter))
        key = seal.down_key(other.get("key", self._keys[name]), epoch)
        bound = header + other.get("name", name).encode()
        return header + AESCCM(key, seal.TAG_BYTES).encrypt(header, text, bound)

    def publish(self, node: Any, frame: bytes) -> None:
        """Put bytes on a node's downward topic."""
        self._link.publish(topics.topic(SHARD, _name(node), topics.DOWN), frame)

    def send(
        self, node: Any, op: int | None = None, *, kind: int = schema.COMMAND, **values: Any
    ) -> int:
        """Send a message, a command by default; return its counter.

        `challenge` is that of the latest hello, fields left out are unknown.
        """
        hellos = self.hellos(node)
        self.counter = max([self.counter, *(hello["last_counter"] for hello in hellos)])
        given = {"op": op, "challenge": hellos[-1]["challenge"] if hellos else None, **values}
        self.publish(node, self.seal(node, kind, [given.get(f[0]) for f in FIELDS[kind]]))
        return self.counter

    def setup(self, node: Any, op: int, version: int, blob: bytes, **values: Any) -> int:
        """Send a Setup of a config; return its counter."""
        digest = hashlib.sha256(blob).digest()[:8]
        about = {"version": version, "size": len(blob), "digest": digest, "trial": 60}
        return self.send(node, op, kind=schema.SETUP, **{**about, **values})

    def chunks(self, node: Any, version: int, blob: bytes, start: int = 0) -> None:
        """Send the pieces of a config from byte `start` on."""
        for at in range(start, len(blob), CHUNK_BYTES):
            piece = [version, at, None, blob[at : at + CHUNK_BYTES]]
            self.publish(node, self.seal(node, schema.CONFIG, piece))

    def push(
        self, node: Any, blob: bytes, version: int, within_s: float = 60.0, **apply: Any
    ) -> int:
        """Offer a config, send what the node lacks of it, apply it; return the last's counter.

        Raises BoardTimeoutError.
        """
        offer = self.setup(node, OFFER, version, blob)
        said = f"{_name(node)}: an answer to the offer of config {version}"
        held = self._clock.wait(lambda: self.results(node, offer), said, within_s)[0]
        if held["outcome"] == ACCEPTED:
            self.chunks(node, version, blob, held["value"])
        self.outcome(node, offer, DONE, within_s)
        return self.setup(node, APPLY, version, blob, **apply)

    def close(self) -> None:
        """Leave the broker."""
        self._clock.pumps.remove(self.pump)
        self._link.close()


def named(kind: int) -> Callable[[list[Any]], dict[str, Any]]:
    """Return what makes {field: value} of a message's values."""
    fields = [field[0] for field in FIELDS[kind]]
    return lambda values: dict(zip(fields, values, strict=True))


def _open(node: str, key: bytes, frame: bytes) -> dict[str, Any]:
    header = frame[: seal.UP_HEADER]
    cipher = AESCCM(key, seal.TAG_BYTES)
    nonce = seal.nonce(frame, seal.UP_HEADER)
    text = cipher.decrypt(nonce, frame[seal.UP_HEADER :], header + node.encode())
    kind = frame[0] & 31
    return named(kind)(codec.decode(FIELDS[kind], text, 0, len(text)))


def _name(node: Any) -> str:
    return node if isinstance(node, str) else str(node.name)
