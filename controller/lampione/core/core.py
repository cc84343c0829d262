"""The core: one thread that owns the sessions, the store's writer, the keys and the counters.

A round: read what has come; when there is enough of it or it has waited long enough, take it in;
do what front ends ask; commit once; only then acknowledge to the broker, publish to nodes and
tell front ends. When a commit fails nothing of the round was said to anybody: the connections are
dropped, memory is loaded again from the store, and the broker delivers again.

It serves one shard or several, a session each. A worker (`lampione.workers`) says which: `hold`.
"""

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from lampione.alarms.book import Alarm
from lampione.alarms.load import rules_of
from lampione.api import BrokerStatus, ConfigState
from lampione.broker_url import BrokerUrl
from lampione.core.alarming import Alarming
from lampione.core.deeds import Deeds
from lampione.core.feed import Feeds
from lampione.core.folder import StateFolder
from lampione.core.link import BATCH_MAX, BATCH_S, Link
from lampione.core.shape import alarm_shape, tag_shape
from lampione.fleet.commands import Commands
from lampione.fleet.config_stage import ConfigKind
from lampione.fleet.configs import Configs
from lampione.fleet.downlink import Downlink
from lampione.fleet.node import Fleet
from lampione.fleet.staged import Staged
from lampione.fleet.tags import Tags
from lampione.ingest.intake import Intake
from lampione.ingest.session import Received
from lampione.store import StoreError, TelemetryReader, TelemetryStore
from lampione.store.leases import Fenced
from lampione.store.sqlite import SqliteEngine

TICK_S = 0.25
FEED_S = 0.1
STORE_RETRY_S = 1.0
_log = logging.getLogger("lampione.core")

_Answer = tuple["Future[Any]", Any, BaseException | None]


