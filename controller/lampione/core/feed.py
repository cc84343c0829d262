"""Front ends that watch: each gets what changed, the latest only when it is slow."""

import asyncio
from collections.abc import Callable, Iterable

from lampione.api import Alarm, BrokerStatus, Node, Tag, WatchItem
from lampione.core.shapes import node_shapes
from lampione.fleet.node import NodeState


class Feed:
    """One watcher. Filled by the core's thread, read in an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, nodes: frozenset[str] | None):
        self._loop = loop
        self._nodes = nodes
        self._waiting: dict[str, Node] = {}
        self._links: list[BrokerStatus] = []
        self._tags: list[Tag] | None = None
        self._alarms: dict[int, Alarm] = {}
        self._dropped = 0
        self._event = asyncio.Event()
        self._ended = False

    def wants(self, node: str) -> bool:
        """Say whether the watcher asked for this node."""
        return self._nodes is None or node in self._nodes

    def offer(
        self,
        rows: list[Node],
        link: BrokerStatus | None = None,
        tags: list[Tag] | None = None,
        alarms: list[Alarm] | None = None,
        *,
        end: bool = False,
    ) -> None:
        """In the core's thread: hand over."""
        self._loop.call_soon_threadsafe(self._put, rows, link, tags, alarms, end)

    def _put(
        self,
        rows: list[Node],
        link: BrokerStatus | None,
        tags: list[Tag] | None,
        alarms: list[Alarm] | None,
        end: bool,
    ) -> None:
        for row in rows:
            self._dropped += row["node"] in self._waiting
            self._waiting[row["node"]] = row
        if link is not None:
            self._links = [link]
        if tags is not None:
            self._tags = tags
        self._alarms.update((alarm["id"], alarm) for alarm in alarms or ())
        self._ended |= end
        self._event.set()

    async def next(self) -> list[WatchItem] | None:
        """Wait for changes; None when the core ends."""
        await self._event.wait()
        if not self._ended:
            self._event.clear()
        items: list[WatchItem] = [{"kind": "broker", "broker": link} for link in self._links]
        if self._tags is not None:
            items.append({"kind": "tags", "tags": self._tags})
        if self._alarms:
            items.append({"kind": "alarms", "alarms": list(self._alarms.values())})
        if self._dropped:
            items.append({"kind": "dropped", "count": self._dropped})
        if self._waiting:
            items.append({"kind": "change", "nodes": list(self._waiting.values())})
        self._links, self._tags, self._dropped, self._waiting = [], None, 0, {}
        self._alarms = {}
        return None if self._ended and not items else items


class Feeds:
    """All watchers. Used in the core's thread."""

    def __init__(self) -> None:
        self._feeds: list[Feed] = []

    @property
    def any(self) -> bool:
        """Say whether somebody watches."""
        return bool(self._feeds)

    def add(self, feed: Feed) -> None:
        """Start to feed."""
        self._feeds.append(feed)

    def remove(self, feed: Feed) -> None:
        """Stop."""
        if feed in self._feeds:
            self._feeds.remove(feed)

    def changed(self, nodes: Iterable[NodeState]) -> None:
        """These nodes are not what they were."""
        if not self._feeds:
            return
        rows = node_shapes(nodes)
        self._each(lambda feed: [row for row in rows if feed.wants(row["node"])], None)

    def link(self, broker: BrokerStatus) -> None:
        """The connection to the broker came or went."""
        self._each(lambda _: [], broker.copy())

    def tags(self, tags: list[Tag]) -> None:
        """These lamps are locked, and no others."""
        self._each(lambda _: [], None, tags)

    def alarms(self, alarms: list[Alarm]) -> None:
        """These alarms are not what they were."""
        self._each(lambda _: [], None, alarms=alarms)

    def _each(
        self,
        rows: Callable[[Feed], list[Node]],
        link: BrokerStatus | None,
        tags: list[Tag] | None = None,
        alarms: list[Alarm] | None = None,
    ) -> None:
        for feed in list(self._feeds):
            chosen = rows(feed)
            if chosen or link is not None or tags is not None or alarms:
                try:
                    feed.offer(chosen, link, tags, alarms)
                except RuntimeError:  # its event loop has ended
                    self._feeds.remove(feed)

    def close(self) -> None:
        """The core ends."""
        for feed in self._feeds:
            try:
                feed.offer([], end=True)
            except RuntimeError:
                continue
