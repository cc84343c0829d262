"""A controller for tests: `lampione.serve` as a process, on a broker, with nodes that are fakes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lampione import keys
from lampione.core.client import Client, NoCore

from tests.brokers import Broker, wait_until
from tests.controller.fake_node import SHARD, FakeNode, Flash
from tests.controller.store.whole import bodies_in

RESEND_S = 5.0


class Rig:
    """A state folder, a core that can be killed, and nodes."""

    def __init__(self, folder: Path, broker: Broker, nodes: Iterable[str] = ("a-1",)):
        self.folder = folder
        self.broker = broker
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / keys.FILE).exists():
            keys.new(folder / keys.FILE, nodes)
        self.keys = keys.load(folder / keys.FILE)
        self.process: subprocess.Popen[bytes] | None = None
        self.nodes: list[FakeNode] = []
        self.client: Client

    def start(self) -> None:
        """Start the core and wait until it answers."""
        with (self.folder / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "serve.log").read_text()
            try:
                self.client = Client.open(self.folder)
            except NoCore:
                return False
            return True

        wait_until("the core answers", answers)
        wait_until("the core is connected", lambda: self.status()["broker"]["connected"])

    def command(self) -> list[str]:
        """Return the module that serves, and its arguments."""
        return ["lampione.serve", str(self.folder), SHARD, self.broker.url]

    def status(self) -> Any:
        """Return the core's status."""
        return self.client.call("status")

    def kill9(self) -> None:
        """End the core as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the core in good order; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, sign: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.client.close()
        os.kill(self.process.pid, sign)
        code = self.process.wait(20)
        self.process = None
        return code

    def node(self, name: str = "a-1", flash: Flash | None = None, obeys: bool = True) -> FakeNode:
        """Return a node that has booted, is connected and was greeted."""
        node = FakeNode(name, self.keys[name], flash, obeys)
        node.boot()
        self.nodes.append(node)
        node.connect(self.broker.host, self.broker.port)
        wait_until("its hello is accepted", lambda: self.show(name)["epoch"] == node.epoch.hex())
        return node

    def show(self, name: str = "a-1") -> Any:
        """Return what the core knows of a node."""
        return self.client.call("show", node=name)

    def settle(self, node: FakeNode) -> None:
        """Wait until the node has been told that all it holds is stored.

        It sends again what is not, as nodes do that hear of no progress: a broker that was killed
        forgets, and one whose reader was killed waits for the acknowledgement first.
        """
        last = [time.monotonic()]

        def covered() -> bool:
            if time.monotonic() > last[0] + RESEND_S:
                last[0] = time.monotonic()
                node.hello()
                node.resend()
            return node.flash.acked >= node.flash.next_seq - 1

        wait_until(f"{node.name} is covered: {node.flash.next_seq - 1}", covered)

    def stored(self) -> list[tuple[bytes, int, int]]:
        """Return the identity of every frame in the database."""
        return [identity[1:] for identity, _ in bodies_in(self.folder / "lampione.db")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for node in self.nodes:
            node.disconnect()
        self.stop()
