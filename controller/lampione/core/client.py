"""The way to the core for front ends: blocking calls and streams over its socket.

    with Client.open(state_folder) as core:
        for item in core.stream("watch"): ...
        core.call("show", node="romana-01")

A `Client` may be used from several threads; each call and stream waits for its own answers. A
stream ends when its iterator is closed, when the core answers it or when the connection ends.
"""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from lampione.api import NODES_PAGE, SOCKET, Json


class CoreError(Exception):
    """The core said no; `kind` is one of `api.ErrorKind`. The text is for people."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class NoCore(CoreError):
    """Nobody answers on the socket, or the connection ended."""

    def __init__(self, message: str):
        super().__init__("no core", message)


class Client:
    """One connection. Use `Client.open`."""

    def __init__(self, connection: socket.socket):
        self._socket = connection
        self._write_lock = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Json] | None]] = {}
        self._last_id = 0
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="core-client", daemon=True)
        self._reader.start()

    @classmethod
    def open(cls, state_folder: Path, timeout_s: float = 5.0) -> Self:
        """Connect to the core of this state folder. Raises NoCore."""
        path = state_folder / SOCKET
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            raise NoCore(
                f"no core answers on {path} ({error.strerror or error}): start `lampione serve`"
            ) from None
        connection.settimeout(None)
        return cls(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; whoever waits gets NoCore."""
        with contextlib.suppress(OSError):  # the core went first
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join(5)
        self._socket.close()

    def call(self, op: str, *, timeout_s: float | None = 30.0, **parameters: Json) -> Any:
        """Ask and wait for the answer. Raises CoreError, NoCore, TimeoutError."""
        number, answers = self._ask(op, parameters)
        try:
            while True:
                answer = self._next(answers, timeout_s)
                if "result" in answer:
                    return answer["result"]
        finally:
            self._forget(number)

    def stream(self, op: str, **parameters: Json) -> Iterator[Any]:
        """Yield the items as they come, then the answer, unless that is None.

        For `send`, the last thing yielded is therefore the final state. Raises as `call`.
        """
        number, answers = self._ask(op, parameters)
        done = False
        try:
            while True:
                answer = self._next(answers, None)
                if "result" in answer:
                    done = True
                    if answer["result"] is not None:
                        yield answer["result"]
                    return
                yield answer["item"]
        except CoreError:
            done = True
            raise
        finally:
            self._forget(number)
            if not done:
                self._cancel(number)

    def _ask(
        self, op: str, parameters: dict[str, Json]
    ) -> tuple[int, "queue.SimpleQueue[dict[str, Json] | None]"]:
        answers: queue.SimpleQueue[dict[str, Json] | None] = queue.SimpleQueue()
        with self._lock:
            if self._ended:
                raise NoCore("the core ended the connection")
            self._last_id += 1
            number = self._last_id
            self._waiting[number] = answers
        self._write({"id": number, "op": op, **parameters})
        return number, answers

    def _write(self, request: dict[str, Json]) -> None:
        line = json.dumps(request, separators=(",", ":")).encode() + b"\n"
        try:
            with self._write_lock:
                self._socket.sendall(line)
        except OSError as error:
            raise NoCore(f"the core ended the connection: {error}") from None

    def _cancel(self, number: int) -> None:
        try:
            with self._lock:
                self._last_id += 1
                cancel = self._last_id
            self._write({"id": cancel, "op": "cancel", "of": number})
        except NoCore:
            pass  # then there is no stream to end

    def _next(
        self, answers: "queue.SimpleQueue[dict[str, Json] | None]", timeout_s: float | None
    ) -> dict[str, Json]:
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"the core did not answer within {timeout_s:g} s") from None
        if answer is None:
            raise NoCore("the core ended the connection")
        if "error" in answer:
            raise CoreError(answer["error"]["kind"], answer["error"]["message"])
        return answer

    def _forget(self, number: int) -> None:
        with self._lock:
            self._waiting.pop(number, None)

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    with self._lock:
                        waiting = self._waiting.get(answer.get("id"))
                    if waiting is not None:
                        waiting.put(answer)
        except (OSError, ValueError):
            pass  # an ended connection: said to those who wait, below
        with self._lock:
            self._ended = True
            for waiting in self._waiting.values():
                waiting.put(None)


def every_node(core: Client) -> Iterator[dict[str, Json]]:
    """Yield every node as `nodes` tells it, by name, asking page by page. Raises as `call`."""
    after: dict[str, Json] = {}
    while True:
        page = core.call("nodes", **after)
        yield from page
        if len(page) < NODES_PAGE:
            return
        after = {"after": page[-1]["node"]}
