"""From a batch of messages to the store: open, place in the sequence, store, remember.

Nothing here is durable or said to anybody until the core has committed.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lampione_protocol import schema, topics
from lampione_protocol.errors import ProtocolError
from lampione_protocol.names import EVENTS

from lampione import values
from lampione.fleet.commands import Commands
from lampione.fleet.configs import Configs
from lampione.fleet.downlink import Downlink
from lampione.fleet.node import Fleet, NodeState
from lampione.fleet.sequences import SEQ_MAX, Arrival, Greeting
from lampione.ingest.opener import Opened, Refused, open_up, time_of
from lampione.ingest.session import Received
from lampione.seals import Ciphers
from lampione.store import Frame, TelemetryStore

_DAMAGED = EVENTS.index("outbox damaged")
_KNOWN = frozenset(
    kind for kind in values.NAMES if kind not in (schema.HELLO, schema.COMMAND, schema.WATERMARK)
)

_JUDGED = frozenset((schema.REPORT, schema.HEALTH, schema.EVENT))


class Intake:
    """The way in. `changed` names nodes whose live state changed; whoever shows it clears it."""

    def __init__(
        self,
        fleet: Fleet,
        store: TelemetryStore,
        downlink: Downlink,
        commands: Commands,
        configs: Configs,
    ):
        self._fleet = fleet
        self._store = store
        self._downlink = downlink
        self._commands = commands
        self._configs = configs
        self._ciphers = Ciphers()
        self._topics: dict[str, tuple[NodeState, bool]] = {}
        self.changed: set[str] = set()
        self.heard: list[tuple[int, str, Frame]] = []  # for alarms, who clear it
        self.refusals: Counter[tuple[str, str]] = Counter()  # so do they with this

    def forget(self) -> None:
        """The fleet was loaded anew."""
        self._topics.clear()
        self.heard.clear()
        self.refusals.clear()

    def forget_key(self, node: NodeState) -> None:
        """Its key is another one: what the last one sealed is refused."""
        self._ciphers.forget(node.name)

    def take(self, batch: Iterable[Received]) -> int:
        """Take a batch in; return how many frames were new. Raises StoreError."""
        wall, now = time.time(), time.monotonic()
        frames: list[Frame] = []
        moved: dict[str, NodeState] = {}
        refused: Counter[tuple[str, str]] = Counter()
        unknown_types = 0
        for topic, payload, _ in batch:
            found = self._topics.get(topic) or self._resolve(topic, refused)
            if found is None:
                continue
            node, is_state = found
            if is_state:
                self._claim(node, payload, wall)
                continue
            hello: dict[str, Any] | None = None
            try:
                opened = open_up(self._ciphers, node.name, node.key, payload)
                if opened.type == schema.HELLO:
                    hello = _read_hello(self._fleet, node, opened.body)
                elif not 1 <= opened.seq <= SEQ_MAX:
                    raise Refused("body")
            except Refused as refusal:
                refused[(node.name, refusal.args[0])] += 1
                continue
            moved[node.name] = node
            if hello is not None:
                with self._fleet.guarded(node):
                    self._hello(node, opened.body, hello, wall, now)
                continue
            if opened.type not in _KNOWN:
                unknown_types += 1
            number = self._store.epoch_id(node.id, opened.epoch, opened.boot)
            at = time_of(opened.type, opened.body)
            frame = Frame(number, opened.seq, opened.type, wall, at, opened.body)
            frames.append(frame)  # first: whatever happens now, nothing is counted but not stored
            with self._fleet.guarded(node):
                self._count(node, opened, frame, now)
        new = self._store.frames(frames)
        if moved:
            self._store.lines((_compact(node), node.id) for node in moved.values())
            self._downlink.changed(moved.values())
            self._fleet.touch(moved.values())
            self.changed.update(moved)
        totals = {
            "stored": new,
            "duplicates": len(frames) - new,
            "unknown_type": unknown_types,
            "refused": refused.total(),
        }
        self._store.add_totals({name: count for name, count in totals.items() if count})
        if refused:
            self._fleet.refuse(refused, wall)
            self.refusals.update(refused)
            self.changed.update(name for name, _ in refused if name)
        return new

    def _resolve(
        self, topic: str, refused: Counter[tuple[str, str]]
    ) -> tuple[NodeState, bool] | None:
        parsed = topics.parse(topic)
        if parsed is None or parsed[0] not in self._fleet.shards or parsed[2] == topics.DOWN:
            refused[("", "topic")] += 1
            return None
        node = self._fleet.find(parsed[1])
        if node is not None and node.shard != parsed[0]:
            refused[("", "topic")] += 1
            return None
        if node is None:
            if parsed[2] == topics.UP:
                refused[("", "unknown node")] += 1
            return None
        found = self._topics[topic] = (node, parsed[2] == topics.STATE)
        return found

    def _claim(self, node: NodeState, payload: bytes, wall: float) -> None:
        if payload not in (topics.ONLINE, topics.OFFLINE):
            return
        node.claimed, node.claimed_at = payload == topics.ONLINE, wall
        self.changed.add(node.name)
        self._fleet.touch([node])
        if node.claimed:
            with self._fleet.guarded(node):
                self._commands.pump(node)
                self._configs.pump(node)

    def _count(self, node: NodeState, opened: Opened, frame: Frame, now: float) -> None:
        kind, epoch, boot, seq, body = opened
        wall = frame.received
        line = node.line
        before = line.watermark
        arrival = line.receive(epoch, boot, seq)
        if line.watermark != before:
            node.progress_at = now
            node.fetch_wait_s = 0.0
        if arrival is Arrival.DUPLICATE:
            node.duplicates += 1
        elif arrival is Arrival.FOUND:
            self._store.find(node.id, seq)
            node.lost -= 1
        elif arrival is Arrival.ASIDE:
            asked_for = line.settled and node.fetch_wait_s > 0 and line.is_missing(seq)
            line.doubted |= asked_for
            self._downlink.ask(node, node.epoch if asked_for and node.epoch else epoch, now)
        elif not line.settled and line.current is not None:
            self._downlink.ask(node, line.current.epoch, now)
        node.last_seen = wall
        if arrival is not Arrival.DUPLICATE:
            node.stored += 1
            if kind in _JUDGED:
                self.heard.append((node.id, node.name, frame))
        if kind == schema.REPORT:
            if _newer(node.report, frame):
                node.report = frame
        elif kind == schema.HEALTH:
            if _newer(node.health, frame):
                node.health = frame
        elif kind in (schema.RESULT, schema.EVENT) and arrival in (Arrival.NEW, Arrival.FOUND):
            # What another flash said, or what is said again, is not of this line as it is now.
            self._told(node, kind, body, wall)

    def _told(self, node: NodeState, kind: int, body: bytes, wall: float) -> None:
        """A result or an event may end a command, or say that a number will never come."""
        try:
            said = values.steps(kind, body)
        except ProtocolError:
            return  # stored as it is
        if kind == schema.RESULT:
            if self._configs.result(node, said):
                return
            self._commands.result(node, said)
            seq = self._downlink.not_held(node, said)
        else:
            seq = said["argument"] if said["code"] == _DAMAGED else None
        if seq is not None and 0 < seq <= node.line.highest:
            self._lost(node, node.line.lose(seq, seq), wall, "not on the node's flash")

    def _lost(self, node: NodeState, spans: list[list[int]], wall: float, why: str) -> None:
        if spans:
            self._store.lose(node.id, spans, wall, why)
            count = sum(last - first + 1 for first, last in spans)
            node.lost += count
            self._store.add_totals({"lost": count})

    def _hello(
        self, node: NodeState, body: bytes, said: dict[str, Any], wall: float, now: float
    ) -> None:
        epoch, boot, first = said["epoch"], said["boot"], said["first_seq"]
        held = said["oldest_held"]
        ask = node.ask
        answered = ask is not None and ask.epoch == epoch and ask.challenge == said["answer"]
        greeting, lost = node.line.hello(epoch, boot, first, held, answered=answered)
        if greeting is Greeting.SUSPICIOUS:
            self._downlink.ask(node, epoch, now)
            return
        number = self._store.epoch_id(node.id, epoch, boot)
        if greeting is Greeting.FORK:
            self._store.supersede(node.id, number)
            self._downlink.forked(node)
        self._store.greet(node.id, number, first, wall, body)
        self._lost(node, lost, wall, "the node holds nothing older")
        if answered:
            node.ask = None
        node.greeted(body, said, wall)
        if (said["last_counter"] or 0) > node.counter:
            node.counter = said["last_counter"]
            self._store.counter(node.id, node.counter)
        self._downlink.greeted(node, now)
        self._commands.greeted(node)
        self._configs.greeted(node)
        node.forget_steps()


def _read_hello(fleet: Fleet, node: NodeState, body: bytes) -> dict[str, Any]:
    """Return a hello in steps. Raises Refused."""
    try:
        said = values.steps(schema.HELLO, body)
    except ProtocolError:
        raise Refused("body") from None
    if said["epoch"] is None or said["boot"] is None:
        raise Refused("body")
    if not said["first_seq"] or not said["oldest_held"]:  # numbers begin with 1
        raise Refused("body")
    if not fleet.plausible_counter(node, said["last_counter"] or 0):
        raise Refused("counter")
    return said


def _compact(node: NodeState) -> str:
    return json.dumps(node.line.as_json(), separators=(",", ":"))


def _newer(known: Frame | None, frame: Frame) -> bool:
    """Say whether a frame is newer than the one shown, by the node's clock where it has one."""
    if known is None or known.epoch == frame.epoch:
        return known is None or frame.seq >= known.seq
    if known.at is not None and frame.at is not None:
        return frame.at >= known.at
    return frame.epoch > known.epoch
