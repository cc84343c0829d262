"""From the core's socket to a front end: threads fill a box, the front end empties it.

Widgets never see a socket, and threads never see a widget: ten looks a second at a box cost less
than a message an event, and a screen that stands still fills no memory.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from lampione.core.client import Client, CoreError, NoCore

RETRY_S = (0.2, 0.5, 1.0, 2.0)
ASK_S = 1.0  # between two looks at the status

Item = tuple[str, Any]
"""("link", error or None), ("nodes", rows), ("status", Status), ("broker", BrokerStatus),
("sites", {node: Placed}), ("alarms", alarms) those that changed, ("tags", tags) all, or
("who", Entered)."""

_BY = {"nodes": "node", "alarms": "id"}  # of these the latest of each waits


class Feed(Protocol):
    """Where a front end's data comes from, and what answers it."""

    def start(self) -> None:
        """Begin to fill."""

    def stop(self) -> None:
        """End; returns when nothing more comes."""

    def drain(self) -> list[Item]:
        """Return what has come since the last look."""
        ...

    def call(self, op: str, **parameters: Any) -> Any:
        """Ask and wait, in a thread that may wait. Raises CoreError, TimeoutError."""
        ...

    def stream(self, op: str, **parameters: Any) -> Iterator[Any]:
        """Yield the items as they come, see `Client.stream`; close it to end it."""
        ...


class Box:
    """What threads put and the front end takes; of each thing only the latest waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[Any, Any]] = {kind: {} for kind in _BY}
        self._others: dict[str, Any] = {}

    def put(self, kind: str, what: Any) -> None:
        """Add an item; safe from any thread."""
        with self._lock:
            if kind in _BY:
                key = _BY[kind]
                self._rows[kind].update((row[key], row) for row in what)
            else:
                self._others[kind] = what

    def drain(self) -> list[Item]:
        """Take all there is."""
        with self._lock:
            rows, others = self._rows, self._others
            self._rows, self._others = {kind: {} for kind in _BY}, {}
        items: list[Item] = list(others.items())
        items += [(kind, list(each.values())) for kind, each in rows.items() if each]
        return items


class CoreFeed:
    """The feed of a core's socket: reconnects by itself until it is stopped.

    Args:
        operator, pin: who works here; without, whoever the system says.
    """

    def __init__(
        self, state_folder: Path, operator: str | None = None, pin: str | None = None
    ) -> None:
        self._state = state_folder
        self._entry: dict[str, Any] = {"operator": operator, "pin": pin}
        self._box = Box()
        self._stopped = threading.Event()
        self._asked = threading.Event()
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

    def call(self, op: str, **parameters: Any) -> Any:
        """See `Feed`."""
        found = self._connected().call(op, **parameters)
        if op == "enter":  # so it shall be after the next connection, too
            self._entry = {key: parameters.get(key) for key in self._entry}
            self._box.put("who", found)
        return found

    def stream(self, op: str, **parameters: Any) -> Iterator[Any]:
        """See `Feed`."""
        return self._connected().stream(op, **parameters)

    def _connected(self) -> Client:
        client = self._client
        if client is None:
            raise NoCore("the controller does not answer")
        return client

    def _watch(self) -> None:
        tries = 0
        while not self._stopped.is_set():
            try:
                with Client.open(self._state) as client:
                    self._enter(client)
                    self._box.put("sites", client.call("places"))
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

    def _enter(self, client: Client) -> None:
        """Say who works here; what is refused is shown, and whoever it is may look."""
        try:
            self._box.put("who", client.call("enter", **self._entry))
        except NoCore:
            raise
        except CoreError as error:
            # A controller that knows no operators lets everybody do everything.
            role = "configure" if error.kind == "unknown" else "view"
            self._box.put("who", {"operator": None, "role": role, "why": str(error)})

    def _take(self, item: Mapping[str, Any]) -> None:
        if item["kind"] in ("snapshot", "change"):
            self._box.put("nodes", item["nodes"])
        elif item["kind"] in ("broker", "alarms", "tags"):
            self._box.put(item["kind"], item[item["kind"]])

    def _ask(self) -> None:
        while not self._stopped.is_set():
            client = self._client
            self._asked.clear()
            if client is not None:
                # What goes wrong is the watching thread's to say.
                with suppress(CoreError, TimeoutError):
                    self._box.put("status", client.call("status", timeout_s=5))
            self._asked.wait(ASK_S)
