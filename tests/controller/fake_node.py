"""A node written for tests: real sealed frames over paho, an outbox in memory, flash to restore."""

import copy
import os
import threading
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol import codec, names, schema, seal, topics
from paho.mqtt.enums import CallbackAPIVersion

SHARD = "test"
_FIELDS = {kind: fields for kind, _, fields in names.ALL_MESSAGES}
HELLO_OP = names.OPS.index("hello")
FETCH_OP = names.OPS.index("fetch")
DONE = names.OUTCOMES.index("done")


def text(kind: int, **values: Any) -> bytes:
    """Return an encoded message; what is not given is unknown, or 0 where that cannot be."""
    fields = _FIELDS[kind]
    return codec.encode(fields, [values.get(f[0], 0 if f[1] == "c" else None) for f in fields])


def seal_up(
    key: bytes, node: str, epoch: bytes, boot: int, kind: int, seq: int, body: bytes
) -> bytes:
    """Return a sealed frame of a node."""
    header = (
        bytes([seal.first_byte(kind)]) + epoch + boot.to_bytes(2, "big") + seq.to_bytes(3, "big")
    )
    cipher = AESCCM(seal.up_key(key, epoch), tag_length=8)
    return header + cipher.encrypt(header + b"\0\0\0", body, header + node.encode())


def seal_hello(key: bytes, node: str, body: bytes) -> bytes:
    """Return a sealed hello."""
    header = bytes([seal.first_byte(schema.HELLO)]) + os.urandom(9)
    cipher = AESCCM(seal.hello_key(key), tag_length=8)
    return header + cipher.encrypt(header + b"\0\0\0", body, header + node.encode())


@dataclass
class Flash:
    """What a node keeps: copy it to restore it."""

    boot: int = 0
    next_seq: int = 1
    oldest: int = 1
    acked: int = 0
    counter: int = 0
    outbox: dict[int, bytes] = field(default_factory=dict)

    def image(self) -> "Flash":
        """Return a copy."""
        return copy.deepcopy(self)


