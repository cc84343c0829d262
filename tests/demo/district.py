"""Broker, controller and virtual lampposts as the demo runs them, for tests to break."""

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lampione import keys, seeds
from lampione.broker import LocalBroker
from lampione.core.client import Client
from lampione.demo import processes
from lampione.demo.lampposts import Lampposts, Sounds
from lampione_hil.firmware import compile_tree
from lampione_hil.virtual import VirtualBoard

from tests.controller.store.whole import bodies_in
from tests.demo.flash_image import Identity, committed

INTERVAL_S = 2
SETTLE_S = 90.0


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = SETTLE_S) -> None:
    """Return when it holds. Raises AssertionError when it does not in time."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, what
        threading.Event().wait(0.1)


class District:
    """Everything that can be broken, and how."""

    def __init__(self, state: Path, ends: ExitStack) -> None:
        self.state = state
        self.fleet = seeds.load(seeds.shipped())
        self.names = [node.id for node in self.fleet.running]
        keys.new(state / keys.FILE, self.names)
        self.keys = keys.load(state / keys.FILE)
        self.posts = Lampposts(state / "bench")
        ends.callback(self.posts.close)
        self.posts.start()
        self.broker = LocalBroker(state / "broker")
        self.port = self.broker.start(processes.free_port()).port
        ends.callback(self.broker.stop)
        self.core: processes.Core | None = processes.Core(state, self.port)
        ends.callback(self.end_core)
        self.posts.build(
            self.fleet, self.keys, compile_tree(), Sounds(None, 70.0, None), self.port, INTERVAL_S
        )
        self.core.wait()
        self.deeds: Counter[str] = Counter()

    @property
    def boards(self) -> dict[str, VirtualBoard]:
        """Every lamppost's board."""
        return self.posts.bench.boards

    def end_core(self) -> None:
        """End it in good order."""
        if self.core is not None:
            self.core.close()
            self.core = None

    def kill_broker(self) -> None:
        """Kill it where it stands."""
        running = self.broker.status()
        if running is not None:
            os.kill(running.pid, signal.SIGKILL)
            self.deeds["broker killed"] += 1

    def kill_core(self) -> None:
        """Kill the controller where it stands."""
        if self.core is not None:
            os.kill(self.core.pid, signal.SIGKILL)
            self.core.close()
            self.core = None
            self.deeds["controller killed"] += 1

    def revive(self) -> None:
        """Start again what was killed."""
        self.broker.start(self.port)
        if self.core is None:
            self.core = processes.Core(self.state, self.port)
            self.core.wait()

    def power_on(self) -> None:
        """Switch on what a torn write has switched off."""
        for board in self.boards.values():
            if not board.running:
                self.deeds["power cut"] += 1
                board.power_on()

    def flashes(self) -> dict[Identity, bytes]:
        """Switch all off, read what every flash holds, switch all on again."""
        found: dict[Identity, bytes] = {}
        for name, board in self.boards.items():
            board.power_off()
            found |= committed(board.flash, name, self.keys[name])
            board.power_on()
        return found

    def wait_covered(self, created: dict[Identity, bytes]) -> None:
        """Wait until every node's watermark covers what its flash held."""
        highest = dict.fromkeys(self.names, 0)
        for name, _, _, seq in created:
            highest[name] = max(highest[name], seq)
        with Client.open(self.state) as client:

            def behind() -> dict[str, tuple[int, int]]:
                return {
                    row["node"]: (row["watermark"] or 0, highest[row["node"]])
                    for row in client.call("nodes")
                    if row["node"] in highest and (row["watermark"] or 0) < highest[row["node"]]
                }

            wait_for(lambda: not behind(), f"watermarks stay behind: {behind()}")

    def database(self) -> sqlite3.Connection:
        """Open the controller's database for reading."""
        return sqlite3.connect(f"file:{self.state / 'lampione.db'}?mode=ro", uri=True)

    def stored(self) -> dict[Identity, bytes]:
        """Return the text of every frame in the database."""
        rows = bodies_in(self.state / "lampione.db")
        found = dict(rows)
        assert len(found) == len(rows)
        return found