class Core:
    """See the module. Other threads use `ask` and `stop` only."""

    def __init__(
        self,
        folder: StateFolder,
        store: TelemetryStore,
        url: BrokerUrl,
        *shards: str,
        shard_of: Callable[[str], str] | None = None,
        reader: Callable[[], TelemetryReader] | None = None,
        beside: Executor | None = None,
    ):
        """
        Args:
            shards: to begin with.
            shard_of: of a node; without it all are of the one shard.
            reader: opens the store once more; default: the folder's database.
            beside: where alarms read it; default: a thread.
        """
        self.folder = folder
        self.url = url
        self.store = store
        self.fleet = Fleet(store, folder.keys, shards, shard_of or (lambda _: shards[0]))
        self.downlink = Downlink(self.fleet, store)
        self.commands = Commands(self.fleet, store, self.downlink)
        self.configs = Configs(self.fleet, store, self.downlink, self.commands)
        self.staged = Staged(self.fleet, store, [ConfigKind(self.configs)])
        self.tags = Tags(self.fleet, store, self.commands)
        self.configs.locked = self.staged.locked = self.tags.locked
        self.alarming = Alarming(
            self.fleet, store, folder.path, rules_of(folder.path),
            reader or SqliteEngine(folder.database).reader, beside=beside,
        )  # fmt: skip
        self.deeds = Deeds(store)
        self.commands.ended = self.deeds.command_ended
        self.configs.ended = self._config_ended
        self.staged.ended = self.deeds.rollout_ended
        self.intake = Intake(self.fleet, store, self.downlink, self.commands, self.configs)
        self.feeds = Feeds()
        self.started = time.time()
        self.batches = 0
        self.rates: deque[tuple[float, int]] = deque()  # (monotonic, new frames)
        self.broker: BrokerStatus = {
            "url": str(url),
            "connected": False,
            "since": None,
            "error": None,
            "connects": 0,
        }
        self._links: dict[str, Link] = {}
        self._held: tuple[str, dict[str, int]] | None = None  # holder, terms
        self._held_until = float("inf")  # monotonic
        self._load_at: float | None = None  # monotonic: memory is not what the store says
        self._tick_at = 0.0
        self._feed_at = 0.0
        self._requests: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._stopping = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="core", daemon=True)
        self._tie(shards)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after a last commit, and close the store."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self.alarming.close()
        self.store.close()

    @property
    def shard(self) -> str:
        """Return the shards that are served now, as people read them."""
        return ",".join(sorted(self.fleet.shards))

    def hold(self, holder: str, terms: Mapping[str, int], until: float) -> "Future[Any]":
        """Serve the shards of these leases and no others; the answer comes when it is so.

        Args:
            terms: {shard: term of its lease}.
            until: monotonic; if this is not said again by then, others may serve them.
        """
        return self.ask(lambda: self._hold(holder, dict(terms), until))

    @property
    def alive(self) -> bool:
        """Say whether the thread runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Have the thread look around now."""
        with contextlib.suppress(BlockingIOError):  # it is being woken already
            os.write(self._wake_write, b".")

    def ask(self, question: Callable[[], Any]) -> "Future[Any]":
        """Run `question` in the core's thread; its answer comes after the round's commit."""
        answer: Future[Any] = Future()
        self._requests.append((question, answer))
        self.wake()
        return answer

    def commit(self) -> None:
        """In the core's thread: keep what this round did, and who did it. Raises StoreError."""
        self.alarming.flush()
        self.deeds.flush()
        self.store.commit()

    def _config_ended(self, state: ConfigState) -> None:
        self.alarming.noticed.config_ended(state)
        self.deeds.config_ended(state)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wait()
                self._round(time.monotonic())
            self._round(time.monotonic(), last=True)
        except BaseException as error:  # noqa: BLE001
            # Whoever serves us ends the process: a core that limps on helps nobody.
            self.failure = error
            _log.exception("the core failed")
        finally:
            for link in self._links.values():
                link.close()
            self.feeds.close()
            for _, answer in self._requests:
                answer.cancel()

    def _until(self, now: float) -> float:
        """Return when there is something to do even if nothing comes, monotonic."""
        links = self._links.values()
        if any(link.has_more for link in links):
            return now
        if self._load_at is not None:
            return self._load_at
        until = min(self._tick_at, self.downlink.next_at(now))
        for link in links:
            if link.oldest is not None:
                until = min(until, link.oldest + BATCH_S)
        if self.intake.changed and self.feeds.any:
            until = min(until, self._feed_at)
        return until

    def _wait(self) -> None:
        now = time.monotonic()
        until = self._until(now)
        readers: list[Any] = [self._wake_read]
        writers: list[Any] = []
        for link in self._links.values():
            session = link.session
            if session is not None and session.fileno() >= 0:
                if len(session.received) < BATCH_MAX:
                    readers.append(session)
                if session.wants_write:
                    writers.append(session)
        try:
            ready, _, _ = select.select(readers, writers, [], max(0.0, until - now))
        except (OSError, ValueError):
            return  # a connection ended under us: the round will see
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)

    def _round(self, now: float, *, last: bool = False) -> None:
        if self._load_at is not None and (last or not self._load(now)):
            return
        if now > self._held_until:
            for link in self._links.values():
                link.lose("the lease was not renewed", now)
        answers: list[_Answer] = []
        batches: list[tuple[Link, list[Received]]] = []
        try:
            batches = [(link, link.collect(now, last=last)) for link in self._links.values()]
            batch = [message for _, part in batches for message in part]
            new = self.intake.take(batch) if batch else 0
            self._hear()
            self._answer(answers)
            if now >= self._tick_at:
                self._tick_at = now + TICK_S
                self.commands.tick(now)
                self.configs.tick(now)
                self.staged.tick()
                self.tags.tick()
                self.alarming.tick(now, self.broker, self.started)
            self.downlink.tick(now)
            self.commit()
        except StoreError as error:
            for answer, _, _ in answers:
                answer.set_exception(error)
            self._start_over(error, now)
            return
        for link, part in batches:
            link.acknowledge(part)
        for answer, result, error_ in answers:
            if error_ is None:
                answer.set_result(result)
            else:
                answer.set_exception(error_)
        self.deeds.clear()
        self.alarming.tell(self._tell_alarms)
        self.commands.tell()
        self.configs.tell()
        if self.tags.changed:
            self.tags.changed = False
            self.feeds.tags([tag_shape(tag) for tag in self.tags.all()])
        self._publish(now)
        if batch:
            self.batches += 1
            self.rates.append((now, new))
            while self.rates and self.rates[0][0] < now - 10:
                self.rates.popleft()
        if self.intake.changed and (not self.feeds.any or now >= self._feed_at or last):
            self._feed_at = now + FEED_S
            changed, self.intake.changed = self.intake.changed, set()
            nodes = [self.fleet.nodes.get(name) for name in changed]  # keys may have gone
            self.feeds.changed([node for node in nodes if node is not None])
        if not last and now <= self._held_until and self._load_at is None:
            for link in self._links.values():
                link.connect(now)

    def _hear(self) -> None:
        """Have alarms judge what came in."""
        intake = self.intake
        if intake.heard:
            heard, intake.heard = intake.heard, []
            self.alarming.take(heard)
        if intake.refusals:
            self.alarming.noticed.refused(intake.refusals)
            intake.refusals.clear()

    def _tell_alarms(self, alarms: list[Alarm]) -> None:
        if self.feeds.any:
            self.feeds.alarms([alarm_shape(alarm) for alarm in alarms])

    def _answer(self, answers: list[_Answer]) -> None:
        """Answer what front ends asked, into `answers`."""
        while self._requests:
            question, answer = self._requests.popleft()
            if not answer.set_running_or_notify_cancel():
                continue  # the asker has gone; from here on it can no longer cancel
            try:
                answers.append((answer, question(), None))
            except StoreError:
                answers.append((answer, None, None))
                raise
            except Exception as error:  # noqa: BLE001 - the asker's, not ours
                answers.append((answer, None, error))

    def _publish(self, now: float) -> None:
        """Hand out what goes to nodes; without a connection they and commands repeat it."""
        for shard, topic, payload, qos in self.downlink.take():
            link = self._links.get(shard)
            if link is not None and link.session is not None and link.session.ready:
                link.session.publish(topic, payload, qos)
        for link in self._links.values():
            if link.session is not None:
                if link.session.ready:
                    link.session.write()
                link.session.tick(now)

    def _start_over(self, error: StoreError, now: float) -> None:
        """Nothing of this round happened."""
        _log.error("the store failed, starting over: %s", error)
        self.alarming.noticed.failed(str(error))
        self.store.rollback()
        self.deeds.clear()
        for link in self._links.values():
            link.lose(f"the store failed: {error}", now, STORE_RETRY_S)
        if isinstance(error, Fenced):
            left = self.fleet.shards - error.shards
            self.fleet.shards = left
            if self._held is not None:
                holder, terms = self._held
                self._held = holder, {s: term for s, term in terms.items() if s in left}
            self._tie(left)
        self._load_at = now
        self._load(now)

    def _load(self, now: float) -> bool:
        """Make memory what the store says; say whether that was possible."""
        if self._load_at is not None and now < self._load_at:
            return False
        self.downlink.forget()
        if self._held is not None:
            self.store.fence(*self._held)
        try:
            self.fleet.load()
            self.commands.load()
            self.configs.load()
            self.staged.load()
            self.tags.load()
            self.alarming.load()
        except StoreError as error:
            _log.error("the store cannot be read: %s", error)
            self.store.rollback()
            self._load_at = now + STORE_RETRY_S
            for _, answer in self._requests:
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(error)
            self._requests.clear()
            return False
        self.intake.forget()
        self._load_at = None
        return True

    def _hold(self, holder: str, terms: dict[str, int], until: float) -> None:
        """See `hold`. Nothing of a shard that goes is said to anybody after this round."""
        self._held_until = until
        if self._held == (holder, terms) and self.fleet.shards == terms.keys():
            return
        self.commands.shared = True
        self._held = holder, terms
        self.fleet.shards = frozenset(terms)
        self._tie(terms)
        self._load_at = time.monotonic()  # before the next round

    def _tie(self, shards: Iterable[str]) -> None:
        """Have a link a shard."""
        wanted = set(shards)
        for shard in self._links.keys() - wanted:
            self._links.pop(shard).close()
        for shard in sorted(wanted - self._links.keys()):
            self._links[shard] = Link(self.url, shard, self.wake, self._tell_link)
        self._tell_link()

    def _tell_link(self) -> None:
        """Say how the connections are, as if they were one."""
        links = self._links.values()
        lost = [link for link in links if not link.connected]
        self.broker["connected"] = not lost
        self.broker["since"] = max((link.since for link in links if link.since), default=None)
        self.broker["error"] = next((link.error for link in lost if link.error), None)
        self.broker["connects"] = sum(link.connects for link in links)
        self.feeds.link(self.broker)
