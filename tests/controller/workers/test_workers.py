"""Two workers on one store: they share, one takes over, a late one cannot write beside it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lampione import keys
from lampione.core.client import Client, NoCore
from lampione.store.engine import open_engine

from tests.brokers import Broker, running_broker, wait_until
from tests.controller.brokers.cluster import seed_of
from tests.controller.fake_node import FakeNode

HERE, THERE = ["a-1", "a-2"], ["b-1", "b-2"]


class Workers:
    """A store, a fleet of the shards a and b, and workers by number."""

    def __init__(self, folder: Path, broker: Broker, url: str, ends: ExitStack):
        self.folder = folder
        self.broker = broker
        self.url = url
        open_engine(url).writer().close()
        seed_of(folder / "fleet.toml", HERE, THERE)
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.nodes: dict[str, FakeNode] = {}
        self._ends = ends
        self._start_keys()

    def _start_keys(self) -> None:
        keys.new(self.folder / keys.FILE, HERE + THERE)
        self.keys = keys.load(self.folder / keys.FILE)

    def state(self, number: int) -> Path:
        return self.folder / f"worker-{number}"

    def start(self, number: int) -> None:
        state = self.state(number)
        if not state.exists():
            state.mkdir(mode=0o700)
            (state / keys.FILE).touch(0o600)
            (state / keys.FILE).write_bytes((self.folder / keys.FILE).read_bytes())
        command = [
            *(sys.executable, "-m", "lampione", "worker", "--state", str(state)),
            *("--store", self.url, "--broker", self.broker.url),
            *("--fleet", str(self.folder / "fleet.toml"), "--lease", "3s"),
        ]
        with (self.folder / f"{number}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes[number] = process
        self._ends.callback(self.end, number, signal.SIGKILL)

    def end(self, number: int, sign: signal.Signals) -> None:
        process = self.processes.pop(number, None)
        if process is not None:
            os.kill(process.pid, sign)
            os.kill(process.pid, signal.SIGCONT)
            process.wait(20)

    def call(self, number: int, op: str, **more: Any) -> Any:
        try:
            with Client.open(self.state(number)) as client:
                return client.call(op, **more)
        except NoCore:
            return None

    def shards(self, number: int) -> list[str]:
        status = self.call(number, "status")
        if not status or not status["broker"]["connected"]:
            return []
        return [shard for shard in status["shard"].split(",") if shard]

    def node(self, name: str) -> FakeNode:
        node = FakeNode(name, self.keys[name], shard=name[0])
        node.boot()
        node.connect(self.broker.host, self.broker.port)
        self._ends.callback(node.disconnect)
        self.nodes[name] = node
        return node

    def settle(self) -> None:
        """Wait until every node has been told that all it made is stored; they send again."""
        for node in self.nodes.values():

            def covered(node: FakeNode = node) -> bool:
                done = node.flash.acked >= node.flash.next_seq - 1
                if not done:
                    node.hello()
                    node.resend()
                return done

            wait_until(f"{node.name} is covered", covered, 40)

    def stored(self) -> list[tuple[str, int, int]]:
        """Return (node, epoch's number, sequence) of every frame."""
        reader = open_engine(self.url).reader()
        names = reader.names()
        found = [(names[node], frame.epoch, frame.seq) for node, frame in reader.frames()]
        reader.close()
        return found

    def log(self, number: int) -> str:
        return (self.folder / f"{number}.log").read_text()


@pytest.fixture(params=["sqlite", "postgres"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workers]:
    url = f"sqlite:{tmp_path / 'shared.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    with ExitStack() as ends:
        broker = ends.enter_context(running_broker("nats", tmp_path / "broker"))
        yield Workers(tmp_path, broker, url, ends)


def test_they_share_and_take_over(workers: Workers) -> None:
    workers.start(1)
    wait_until("the first has all", lambda: workers.shards(1) == ["a", "b"])
    for name in HERE + THERE:
        node = workers.node(name)
        for _ in range(10):
            node.report()
    workers.settle()
    workers.start(2)
    wait_until(
        "each has one", lambda: sorted(workers.shards(1) + workers.shards(2)) == ["a", "b"]
        and len(workers.shards(1)) == 1
    )  # fmt: skip
    for node in workers.nodes.values():
        node.report()
    workers.settle()
    assert {len(workers.call(number, "nodes")) for number in (1, 2)} == {2}
    # Asked of the one, done by the other.
    far = {"a": "b-1", "b": "a-1"}[workers.shards(1)[0]]
    with Client.open(workers.state(1)) as client:
        states = list(client.stream("send", node=far, command={"op": "level", "level": 40,
                                                               "for_s": 60}))  # fmt: skip
    assert states[-1]["state"] == "done", json.dumps(states)
    # Killed; then paused, and woken up when another has its shard.
    workers.end(1, signal.SIGKILL)
    wait_until("the second has all", lambda: workers.shards(2) == ["a", "b"], 40)
    for node in workers.nodes.values():
        node.report()
    workers.settle()
    paused = workers.processes[2].pid
    os.kill(paused, signal.SIGSTOP)
    workers.start(3)
    wait_until("the third has all", lambda: workers.shards(3) == ["a", "b"], 40)
    os.kill(paused, signal.SIGCONT)
    wait_until(
        "they share", lambda: sorted(workers.shards(2) + workers.shards(3)) == ["a", "b"]
        and len(workers.shards(3)) == 1, 40
    )  # fmt: skip
    for node in workers.nodes.values():
        node.report()
    workers.settle()
    workers.end(2, signal.SIGTERM)  # in good order: nobody waits for a lease to run out
    wait_until("the third has all again", lambda: workers.shards(3) == ["a", "b"])
    stored = workers.stored()
    assert len(stored) == len(set(stored))
    made = {(n.name, seq) for n in workers.nodes.values() for _, _, seq in n.created}
    assert {(name, seq) for name, _, seq in stored} == made
    assert len(stored) == len(made)
