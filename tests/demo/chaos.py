"""Eleven lampposts while the broker and the controller are killed and the power is cut."""

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lampione import keys, seeds
from lampione.broker import LocalBroker
from lampione.core.client import Client
from lampione.demo import processes
from lampione.demo.lampposts import Lampposts, Sounds
from lampione_hil.firmware import compile_tree

from tests.demo.flash_image import Identity, committed

INTERVAL_S = 2
SETTLE_S = 90.0


@dataclass
class Outcome:
    """What a run came to. `created` is what the nodes' flashes hold at its end."""

    created: int = 0
    stored: int = 0
    doubled: int = 0
    lost: int = 0  # recorded as lost
    unexplained: list[Identity] = field(default_factory=list)  # neither stored nor recorded
    altered: list[Identity] = field(default_factory=list)  # stored with other contents
    deeds: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        deeds = ", ".join(f"{count} × {deed}" for deed, count in sorted(self.deeds.items()))
        return (
            f"{deeds}: {self.created} created, {self.stored} stored, {self.doubled} doubled, "
            f"{self.lost} lost, {len(self.unexplained)} unexplained"
        )


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = SETTLE_S) -> None:
    """Return when it holds. Raises AssertionError when it does not in time."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, what
        threading.Event().wait(0.1)


class District:
    """Everything that can be broken, and how."""

    def __init__(self, state: Path, seed: int, ends: ExitStack) -> None:
        self.state = state
        self.dice = random.Random(seed)
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
        ends.callback(self._end_core)
        self.posts.build(
            self.fleet, self.keys, compile_tree(), Sounds(None, 70.0, None), self.port, INTERVAL_S
        )
        self.core.wait()
        self.deeds: Counter[str] = Counter()

    def _end_core(self) -> None:
        if self.core is not None:
            self.core.close()

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

    def cut(self) -> None:
        """Let a node's power fail at one of its next writes."""
        board = self.posts.bench.boards[self.dice.choice(self.names)]
        board.cut_power_at_write(self.dice.randint(1, 8), self.dice.random())

    def power_on(self) -> None:
        """Switch on what a torn write has switched off."""
        for board in self.posts.bench.boards.values():
            if not board.running:
                self.deeds["power cut"] += 1
                board.power_on()

    def torment(self, duration_s: float) -> None:
        """Break things for so long."""
        pause = threading.Event()
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            deed = self.dice.random()
            if deed < 0.12:
                self.kill_broker()
            elif deed < 0.24:
                self.kill_core()
            elif deed < 0.30:
                self.kill_core()
                self.kill_broker()
            else:
                self.cut()
            pause.wait(self.dice.uniform(0.2, 1.5))
            self.power_on()
            self.revive()

    def heal(self) -> None:
        """Mend everything."""
        self.revive()
        for board in self.posts.bench.boards.values():
            board.cut_power_at_write(0)
        self.power_on()

    def flashes(self) -> dict[Identity, bytes]:
        """Switch all off, read what every flash holds, switch all on again."""
        found: dict[Identity, bytes] = {}
        for name, board in self.posts.bench.boards.items():
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

    def judge(self, created: dict[Identity, bytes]) -> Outcome:
        """Compare what the flashes held with what the database holds."""
        self._end_core()
        self.core = None
        outcome = Outcome(created=len(created), deeds=self.deeds)
        database = sqlite3.connect(f"file:{self.state / 'lampione.db'}?mode=ro", uri=True)
        with database:
            rows = database.execute(
                "SELECT n.name, e.epoch, e.boot, f.seq, f.body FROM frames f"
                " JOIN epochs e ON e.id = f.epoch JOIN nodes n ON n.id = e.node"
            ).fetchall()
            spans = database.execute(
                "SELECT n.name, l.first, l.last FROM losses l JOIN nodes n ON n.id = l.node"
            ).fetchall()
        database.close()
        stored = {(name, epoch, boot, seq): body for name, epoch, boot, seq, body in rows}
        outcome.stored = sum(identity in stored for identity in created)
        # Once by identity, and once by contents: a number seals one text only.
        outcome.doubled = len(rows) - len(stored)
        outcome.doubled += len(rows) - len({(row[0], row[3]) for row in rows})
        for identity, text in created.items():
            if identity not in stored:
                name, _, _, seq = identity
                if any(n == name and first <= seq <= last for n, first, last in spans):
                    outcome.lost += 1
                else:
                    outcome.unexplained.append(identity)
            elif stored[identity] != text:
                outcome.altered.append(identity)
        return outcome


def run(state: Path, duration_s: float, seed: int) -> Outcome:
    """Torment a district for so long; return what became of its frames."""
    with ExitStack() as ends:
        district = District(state, seed, ends)
        for board in district.posts.bench.boards.values():
            board.power_on()
        district.torment(duration_s)
        district.heal()
        created = district.flashes()
        district.wait_covered(created)
        return district.judge(created)