class FakeNode:
    """One node. `boot()`, then `connect`; thread-safe enough for tests."""

    def __init__(
        self,
        name: str,
        key: bytes,
        flash: Flash | None = None,
        obeys: bool = True,
        shard: str = SHARD,
    ):
        self.name = name
        self.shard = shard
        self.key = key
        self.flash = flash or Flash()
        self.obeys = obeys
        self.epoch = b""
        self.sent = 0
        self.challenge = b""
        self.created: set[tuple[bytes, int, int]] = set()  # identities of frames
        self.received: list[tuple[bytes, int, bytes, int]] = []  # session, type, epoch, counter
        self.commands: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.heard: list[tuple[int, bytes]] = []  # (op, frame) of commands, obeyed or not
        self.watermarks: list[int | None] = []
        self.unopened = 0
        self._client: mqtt.Client | None = None
        self._lock = threading.RLock()
        self.subscribed = threading.Event()

    def boot(self) -> None:
        """Draw a new epoch, count the boot."""
        self.flash.boot += 1
        self.epoch = os.urandom(4)
        self.first_seq = self.flash.next_seq
        self.sent = self.flash.next_seq - 1

    def topic(self, leaf: str) -> str:
        """Return one of the node's topics."""
        return topics.topic(self.shard, self.name, leaf)

    def connect(self, host: str, port: int) -> None:
        """Connect, say hello, send what is not acknowledged."""
        self.subscribed.clear()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, self.name, clean_session=False)
        client.reconnect_delay_set(1, 1)
        client.max_queued_messages_set(0)
        client.will_set(self.topic(topics.STATE), topics.OFFLINE, 1, retain=True)
        client.on_connect = lambda c, *_: c.subscribe(self.topic(topics.DOWN), 1)
        client.on_message = lambda _c, _u, message: self._down(bytes(message.payload))
        client.on_subscribe = lambda *_: self._up()
        client.connect(host, port, 30)
        self._client = client
        client.loop_start()
        assert self.subscribed.wait(20)

    def disconnect(self) -> None:
        """Go, as a power cut would have it: no goodbye."""
        client = self._client
        self._client = None
        if client is not None:
            client.loop_stop()
            client._sock_close()

    def _up(self) -> None:
        self.publish(topics.ONLINE, topics.STATE, retain=True)
        self.hello()
        self.resend()
        self.subscribed.set()

    def publish(self, payload: bytes, leaf: str = topics.UP, retain: bool = False) -> None:
        """Publish at QoS 1."""
        if self._client is not None:
            self._client.publish(self.topic(leaf), payload, 1, retain)

    def hello_frame(self, answer: bytes | None = None) -> bytes:
        """Return a fresh hello."""
        self.challenge = os.urandom(3) + b"\x01"
        flash = self.flash
        body = text(
            schema.HELLO, epoch=self.epoch, boot=flash.boot, first_seq=self.first_seq,
            oldest_held=min(flash.outbox, default=flash.next_seq), last_counter=flash.counter,
            challenge=self.challenge, answer=answer, protocol=1, clock=3,
        )  # fmt: skip
        return seal_hello(self.key, self.name, body)

    def hello(self, answer: bytes | None = None) -> None:
        """Say hello."""
        self.publish(self.hello_frame(answer))

    def resend(self, after: int | None = None) -> None:
        """Publish everything beyond the watermark."""
        with self._lock:
            for seq, frame in list(self.flash.outbox.items()):
                if seq > (self.flash.acked if after is None else after):
                    self.sent = max(self.sent, seq)
                    self.publish(frame)

    def make(self, kind: int, body: bytes, send: bool = True) -> bytes:
        """Commit a frame to the outbox and publish it."""
        with self._lock:
            seq = self.flash.next_seq
            self.flash.next_seq += 1
            frame = seal_up(self.key, self.name, self.epoch, self.flash.boot, kind, seq, body)
            self.flash.outbox[seq] = frame
            self.created.add((self.epoch, self.flash.boot, seq))
            if send:
                self.sent = max(self.sent, seq)
                self.publish(frame)
            return frame

    def report(self, send: bool = True, **values: Any) -> bytes:
        """Make a report; its `start` is the number, in minutes."""
        start = values.pop("start", 200_000_000 + 60 * self.flash.next_seq)
        body = text(schema.REPORT, start=start, duration_s=60, clock=3, laeq=624, **values)
        return self.make(schema.REPORT, body, send)

    def drop(self, count: int) -> None:
        """Lose the oldest frames, as an outbox without room does."""
        with self._lock:
            for seq in sorted(self.flash.outbox)[:count]:
                del self.flash.outbox[seq]

    def _down(self, frame: bytes) -> None:
        with self._lock:
            self._open_down(frame)

    def _open_down(self, frame: bytes) -> None:
        epoch, session, counter = frame[1:5], frame[5:9], int.from_bytes(frame[9:13], "big")
        cipher = AESCCM(seal.down_key(self.key, epoch), tag_length=8)
        try:
            body = cipher.decrypt(frame[:13], frame[13:], frame[:13] + self.name.encode())
        except InvalidTag:
            self.unopened += 1
            return
        self.raw.append(frame)
        kind = frame[0] & 31
        self.received.append((session, kind, epoch, counter))
        said = dict(
            zip(
                (f[0] for f in schema.COMMAND_FIELDS),
                codec.decode(schema.COMMAND_FIELDS, body, 0, len(body)),
                strict=True,
            )
        )
        if kind == schema.COMMAND:
            self.heard.append((said["op"], frame))
        if epoch != self.epoch or not self.obeys:
            return
        if kind == schema.WATERMARK:
            (seq,) = codec.decode(schema.WATERMARK_FIELDS, body, 0, len(body))[:1]
            self.watermarks.append(seq)
            if seq is not None and self.flash.acked < seq <= self.sent:
                self.flash.acked = seq
            return
        if counter <= self.flash.counter:
            return
        self.flash.counter = counter
        self.commands.append({**said, "counter": counter})
        refusal = 0
        value = None
        if said["op"] == HELLO_OP:
            self.hello(said["ask"])
        elif said["op"] == FETCH_OP:
            value = said["first_seq"]
            if said["last_seq"] < min(self.flash.outbox, default=self.flash.next_seq):
                refusal = names.REFUSALS.index("not held")
            for seq in range(said["first_seq"], said["last_seq"] + 1):
                if seq in self.flash.outbox:
                    self.publish(self.flash.outbox[seq])
        outcome = names.OUTCOMES.index("refused") if refusal else DONE
        body = text(
            schema.RESULT, counter=counter, op=said["op"], outcome=outcome, reason=refusal,
            value=value, level=said["level"],
        )  # fmt: skip
        self.make(schema.RESULT, body)
