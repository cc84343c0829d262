"""The core: one thread that owns the session, the store's writer, the keys and the counters.

A round: read what has come; when there is enough of it or it has waited long enough, take it in;
do what front ends ask; commit once; only then acknowledge to the broker, publish to nodes and
tell front ends. When a commit fails nothing of the round was said to anybody: the connection is
dropped, memory is loaded again from the store, and the broker delivers again.
"""

import contextlib
import logging
import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lampione.api import BrokerStatus
from lampione.broker_url import BrokerUrl
from lampione.core.feed import Feeds
from lampione.core.folder import StateFolder
from lampione.fleet.commands import Commands
from lampione.fleet.configs import Configs
from lampione.fleet.downlink import Downlink
from lampione.fleet.node import Fleet
from lampione.ingest.intake import Intake
from lampione.ingest.session import Connector, Received, Session
from lampione.store import StoreError, TelemetryStore

BATCH_MAX = 2000
BATCH_S = 0.05
TICK_S = 0.25
FEED_S = 0.1
BACKOFF_S = (0.2, 30.0)  # first, last; the wait is drawn between half of it and the whole
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
        shard: str,
    ):
        self.folder = folder
        self.shard = shard
        self.url = url
        self.store = store
        self.fleet = Fleet(store, folder.keys)
        self.downlink = Downlink(shard, self.fleet, store)
        self.commands = Commands(self.fleet, store, self.downlink)
        self.configs = Configs(self.fleet, store, self.downlink, self.commands)
        self.intake = Intake(shard, self.fleet, store, self.downlink, self.commands, self.configs)
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
        self._session: Session | None = None
        self._connector: Connector | None = None
        self._connect_at = 0.0
        self._backoff_s = BACKOFF_S[0]
        self._oldest: float | None = None  # when the batch's first message came
        self._tick_at = 0.0
        self._feed_at = 0.0
        self._requests: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._stopping = False
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="core", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after a last commit, and close the store."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self.store.close()

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
            if self._session is not None:
                self._session.close()
            self.feeds.close()
            for _, answer in self._requests:
                answer.cancel()

    def _until(self, now: float) -> float:
        """Return when there is something to do even if nothing comes, monotonic."""
        session = self._session
        if session is not None and session.more and session.error is None:
            return now  # what has come already makes no socket readable
        until = min(self._tick_at, self.downlink.next_at(now))
        if self._oldest is not None:
            until = min(until, self._oldest + BATCH_S)
        if self.intake.changed and self.feeds.any:
            until = min(until, self._feed_at)
        return until

    def _wait(self) -> None:
        now = time.monotonic()
        until = self._until(now)
        readers: list[Any] = [self._wake_read]
        writers: list[Any] = []
        session = self._session
        if session is not None and session.fileno() >= 0:
            if len(session.received) < BATCH_MAX:
                readers.append(session)
            if session.wants_write:
                writers.append(session)
        try:
            ready, _, _ = select.select(readers, writers, [], max(0.0, until - now))
        except (OSError, ValueError):
            return  # the connection ended under us: the round will see
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)

    def _round(self, now: float, *, last: bool = False) -> None:
        session = self._session
        answers: list[_Answer] = []
        try:
            batch = self._collect(now, last=last)
            new = self.intake.take(batch) if batch else 0
            self._answer(answers)
            if now >= self._tick_at:
                self._tick_at = now + TICK_S
                self.commands.tick(now)
                self.configs.tick(now)
            self.downlink.tick(now)
            self.store.commit()
        except StoreError as error:
            for answer, _, _ in answers:
                answer.set_exception(error)
            self._start_over(error, now)
            return
        if session is not None:
            session.acknowledge([message.mid for message in batch if message.mid])
        for answer, result, error_ in answers:
            if error_ is None:
                answer.set_result(result)
            else:
                answer.set_exception(error_)
        self.commands.tell()
        self.configs.tell()
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
        if not last:
            self._connect(now)

    def _collect(self, now: float, *, last: bool) -> list[Received]:
        """Return a batch, when it is due."""
        session = self._session
        if session is None:
            self._oldest = None
            return []
        session.read(BATCH_MAX)
        waiting = session.received
        if not waiting:
            return []
        if self._oldest is None:
            self._oldest = now
        if len(waiting) < BATCH_MAX and now < self._oldest + BATCH_S and not last:
            return []
        self._oldest = None
        batch = list(waiting)
        waiting.clear()
        return batch

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
        session = self._session
        if session is None:
            self.downlink.take()  # nodes and commands repeat what matters
            return
        outgoing = self.downlink.take()
        if session.ready:
            for topic, payload, qos in outgoing:
                session.publish(topic, payload, qos)
            session.write()
        session.tick(now)

    def _start_over(self, error: StoreError, now: float) -> None:
        """Nothing of this round happened."""
        _log.error("the store failed, starting over: %s", error)
        self.store.rollback()
        self._lost_link(f"the store failed: {error}", now)
        self._connect_at = now + STORE_RETRY_S
        self.downlink.forget()
        self.fleet.load()
        self.commands.load()
        self.configs.load()
        self.intake.forget()

    def _connect(self, now: float) -> None:
        """Look after the connection: notice its end, and make the next one."""
        session = self._session
        if session is not None:
            if session.error is not None:
                self._lost_link(session.error, now)
            elif session.ready and not self.broker["connected"]:
                _log.info("connected to %s as ingest-%s", self.url, self.shard)
                self._backoff_s = BACKOFF_S[0]
                self.broker["connects"] += 1
                self._tell_link(connected=True, error=None)
            return
        connector = self._connector
        if connector is None:
            if now >= self._connect_at:
                self._connector = Connector(self.url, self.shard, self.wake)
        elif connector.done:
            self._connector = None
            if connector.session is None:
                self._lost_link(connector.error or "no connection", now)
            else:
                self._session = connector.session

    def _tell_link(self, *, connected: bool, error: str | None) -> None:
        self.broker["connected"] = connected
        self.broker["since"] = time.time()
        self.broker["error"] = error
        self.feeds.link(self.broker)

    def _lost_link(self, why: str, now: float) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        self._oldest = None
        if self.broker["connected"] or self.broker["error"] != why:
            _log.warning("%s", why)
            self._tell_link(connected=False, error=why)
        self._connect_at = now + self._backoff_s * random.uniform(0.5, 1)  # noqa: S311
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_S[1])
