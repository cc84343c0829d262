"""What the core holds of each node, and of all of them."""

import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lampione_protocol import schema
from lampione_protocol.errors import RangeError
from lampione_protocol.seal import COUNTER_MAX

from lampione import keys, values
from lampione.fleet.sequences import Line
from lampione.live.select import Selector
from lampione.live.state import Live
from lampione.store import Frame, StoredNode, StoreError, TelemetryStore

TOUCHED_MAX = 2000  # nodes, before the live state follows unasked
KEYS_LOOK_S = 2.0  # how often the key file is looked at for a node that is not in it
FAILURE_LOG_S = 60.0  # a node's failures are all counted, and logged no more often
COUNTER_AHEAD = 86400  # a node's last counter beyond the time, or beyond what we gave it
_log = logging.getLogger("lampione.fleet")


@dataclass
class Ask:
    """A challenge of ours that a node has yet to answer."""

    epoch: bytes
    challenge: bytes
    again_at: float  # monotonic
    wait_s: float


@dataclass(slots=True)
class NodeState:
    """One node. Times are Unix seconds, but for those marked monotonic."""

    id: int
    name: str
    shard: str
    key: bytes
    line: Line
    counter: int
    hello_body: bytes | None = None
    hello_at: float | None = None
    report: Frame | None = None
    health: Frame | None = None
    last_seen: float | None = None
    claimed: bool | None = None  # what /state says; nobody vouches for it
    claimed_at: float = 0.0
    stored: int = 0
    duplicates: int = 0
    lost: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    ask: Ask | None = None
    time_sent: float = float("-inf")  # monotonic
    watermark_sent: float = float("-inf")  # monotonic
    progress_at: float = float("-inf")  # monotonic, of the watermark
    fetch_at: float = float("-inf")  # monotonic, not before
    fetch_wait_s: float = 0.0
    failed_at: float = float("-inf")  # monotonic, when a failure of ours was logged
    shown: dict[int, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)  # core.shape's
    _said: tuple[bytes | None, dict[str, Any]] = (None, {})  # a hello, and the same in steps

    @property
    def reachable(self) -> bool:
        """Say whether a command has a chance: not claimed offline, or heard since."""
        if self.claimed is None:
            return self.last_seen is not None
        return self.claimed or (self.last_seen or 0.0) > self.claimed_at

    @property
    def hello(self) -> dict[str, Any]:
        """Return the last hello, in steps."""
        body = self.hello_body
        if body is None:
            return {}
        if self._said[0] is not body:
            self._said = body, values.steps(schema.HELLO, body)
        return self._said[1]

    def greeted(self, body: bytes, said: dict[str, Any], at: float) -> None:
        """Keep a hello that was accepted; `said`: the same in steps."""
        self.hello_body, self._said = body, (body, said)
        self.hello_at = self.last_seen = at

    def forget_steps(self) -> None:
        """Keep the hello's bytes alone: of a city the steps would take much room."""
        self._said = (None, {})

    @property
    def missing(self) -> int:
        """Return how many numbers have not come."""
        line = self.line
        if line.watermark >= line.highest:
            return 0
        return line.highest - line.watermark - len(line.above)

    @property
    def epoch(self) -> bytes | None:
        """The epoch to seal under."""
        current = self.line.current
        return None if current is None else current.epoch


def fill(live: Live, nodes: Sequence[NodeState]) -> None:
    """Have the live state know what these nodes last said."""
    live.know(
        [node.id for node in nodes],
        seen=[node.last_seen or 0.0 for node in nodes],
        claimed=[-1 if node.claimed is None else node.claimed for node in nodes],
        claimed_at=[node.claimed_at for node in nodes],
        missing=[node.missing for node in nodes],
        lost=[node.lost for node in nodes],
        refused=[sum(node.refusals.values()) for node in nodes],
    )
    known = live.hello.received
    hellos = {
        node.id: Frame(0, 0, schema.HELLO, node.hello_at, None, node.hello_body)
        for node in nodes
        if node.hello_body and node.hello_at and node.hello_at != known[node.id]
    }
    for part, frames in (
        (live.report, {node.id: node.report for node in nodes if node.report}),
        (live.health, {node.id: node.health for node in nodes if node.health}),
        (live.hello, hellos),
    ):
        part.take(list(frames), list(frames.values()))


