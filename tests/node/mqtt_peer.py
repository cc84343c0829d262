"""The node's MQTT client in a MicroPython process, driven from a test line by line."""

import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from lampione_hil import interpreter

from tests.brokers import Broker

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
PATH = (FIRMWARE, ROOT / "protocol")

_SCRIPT = """
import asyncio, binascii, gc, json, sys
from lampione_node import mqtt

connection = None

def say(**what):
    print(json.dumps(what))

def got(topic, payload):
    if payload == b"raise":
        raise ValueError("as asked")
    say(message=topic, payload=binascii.hexlify(payload).decode())

async def got_later(topic, payload):
    await asyncio.sleep_ms(1)
    got(topic, payload)

async def watch(of):
    try:
        await of.run()
        say(ended="", text="")
    except mqtt.MqttError as error:
        say(ended=type(error).__name__, text=str(error))

async def do(id, what, **given):
    global connection
    try:
        result = None
        if what == "connect":
            given["on_message"] = got_later if given.pop("later", False) else got
            if "will" in given:
                given["will"] = tuple(given["will"])
            made = mqtt.Connection(**given)
            result = await made.connect()
            connection = made
            asyncio.create_task(watch(made))
        elif what == "publish":
            given["payload"] = binascii.unhexlify(given["payload"])
            await connection.publish(**given)
        elif what == "memory":
            gc.collect()
            result = gc.mem_alloc()
        elif what == "counts":
            result = [connection.skipped, connection.faults]
        else:
            result = await getattr(connection, what)(**given)
        say(id=id, result=result)
    except (mqtt.MqttError, ValueError) as error:
        say(id=id, error=type(error).__name__, text=str(error))

async def main():
    lines = asyncio.StreamReader(sys.stdin)
    while line := await lines.readline():
        asyncio.create_task(do(**json.loads(line)))

asyncio.run(main())
"""


class NodeError(AssertionError):
    """The node's client answered with an error; `kind` is its class."""

    def __init__(self, kind: str, text: str):
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class Node:
    """A node's MQTT connection. Use it in a `with`; leaving it kills the process."""

    def __init__(self) -> None:
        self._id = 0
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._kept: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [*interpreter.command(), "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env={**os.environ, "MICROPYPATH": ":".join([*map(str, PATH), ".frozen"])},
        )
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill9()

    def kill9(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def freeze(self) -> None:
        """Stop the process where it stands: it keeps its connection and says nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def sockets(self) -> int:
        """Return how many sockets the process holds open; skips the test where unknown."""
        folder = Path(f"/proc/{self._process.pid}/fd")
        if not folder.exists():
            pytest.skip("needs /proc")
        links = [os.readlink(entry) for entry in folder.iterdir()]
        return sum(link.startswith("socket:") for link in links)

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line) if line.startswith("{") else {"stray": line})

    def wait(self, timeout_s: float = 20, **wanted: object) -> dict[str, Any]:
        """Return the first line that has these values (None: any value), and take it away."""

        def fits(line: dict[str, Any]) -> bool:
            return all(k in line and (v is None or line[k] == v) for k, v in wanted.items())

        for line in self._kept:
            if fits(line):
                self._kept.remove(line)
                return line
        while True:
            try:
                line = self._lines.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(f"no {wanted} in {timeout_s} s; had {self._kept}") from None
            assert "stray" not in line, line["stray"] + "".join(
                str(more.get("stray")) for more in list(self._lines.queue)
            )
            if fits(line):
                return line
            self._kept.append(line)

    def send(self, what: str, **given: object) -> int:
        """Start a command; return its number for `result()`."""
        assert self._process.stdin is not None
        self._id += 1
        print(json.dumps({"id": self._id, "what": what, **given}), file=self._process.stdin)
        return self._id

    def result(self, number: int) -> Any:
        """Wait for the command's end. Raises NodeError."""
        line = self.wait(id=number)
        if "error" in line:
            raise NodeError(line["error"], line["text"])
        return line["result"]

    def do(self, what: str, **given: object) -> Any:
        """Run a command to its end and return its result."""
        return self.result(self.send(what, **given))

    def connect(self, broker: Broker | int, client_id: str = "n001", **given: Any) -> bool:
        """Connect to a broker, or to a loopback port; True when the session was kept."""
        settings = given.pop("settings", {})
        if isinstance(broker, Broker):
            settings = {"host": broker.host, "port": broker.port, **settings}
        else:
            settings = {"host": "127.0.0.1", "port": broker, **settings}
        given.setdefault("timeout_s", 10)
        present = self.do("connect", settings=settings, client_id=client_id, **given)
        assert isinstance(present, bool)
        return present

    def publish(self, topic: str, payload: bytes, **given: object) -> None:
        """Publish and wait for the acknowledgement."""
        self.do("publish", topic=topic, payload=payload.hex(), **given)

    def message(self, timeout_s: float = 20) -> tuple[str, bytes]:
        """Wait for the next message that the node received."""
        line = self.wait(timeout_s, message=None)
        return line["message"], bytes.fromhex(line["payload"])
