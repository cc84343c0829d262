"""From the core's socket to the screen: threads fill a box, the screen empties it.

Widgets never see a socket, and threads never see a widget: ten looks a second at a box cost less
than a message an event, and a screen that stands still fills no memory.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lampione.core.client import Client, CoreError, NoCore

RETRY_S = (0.2, 0.5, 1.0, 2.0)
ASK_S = 1.0  # between two looks at the status, and at the node that is open

Item = tuple[str, Any]
"""("link", error or None), ("nodes", rows), ("status", Status), ("broker", BrokerStatus) or
("detail", Detail)."""


class Feed(Protocol):
    """Where the screen's data comes from."""

    def start(self) -> None:
        """Begin to fill."""

    def stop(self) -> None:
        """End; returns when nothing more comes."""

    def drain(self) -> list[Item]:
        """Return what has come since the last look."""
        ...

    def focus(self, node: str | None) -> None:
        """Bring the details of this node too, and of no other."""


class Box:
    """What threads put and the screen takes; of each node and each kind only the latest waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, Any] = {}
        self._others: dict[str, Any] = {}

    def put(self, kind: str, what: Any) -> None:
        """Add an item; safe from any thread."""
        with self._lock:
            if kind == "nodes":
                self._rows.update((row["node"], row) for row in what)
            else:
                self._others[kind] = what

    def drain(self) -> list[Item]:
        """Take all there is."""
        with self._lock:
            rows, others = self._rows, self._others
            self._rows, self._others = {}, {}
        items: list[Item] = list(others.items())
        if rows:
            items.append(("nodes", list(rows.values())))
        return items


class CoreFeed:
    """The feed of a core's socket: reconnects by itself until it is stopped."""

    def __init__(self, state_folder: Path) -> None:
        self._state = state_folder
        self._box = Box()
        self._stopped = threading.Event()
        self._asked = threading.Event()
        self._node: str | None = None
        self._client: Client | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to fill."""
        self._threads = [
            threading.Thread(target=target, name=f"feed-{target.__name__}", daemon=True)
            for target in (self._watch, self._ask)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the connection and the threads."""
        self._stopped.set()
        self._asked.set()
        if self._client is not None:
            self._client.close()
        for thread in self._threads:
            thread.join(5)

    def drain(self) -> list[Item]:
        """Return what has come since the last look."""
        return self._box.drain()

    def focus(self, node: str | None) -> None:
        """Bring the details of this node too, and of no other."""
        self._node = node
        self._asked.set()

    def _watch(self) -> None:
        tries = 0
        while not self._stopped.is_set():
            try:
                with Client.open(self._state) as client:
                    self._client = client
                    self._box.put("link", None)
                    self._asked.set()
                    for item in client.stream("watch"):
                        tries = 0
                        self._take(item)
                        if self._stopped.is_set():
                            return
                error = "the controller ended the connection"
            except CoreError as failure:
                error = str(failure)
            finally:
                self._client = None
            if not self._stopped.is_set():
                self._box.put("link", error)
                self._stopped.wait(RETRY_S[min(tries, len(RETRY_S) - 1)])
                tries += 1

    def _take(self, item: Mapping[str, Any]) -> None:
        if item["kind"] in ("snapshot", "change"):
            self._box.put("nodes", item["nodes"])
        elif item["kind"] == "broker":
            self._box.put("broker", item["broker"])

    def _ask(self) -> None:
        while not self._stopped.is_set():
            client, node = self._client, self._node
            self._asked.clear()
            if client is not None:
                try:
                    self._box.put("status", client.call("status", timeout_s=5))
                    if node is not None:
                        self._box.put("detail", client.call("show", node=node, timeout_s=5))
                except (NoCore, CoreError, TimeoutError):
                    pass  # the watching thread says what there is to say
            self._asked.wait(ASK_S)
