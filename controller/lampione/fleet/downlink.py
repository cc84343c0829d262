"""What goes to nodes besides people's commands: watermarks, the time, requests for what is missing.

Everything is queued and leaves after the commit (`take`), so that nothing is said that a power
cut could take back.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Iterable

from lampione_protocol import codec, schema, seal, topics
from lampione_protocol.names import CLOCKS, OUTCOMES, REFUSALS

from lampione.api import Order
from lampione.fleet.node import Ask, Fleet, NodeState
from lampione.seals import Ciphers, ccm, seal_down
from lampione.store import TelemetryStore
from lampione.values import encode_order

WATERMARK_S = 1.0  # a node hears of progress no more often
FETCH_AFTER_S = 3.0  # without progress; a node that drains its outbox needs no reminder
FETCH_MAX = 256  # frames asked for at once
FETCH_WAIT_S = (10.0, 300.0)  # first, last
ASK_WAIT_S = (5.0, 300.0)
TIME_EVERY_S = 3600.0
OWN_EXPIRES_S = 60.0
_OWN_KEPT = 4096
_CLOCK_CONTROLLER = CLOCKS.index("controller")
_NOT_HELD = REFUSALS.index("not held")
_REFUSED = OUTCOMES.index("refused")

Outgoing = tuple[str, str, bytes, int]  # shard, topic, payload, QoS


class Downlink:
    """Seals and queues frames to nodes. `session` is drawn at every start of the core."""

    def __init__(self, fleet: Fleet, store: TelemetryStore):
        self.session = os.urandom(4)
        self._fleet = fleet
        self._store = store
        self._ciphers = Ciphers()
        self._watermark_counter = 0
        self._chunk_counter = 0
        self._queue: list[Outgoing] = []
        self._due: set[str] = set()
        self._gaps: set[str] = set()
        self._own: OrderedDict[tuple[str, int], tuple[int, int]] = OrderedDict()

    def take(self) -> list[Outgoing]:
        """Return what is to be published, now that it is committed."""
        taken, self._queue = self._queue, []
        return taken

    def forget(self) -> None:
        """Drop what is queued: its commit failed."""
        self._queue.clear()
        self._due.clear()
        self._gaps.clear()
        self._own.clear()

    def forget_key(self, node: NodeState) -> None:
        """Its key is another one."""
        self._ciphers.forget(node.name)

    def publish(self, node: NodeState, frame: bytes, qos: int = 1) -> None:
        """Queue a sealed frame."""
        self._queue.append(
            (node.shard, topics.topic(node.shard, node.name, topics.DOWN), frame, qos)
        )

    def seal(self, node: NodeState, epoch: bytes, kind: int, counter: int, body: bytes) -> bytes:
        """Return a sealed frame."""
        cipher = self._ciphers.get(node.name, epoch)
        if cipher is None:
            cipher = ccm(seal.down_key(node.key, epoch))
            self._ciphers.keep(node.name, epoch, cipher)
        return seal_down(cipher, kind, node.name, epoch, self.session, counter, body)

    def chunk(self, node: NodeState, epoch: bytes, body: bytes) -> None:
        """Queue a piece of a config. Its counter is of this session, as a watermark's."""
        self._chunk_counter += 1
        self.publish(node, self.seal(node, epoch, schema.CONFIG, self._chunk_counter, body))

    def changed(self, nodes: Iterable[NodeState]) -> None:
        """These nodes' lines moved, or got what they had: tell them, and look for gaps."""
        for node in nodes:
            if node.line.settled:
                self._due.add(node.name)
            if node.line.watermark < node.line.highest:
                self._gaps.add(node.name)

    def greeted(self, node: NodeState, now: float) -> None:
        """Answer a hello that was accepted: watermark, then the time when it is needed."""
        self.changed([node])
        if node.line.settled:
            self._send_watermark(node, now)
        off = node.hello.get("clock") != _CLOCK_CONTROLLER
        if off or now > node.time_sent + TIME_EVERY_S:
            node.time_sent = now
            self._send_own(node, {"op": "time"})

    def ask(self, node: NodeState, epoch: bytes, now: float) -> None:
        """Ask the node that speaks under this epoch for a hello with the answer to a challenge."""
        ask = node.ask
        if ask is None or ask.epoch != epoch:
            ask = node.ask = Ask(epoch, _challenge(), now, ASK_WAIT_S[0])
        if now < ask.again_at:
            return
        ask.again_at = now + ask.wait_s
        ask.wait_s = min(ask.wait_s * 2, ASK_WAIT_S[1])
        self._send_own(node, {"op": "hello"}, epoch, ask.challenge)

    def fetch(self, node: NodeState, first: int, last: int) -> None:
        """Ask for frames."""
        counter = self._send_own(node, {"op": "fetch", "first_seq": first, "last_seq": last})
        self._own[(node.name, counter)] = (first, last)
        if len(self._own) > _OWN_KEPT:
            self._own.popitem(last=False)

    def not_held(self, node: NodeState, result: dict[str, int | None]) -> int | None:
        """Return the number that this result says the node does not hold, if it says so.

        There may be more of them behind it: a hello tells where the node's outbox begins now.
        """
        counter, seq = result.get("counter"), result.get("value")
        if counter is None or seq is None or (node.name, counter) not in self._own:
            return None
        first, last = self._own[(node.name, counter)]
        refused = result.get("outcome") == _REFUSED and result.get("reason") == _NOT_HELD
        if not refused or not first <= seq <= last:
            return None
        node.fetch_at = float("-inf")
        if node.epoch is not None:
            self.ask(node, node.epoch, time.monotonic())
        return seq

    def forked(self, node: NodeState) -> None:
        """What was asked of the flash before says nothing of this one."""
        for key in [key for key in self._own if key[0] == node.name]:
            del self._own[key]

    def tick(self, now: float) -> None:
        """Send watermarks and fetches that are due."""
        self._flush_watermarks(now)
        for name in list(self._gaps):
            node = self._fleet.nodes.get(name)
            if node is None or node.line.watermark >= node.line.highest:
                self._gaps.discard(name)
                continue
            with self._fleet.guarded(node):
                self._close_gap(node, now)

    def _close_gap(self, node: NodeState, now: float) -> None:
        if not node.reachable:
            return
        if not node.line.settled:
            if node.epoch is not None:
                self.ask(node, node.epoch, now)
            return
        if now < max(node.fetch_at, node.progress_at + FETCH_AFTER_S):
            return
        first, last = node.line.missing()[0]
        node.fetch_wait_s = min(max(node.fetch_wait_s * 2, FETCH_WAIT_S[0]), FETCH_WAIT_S[1])
        node.fetch_at = now + node.fetch_wait_s
        self.fetch(node, first, min(last, first + FETCH_MAX - 1))

    def next_at(self, now: float) -> float:
        """Return when `tick` has something to do, monotonic."""
        if self._due:
            return now + 0.1
        return now + 1.0

    def _flush_watermarks(self, now: float) -> None:
        for name in list(self._due):
            node = self._fleet.nodes.get(name)
            if node is not None and now < node.watermark_sent + WATERMARK_S:
                continue
            self._due.discard(name)
            if node is not None and node.line.settled:
                with self._fleet.guarded(node):
                    self._send_watermark(node, now)

    def _send_watermark(self, node: NodeState, now: float) -> None:
        epoch = node.epoch
        assert epoch is not None
        node.watermark_sent = now
        body = codec.encode(schema.WATERMARK_FIELDS, [node.line.watermark, None])
        self._watermark_counter += 1
        frame = self.seal(node, epoch, schema.WATERMARK, self._watermark_counter, body)
        self.publish(node, frame, qos=0)

    def _send_own(
        self, node: NodeState, order: Order, epoch: bytes | None = None, ask: bytes | None = None
    ) -> int:
        epoch = epoch or node.epoch
        assert epoch is not None
        counter = self._fleet.next_counter(node)
        now = time.time()
        body = encode_order(
            order,
            expires=now + OWN_EXPIRES_S,
            challenge=node.hello.get("challenge"),
            ask=ask,
            now=now if order["op"] == "time" else None,
        )
        self.publish(node, self.seal(node, epoch, schema.COMMAND, counter, body))
        return counter


def _challenge() -> bytes:
    while True:
        drawn = os.urandom(4)
        if any(drawn):  # four zeros are "none" on the wire
            return drawn