class Fleet:
    """All nodes of some shards that have a key, by name, with what the store knows of them."""

    def __init__(
        self,
        store: TelemetryStore,
        key_file: Path,
        shards: Collection[str],
        shard_of: Callable[[str], str],
    ):
        self.shards = frozenset(shards)
        self._shard_of = shard_of
        self._store = store
        self._key_file = key_file
        self._looked = 0.0
        self._stamp: tuple[int, int] = (0, 0)
        self._keys = keys.Keys()
        self.nodes: dict[str, NodeState] = {}
        self._live = Live()
        self._touched: dict[int, NodeState] = {}
        self.load()

    def load(self) -> None:
        """Take everything from the store and the key file. Raises StoreError, KeyFileError."""
        self._read_keys()
        self.nodes.clear()
        self._touched.clear()
        self._live = Live()
        self.selector = Selector(self._live)
        self._add(name for name in self._keys if self.is_ours(name))
        self._store.commit()
        for row in self._store.refusals():
            if row["node"] in self.nodes:
                self.nodes[row["node"]].refusals[row["reason"]] = row["count"]

    def is_ours(self, name: str) -> bool:
        """Say whether a node is of our shards; whoever else serves the others."""
        return self._shard_of(name) in self.shards

    def is_elsewhere(self, name: str) -> bool:
        """Say whether a node has a key and is of a shard that is not ours."""
        return name in self._keys and not self.is_ours(name)

    def _read_keys(self) -> None:
        found = keys.load(self._key_file)
        status = self._key_file.stat()
        self._stamp = (status.st_mtime_ns, status.st_ino)
        self._keys = found

    def _add(self, names: Iterable[str]) -> None:
        """Take these from the store, all at once."""
        by_name = {stored.name: stored for stored in self._store.nodes()}
        added = [by_name.get(name) or self._store.add_node(name) for name in names]
        if not added:
            return
        ids = None if len(added) == len(self._keys) else [stored.id for stored in added]
        lost = self._store.lost_counts()
        reports = self._store.latest(schema.REPORT, ids)
        healths = self._store.latest(schema.HEALTH, ids)
        for stored in added:
            node = self._node(stored)
            node.lost = lost.get(node.id, 0)
            report = node.report = reports.get(node.id)
            health = node.health = healths.get(node.id)
            seen = [frame.received for frame in (report, health) if frame] + [node.hello_at or 0.0]
            node.last_seen = max(seen) or None
            self.nodes[node.name] = node
            self._touched[node.id] = node
        self._live.add([(stored.id, stored.name) for stored in added])

    def _node(self, stored: StoredNode) -> NodeState:
        line = Line() if stored.line is None else Line.from_json(json.loads(stored.line))
        shard, key = self._shard_of(stored.name), self._keys[stored.name]
        node = NodeState(stored.id, stored.name, shard, key, line, stored.counter)
        if stored.hello is not None:
            node.hello_body, node.hello_at = stored.hello, stored.hello_at
        return node

    def find(self, name: str) -> NodeState | None:
        """Return a node; one that got its key a moment ago too."""
        node = self.nodes.get(name)
        if node is None and self._keys_changed():
            new = self._keys.keys() - self.nodes.keys()
            self._add(name for name in new if self.is_ours(name))
            node = self.nodes.get(name)
        return node

    def rekey(self, node: NodeState) -> bool:
        """Take a node's key from the file, where it is another one now; say whether it is there."""
        try:
            key = keys.load(self._key_file).get(node.name)
        except keys.KeyFileError:
            return False
        if key is not None:
            self._keys[node.name] = node.key = key
        return key is not None

    def touch(self, nodes: Iterable[NodeState]) -> None:
        """What is known of these is not what it was."""
        self._touched.update((node.id, node) for node in nodes)
        if len(self._touched) >= TOUCHED_MAX:
            self.live()

    def live(self) -> Live:
        """Return what every node last said, up to date."""
        touched = list(self._touched.values())
        if touched:
            self._touched.clear()
            fill(self._live, touched)
        return self._live

    def refresh(self) -> None:
        """Take in nodes that got a key since."""
        self.find("")

    def _keys_changed(self) -> bool:
        now = time.monotonic()
        if now < self._looked + KEYS_LOOK_S:
            return False
        self._looked = now
        try:
            status = self._key_file.stat()
            if (status.st_mtime_ns, status.st_ino) == self._stamp:
                return False
            before = self._keys
            self._read_keys()
        except (OSError, keys.KeyFileError):
            return False  # those that we have go on
        # Keys that went or changed take effect at the next start.
        self._keys = keys.Keys({**self._keys, **before}, self._keys.groups)
        return True

    def next_counter(self, node: NodeState) -> int:
        """Return the next command's counter; it is durable with the next commit.

        Never below the time: a database restored from a backup has forgotten counters that the
        node has accepted, and every command with one of those would be refused as a replay.
        Raises RangeError when there are no more of them.
        """
        counter = max(node.counter, values.wire_seconds(time.time())) + 1
        if counter > COUNTER_MAX:  # never one twice: two texts would be sealed with one nonce
            raise RangeError("counter", counter, 0, COUNTER_MAX)
        node.counter = counter
        self._store.counter(node.id, counter)
        return counter

    def plausible_counter(self, node: NodeState, counter: int) -> bool:
        """Say whether this may be the counter of the last command that the node accepted.

        Counters follow the time, ours may have been wrong once, and a backup may know less: so it
        is compared with both. One at the end of the range would leave the node without commands.
        """
        known = max(node.counter, values.wire_seconds(time.time()))
        return counter <= known + COUNTER_AHEAD

    def refuse(self, counts: Mapping[tuple[str, str], int], wall: float) -> None:
        """Count what was refused: {(node or "", reason): how often}. Raises StoreError."""
        self._store.refused(dict(counts), wall)
        for (name, reason), count in counts.items():
            node = self.nodes.get(name)
            if node is not None:
                node.refusals[reason] = node.refusals.get(reason, 0) + count
                self._touched[node.id] = node

    @contextmanager
    def guarded(self, node: NodeState) -> Iterator[None]:
        """What goes wrong with one node is counted, logged, and stops no other. Raises StoreError.

        Wrapped around work of which nothing needs to be undone.
        """
        try:
            yield
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - counted and logged
            self.refuse({(node.name, "internal"): 1}, time.time())
            now = time.monotonic()
            if now >= node.failed_at + FAILURE_LOG_S:
                node.failed_at = now
                _log.exception("%s: a failure of ours, please report it", node.name)
