"""One shard's connection to the broker: made, lost, made again; its messages in batches."""

import logging
import random
import time
from collections.abc import Callable

from lampione.broker_url import BrokerUrl
from lampione.ingest.session import Connector, Received, Session

BATCH_MAX = 2000
BATCH_S = 0.05
BACKOFF_S = (0.2, 30.0)  # first, last; the wait is drawn between half of it and the whole
_log = logging.getLogger("lampione.core")


class Link:
    """For the core's thread. `changed` is called when the connection comes or goes."""

    def __init__(
        self, url: BrokerUrl, shard: str, wake: Callable[[], None], changed: Callable[[], None]
    ):
        self.shard = shard
        self.session: Session | None = None
        self.connected = False
        self.since: float | None = None
        self.error: str | None = None
        self.connects = 0
        self.oldest: float | None = None  # monotonic, when the batch's first message came
        self._url = url
        self._wake = wake
        self._changed = changed
        self._connector: Connector | None = None
        self._connect_at = 0.0
        self._backoff_s = BACKOFF_S[0]
        self._turn = 0  # of the cluster's servers

    @property
    def has_more(self) -> bool:
        """Say whether messages that have come already wait: no socket becomes readable then."""
        session = self.session
        return session is not None and session.more and session.error is None

    def collect(self, now: float, *, last: bool) -> list[Received]:
        """Return a batch, when it is due."""
        session = self.session
        if session is None:
            self.oldest = None
            return []
        session.read(BATCH_MAX)
        waiting = session.received
        if not waiting:
            return []
        if self.oldest is None:
            self.oldest = now
        if len(waiting) < BATCH_MAX and now < self.oldest + BATCH_S and not last:
            return []
        self.oldest = None
        batch = list(waiting)
        waiting.clear()
        return batch

    def acknowledge(self, batch: list[Received]) -> None:
        """Tell the broker that this batch, the last one collected, is stored."""
        if self.session is not None:
            self.session.acknowledge([message.mid for message in batch if message.mid])

    def connect(self, now: float) -> None:
        """Notice the connection's end, and make the next one."""
        session = self.session
        if session is not None:
            if session.error is not None:
                self.lose(session.error, now)
            elif session.ready and not self.connected:
                _log.info("connected to %s as ingest-%s", self._url, self.shard)
                self._backoff_s = BACKOFF_S[0]
                self.connects += 1
                self._tell(connected=True, error=None)
            return
        connector = self._connector
        if connector is None:
            if now >= self._connect_at:
                url = self._url.for_session(self.shard, self._turn)
                self._connector = Connector(url, self.shard, self._wake)
        elif connector.done:
            self._connector = None
            if connector.session is None:
                self.lose(connector.error or "no connection", now)
            else:
                self.session = connector.session

    def lose(self, why: str, now: float, wait_s: float | None = None) -> None:
        """End the connection, if there is one; the next is made after `wait_s` or as due."""
        if self.session is not None:
            self.session.close()
            self.session = None
        self.oldest = None
        self._turn += 1
        if self.connected or self.error != why:
            _log.warning("%s: %s", self.shard, why)
            self._tell(connected=False, error=why)
        if wait_s is None:
            wait_s = self._backoff_s * random.uniform(0.5, 1)  # noqa: S311
        self._connect_at = now + wait_s
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_S[1])

    def close(self) -> None:
        """End it for good; the broker keeps the session."""
        if self.session is not None:
            self.session.close()
            self.session = None
        if self._connector is not None:
            self._connector.abandon()

    def _tell(self, *, connected: bool, error: str | None) -> None:
        self.connected, self.since, self.error = connected, time.time(), error
        self._changed()
