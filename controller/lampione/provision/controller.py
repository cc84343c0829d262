"""The controller, as the bench needs it: who is there, orders with what becomes of them.

One watching connection for all boards; each board's thread waits here for its own node, and every
wait has an end.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from lampione.core.client import Client, CoreError, NoCore
from lampione.provision.errors import ProvisionError

KNOWN_S = 8.0  # the core looks at its key file every two seconds
_LOOK_S = 0.25
_ORDER_S = 30.0  # an order that is not accepted by then has expired
_START = "start `lampione serve` with the same --state, then run this again"

Row = dict[str, Any]
"""A node as the core says it: `lampione.api.Node`."""


class Controller:
    """A running controller. Use `open`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._news = threading.Condition()
        self._rows: dict[str, Row] = {}
        self._ended: str | None = None
        self._watcher = threading.Thread(target=self._watch, name="provision-watch", daemon=True)
        self._watcher.start()

    @classmethod
    def open(cls, state: Path) -> Self:
        """Connect to the controller of a state folder. Raises ProvisionError."""
        try:
            return cls(Client.open(state))
        except NoCore as error:
            raise ProvisionError(str(error).partition(":")[0], _START) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; whoever waits is told."""
        self._client.close()
        self._watcher.join(5)

    def _watch(self) -> None:
        why = "the controller ended the connection"
        try:
            for item in self._client.stream("watch"):
                with self._news:
                    for row in item.get("nodes", ()):
                        self._rows[row["node"]] = row
                    self._news.notify_all()
        except CoreError as error:
            why = str(error)
        with self._news:
            self._ended = why
            self._news.notify_all()

    def broker(self) -> str:
        """Return the URL of the controller's broker, without its password."""
        return str(self._call("status")["broker"]["url"])

    def wait_known(self, node: str) -> None:
        """Wait until the controller has a new node's key. Raises ProvisionError."""
        end = time.monotonic() + KNOWN_S
        while True:
            try:
                self._client.call("show", node=node)
                return
            except NoCore as error:
                raise ProvisionError(str(error), _START) from None
            except CoreError as error:
                if error.kind != "unknown" or time.monotonic() > end:
                    raise ProvisionError(
                        f"the controller does not take {node}'s key: {error}",
                        "see that it runs with the same --state, and restart it",
                    ) from None
            with self._news:  # nobody tells of a key: look again
                self._news.wait(_LOOK_S)

    def row(self, node: str) -> Row | None:
        """Return the latest of a node."""
        with self._news:
            return self._rows.get(node)

    def wait(self, node: str, test: Callable[[Row], bool], what: str, within_s: float) -> Row:
        """Wait until a node's latest passes a test. Raises ProvisionError, naming `what`."""
        end = time.monotonic() + within_s
        with self._news:
            while True:
                row = self._rows.get(node)
                if row is not None and test(row):
                    return row
                if self._ended is not None:
                    raise ProvisionError(self._ended, _START)
                left = end - time.monotonic()
                if left <= 0:
                    raise ProvisionError(f"{what} did not come within {within_s:g} s", _why(row))
                self._news.wait(left)

    def abandon(self) -> None:
        """Have whoever waits stop waiting: Ctrl-C."""
        with self._news:
            self._ended = "stopped"
            self._news.notify_all()

    def pause(self, node: str, within_s: float) -> None:
        """Wait until a node is heard of again, or the time is over."""
        end = time.monotonic() + within_s
        with self._news:
            before = self._rows.get(node)
            while self._rows.get(node) is before and self._ended is None:
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._news.wait(left)

    def order(self, node: str, order: dict[str, Any], *, to_end: bool = False) -> Row:
        """Give an order; return its state once the node has said yes or no.

        With `to_end` once it is carried out. Raises ProvisionError when the controller ends.
        """
        state: Row = {"state": "not sent", "reason": None}
        try:
            for state in self._client.stream("send", node=node, command=order, expires_s=_ORDER_S):
                if state["final"] or (state["state"] == "accepted" and not to_end):
                    break
        except NoCore as error:
            raise ProvisionError(str(error), _START) from None
        except CoreError as error:
            state = {"state": "refused", "reason": str(error)}
        return state

    def config_version(self, node: str) -> int:
        """Return the highest version of a config that is known of a node."""
        state = self._call("configs", nodes=[node])[0]
        return max(state["running"] or 0, state["wanted"] or 0)

    def rekey(self, node: str) -> None:
        """Have the controller take a node's new key. Raises ProvisionError."""
        self._call("rekey", node=node)

    def adopt(self, node: str, version: int, config: bytes) -> None:
        """Tell the controller which config a node was given. Raises ProvisionError."""
        self._call("adopt", configs={node: config.hex()}, version=version)

    def _call(self, op: str, **parameters: Any) -> Any:
        try:
            return self._client.call(op, **parameters)
        except (CoreError, TimeoutError) as error:
            raise ProvisionError(f"the controller: {error}", _START) from None


def _why(row: Row | None) -> str:
    """Say where to look when a node is not heard."""
    if row is None or row["state"] == "never":
        return "see the Wi-Fi's name and password, the broker's address, and that it is in reach"
    if row["refused"]:
        return "frames of it are refused: `lampione refused` says why"
    return "see `lampione show`, and the node's serial line"
