"""Alarms of the nodes of some shards: what comes is judged in the commit that stores it.

A sample counts at its own time; one that comes late is judged again with all that is stored around
it, read beside the core (`alarm_reads`). What a read cannot see yet is kept in memory meanwhile, so
that nothing is judged twice or not at all. Silence is judged by arrival.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lampione_protocol import schema
from lampione_protocol.errors import ProtocolError
from lampione_protocol.names import EVENTS as CODES

from lampione import values
from lampione.alarms import built_in
from lampione.alarms.book import Alarm, Book
from lampione.alarms.rules import Of, Rule
from lampione.api import BrokerStatus
from lampione.core.alarm_hours import Hourly
from lampione.core.alarm_noticed import Noticed
from lampione.core.alarm_reads import HOUR_S, Reads
from lampione.core.alarm_samples import AHEAD_S, Change, Samples
from lampione.core.alarm_silence import Silence
from lampione.fleet.node import Fleet
from lampione.live.places import Places
from lampione.store import Frame, StoreError, TelemetryReader, TelemetryStore

TICK_S = 1.0
FOLDED_S = 600.0  # after its end an hour is in the roll-ups, and so is what came late
BACK_S = 26 * HOUR_S  # of the hours that a start looks at again
AGAIN_S = (1.0, 30.0)  # between two reads: least, and in times of what the last one took
READ_MAX = 2000  # nodes at once
READ_SPAN_S = 86400  # of the first late samples of those
LATE_MAX_S = 31 * 86400  # what is older raises nothing: a node whose clock was wrong says it
_log = logging.getLogger("lampione.alarms")

Tell = Callable[[list[Alarm]], None]


class Alarming:
    """For the core's thread.

    Attributes:
        noticed: what the controller sees for itself.

    Args:
        rules: see `alarms.file`.
        reader: opens the store once more.
        beside: where it is read; default: a thread.
        clock: Unix seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        store: TelemetryStore,
        state: Path,
        rules: Sequence[Rule],
        reader: Callable[[], TelemetryReader],
        *,
        beside: Executor | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fleet = fleet
        self._store = store
        self.rules = {rule.name: rule for rule in rules}
        self.places = Places(state)
        self.book = Book(store.alarm_number)
        kinds: tuple[Of, ...] = ("report", "health")
        self._samples: dict[str, Samples] = {kind: Samples(kind, rules) for kind in kinds}
        self._hourly = Hourly(fleet, store, self.book, rules, state)
        self._events = {
            CODES.index(code): self.rules[rule.name]
            for code, rule in built_in.EVENTS.items()
            if rule.name in self.rules
        }
        self._reads = Reads(reader)
        self._beside = beside or ThreadPoolExecutor(1, "alarms")
        self._clock = clock
        self._late: dict[tuple[str, str], int] = {}  # (node, message): since
        self._new_late: dict[tuple[str, str], int] = {}  # of this round
        self._known: set[int] = set()
        self._reading: tuple[str, dict[str, int], float, Future[Any]] | None = None
        self._read_at = 0.0
        self._hour = 0  # until here hours were judged
        self._hour_dirty = 0.0  # when the first that came late since the last read was seen
        self._tick_at = 0.0
        self.noticed = Noticed(fleet, self.book, self.rules, clock)
        self._silence = Silence(fleet, self.book, self.rules.get("silent"), self.places)
        self.load()

    def load(self) -> None:
        """Take what stands from the store."""
        now = self._clock()
        nodes = self._fleet.nodes
        self.book.load(
            alarm
            for alarm in self._store.standing_alarms()
            if (alarm.node in nodes if alarm.node else alarm.shard in self._fleet.shards)
        )
        self._reading = None
        self._new_late.clear()
        self._known.clear()
        self._late = {(n, what): since for n, what, since in self._store.late() if n in nodes}
        for alarm in list(self.book.standing.values()):
            if alarm.active and alarm.rule not in self.rules:
                self.book.end(alarm.subject, alarm.rule, now, now)
        active = {
            (nodes[alarm.node].id, alarm.rule): int(alarm.since)
            for alarm in self.book.standing.values()
            if alarm.active and alarm.node
        }
        placed = self.places.placed()
        rows = max((node.id for node in nodes.values()), default=0) + 1
        for samples in self._samples.values():
            samples.grow(rows)
        for node in nodes.values():
            self._concern(node.id, node.name, placed)
        for kind, samples in self._samples.items():
            frames = {n.id: f for n in nodes.values() if (f := getattr(n, kind)) is not None}
            doubted = samples.stand(frames, active)
            for node in nodes.values():
                if node.id in doubted:
                    at = frames[node.id].at or int(frames[node.id].received)
                    at = min(at, int(frames[node.id].received))
                    key = node.name, kind
                    self._late[key] = min(at, self._late.get(key, at))
                if (node.name, kind) in self._late:
                    samples.keep(node.id)
        self.noticed.load()
        self._hour = int(now - BACK_S) // HOUR_S * HOUR_S
        self._silence.load(now)

    def _concern(self, row: int, name: str, placed: Mapping[str, Any]) -> None:
        place = placed.get(name, {})
        for samples in self._samples.values():
            samples.grow(row + 1)
            samples.concern(row, name, place.get("site", ""), place.get("profile", ""))
        self._known.add(row)

    # --- what comes

    def take(self, heard: Iterable[tuple[int, str, Frame]]) -> None:
        """Judge frames that are new: (id, name, frame)."""
        by_kind: dict[int, list[tuple[int, Frame]]] = {schema.REPORT: [], schema.HEALTH: []}
        names: dict[int, str] = {}
        now = self._clock()
        for row, name, frame in heard:
            if frame.type == schema.EVENT:
                self._event(name, frame, now)
            elif frame.type in by_kind:
                names[row] = name
                by_kind[frame.type].append((row, frame))
        fresh = names.keys() - self._known
        if fresh:
            placed = self.places.placed()
            for row in fresh:
                self._concern(row, names[row], placed)
        for samples in self._samples.values():
            changes, late = samples.take(by_kind[samples.kind])
            for row, since in late.items():
                self._is_late(names[row], samples.of, since)
                if samples.of == "report" and self._hourly.rules and since < self._hour:
                    self._is_late(names[row], "hour", since)
            for change in changes:
                self._change(change, names[change.row], now)

    def _is_late(self, name: str, what: str, since: int) -> None:
        key = name, what
        known = self._late.get(key)
        if known is None or since < known:
            self._late[key] = self._new_late[key] = since

    def _change(self, change: Change, name: str, now: float) -> None:
        rule, at = change.rule, change.at
        if change.begins:
            self.book.begin(rule, name, at, now, node=name, shard=self._shard(name),
                            value=change.value)  # fmt: skip
        else:
            self.book.end(name, rule.name, at, now)

    def _shard(self, name: str) -> str:
        node = self._fleet.nodes.get(name)
        return node.shard if node is not None else ""

    def _event(self, name: str, frame: Frame, now: float) -> None:
        try:
            said = values.steps(schema.EVENT, frame.body)
        except ProtocolError:
            return
        rule = self._events.get(said["code"])
        if rule is None:
            return
        received = int(frame.received)
        at = frame.at if frame.at is not None and frame.at <= received + AHEAD_S else received
        self.book.happened(rule, name, at, now, node=name, shard=self._shard(name))

    # --- what nobody says

    def tick(self, now: float, broker: BrokerStatus, started: float) -> None:
        """Look at what goes by the time; `now` monotonic."""
        if now < self._tick_at:
            return
        self._tick_at = now + TICK_S
        wall = self._clock()
        self.noticed.tick(wall, broker, started)
        self._silence.tick(wall, broker)
        for alarm in list(self.book.standing.values()):
            if alarm.shelved is not None and alarm.shelved <= wall:
                self.book.write(alarm.id, wall, shelved=None)
        self._read(now, wall)

    # --- what is judged again

    def _read(self, now: float, wall: float) -> None:
        if self._reading is not None:
            what, nodes, began, future = self._reading
            if not future.done():
                return
            self._reading = None
            took = time.monotonic() - began
            self._read_at = now + min(max(AGAIN_S[0], 10 * took), AGAIN_S[1])
            try:
                found = future.result()
            except StoreError as error:
                _log.warning("late samples cannot be judged yet: %s", error)
                for name, since in nodes.items():
                    self._is_late(name, what, since)
                return
            if what == "hour":
                self._hourly.take(nodes, found, self.places.placed(), wall)
                self._judged((name, "hour") for name in nodes)
            else:
                self._take_series(self._samples[what], nodes, found, wall)
        if now >= self._read_at:
            self._begin_read(now, wall)

    def _begin_read(self, now: float, wall: float) -> None:
        for what, samples in self._samples.items():
            late = self._late_of(what, wall)
            if not late:
                continue
            oldest = min(late.values())
            some = sorted(late.items(), key=lambda item: item[1])[:READ_MAX]
            nodes = {n: since for n, since in some if since <= oldest + READ_SPAN_S}
            first = oldest - samples.memory_s
            # taken off before the read: one that comes meanwhile is for the next
            for name in nodes:
                del self._late[name, what]
            future = self._beside.submit(
                self._reads.series, samples.kind, first, list(nodes), samples.fields
            )
            self._reading = what, nodes, now, future
            return
        self._begin_hours(now, wall)

    def _late_of(self, what: str, wall: float) -> dict[str, int]:
        """Return since when nodes are to be judged again."""
        least = int(wall) - LATE_MAX_S
        return {n: max(since, least) for (n, of), since in self._late.items() if of == what}

    def _begin_hours(self, now: float, wall: float) -> None:
        if not self._hourly.rules:
            return
        whole = int(wall - FOLDED_S) // HOUR_S * HOUR_S
        if abs(whole - self._hour) > 2 * BACK_S:  # our own clock was set
            self._hour = whole - BACK_S
        dirty = self._late_of("hour", wall)
        nodes: dict[str, int]
        asked: list[str] | None
        if whole > self._hour:
            nodes, first, asked = dict.fromkeys(self._fleet.nodes, self._hour), self._hour, None
            self._hour = whole
        elif dirty and wall >= self._hour_dirty + FOLDED_S:
            nodes, first, asked = dirty, min(dirty.values()), list(dirty)
            for name in dirty:
                del self._late[name, "hour"]
            self._hour_dirty = wall
        else:
            if not dirty or wall < self._hour_dirty:
                self._hour_dirty = wall
            return
        first = first // HOUR_S * HOUR_S - 4 * HOUR_S
        future = self._beside.submit(self._reads.hours, first, self._hour, asked)
        self._reading = "hour", nodes, now, future

    def _take_series(
        self, samples: Samples, nodes: Mapping[str, int], found: Iterable[Any], wall: float
    ) -> None:
        by_row: dict[int, list[Any]] = {}
        for series in found:
            for row, some in samples.samples_of(series).items():
                by_row.setdefault(row, []).extend(some)
        for name, late in nodes.items():
            node = self._fleet.nodes.get(name)
            if node is None:
                continue
            since = late - samples.memory_s
            before = [self._store.episodes(name, rule.name, since) for rule in samples.rules]
            standing = [next((e.begin for _, e in known if e.begin < since), None)
                        for known in before]  # fmt: skip
            again = samples.anew(node.id, since, by_row.get(node.id, ()), standing)
            for rule, was, now_so in zip(samples.rules, before, again, strict=True):
                if was or now_so:
                    self.book.judged(rule, name, was, now_so, wall, node.shard)
            if (name, samples.of) not in self._late:
                samples.kept.pop(node.id, None)
        self._judged([(name, samples.of) for name in nodes])

    def _judged(self, what: Iterable[tuple[str, str]]) -> None:
        gone = [key for key in what if key not in self._late]
        if gone:
            self.flush()  # their episodes, before another look at them
            self._store.drop_late(gone)

    # --- what is kept of it

    def flush(self) -> None:
        """Write what changed, in this round's commit."""
        if self._new_late:
            self._store.add_late((*key, since) for key, since in self._new_late.items())
            self._new_late.clear()
        book = self.book
        if book.changed or book.spans:
            self._store.save_alarms(list(book.changed.values()), book.spans)
            book.told.update(book.changed)
            book.changed.clear()
            book.spans.clear()

    def tell(self, tell: Tell) -> None:
        """The round is committed."""
        told, self.book.told = self.book.told, {}
        if told:
            tell(list(told.values()))

    def close(self) -> None:
        """End what reads beside the core."""
        self._beside.submit(self._reads.close)
        self._beside.shutdown(wait=True, cancel_futures=False)
