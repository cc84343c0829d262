"""Three NATS servers, two workers, PostgreSQL: each is killed in turn while a city reports.

    python -m benchmarks.takeover [--rate 2000] [--nodes 50] [--lease 10] [--sync 10s]

Frames are really sealed; a node keeps each until a watermark covers it, sends again what is not
covered, and goes to the next server when its own has gone. Printed: how long after each kill it
took until everything made before it was covered; in the end what was created, what is stored.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione import keys
from lampione.core.client import Client, CoreError, NoCore
from lampione.store.engine import open_engine
from lampione.values import wire_seconds
from lampione_protocol import schema, seal, topics
from paho.mqtt.enums import CallbackAPIVersion

from tests.brokers import wait_until
from tests.controller.brokers.cluster import HOST, Cluster, nats_cluster, running, seed_of
from tests.controller.fake_node import FakeNode, text
from tests.controller.store.postgres_server import PostgresServer

NATS = ("nats-1", "nats-2", "nats-3")
WORKERS = ("worker-1", "worker-2")
POSTGRES = "postgres"
WAIT_S = 120.0
RESEND_S = 5.0
RESEND_MAX = 1000
_TICK_S = 0.05


class Post(FakeNode):
    """A node that goes to the next server by itself, and forgets what is covered."""

    def __init__(self, name: str, key: bytes, shard: str, ports: Sequence[int], turn: int):
        super().__init__(name, key, shard=shard)
        self.boot()
        self._cipher = AESCCM(seal.up_key(key, self.epoch), tag_length=8)
        self._ports = ports
        self._turn = turn
        self._body = b""
        self._body_at = 0
        self._ending = threading.Event()
        self._last_made = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Make no frame any more, not even the result of a command that is still on its way."""
        with self._lock:
            self._last_made.set()

    def make(self, kind: int, body: bytes, send: bool = True) -> bytes:
        """Make a frame, unless the last one has been made."""
        with self._lock:
            return b"" if self._last_made.is_set() else super().make(kind, body, send)

    def end(self) -> None:
        """Go."""
        self._ending.set()
        self._thread.join()

    def report(self, send: bool = True, **_: Any) -> bytes:  # noqa: ARG002
        """Make a report; its text is a new one every second."""
        second = wire_seconds(time.time())
        if second != self._body_at:
            self._body_at = second
            self._body = text(schema.REPORT, start=second, duration_s=60, clock=3, laeq=624)
        with self._lock:
            seq = self.flash.next_seq
            self.flash.next_seq += 1
            header = bytes([seal.first_byte(schema.REPORT)]) + self.epoch
            header += self.flash.boot.to_bytes(2, "big") + seq.to_bytes(3, "big")
            sealed = self._cipher.encrypt(
                header + bytes(3), self._body, header + self.name.encode()
            )
            self.flash.outbox[seq] = header + sealed
            if self.subscribed.is_set():
                self.sent = max(self.sent, seq)
                self.publish(header + sealed)
            return header + sealed

    def resend(self, after: int | None = None) -> None:  # noqa: ARG002
        """Publish what no watermark covers, the oldest first."""
        with self._lock:
            self.forget()
            for seq, frame in list(self.flash.outbox.items())[:RESEND_MAX]:
                self.sent = max(self.sent, seq)
                self.publish(frame)

    def forget(self) -> None:
        """Drop what is covered."""
        for seq in list(self.flash.outbox):
            if seq > self.flash.acked:
                break
            del self.flash.outbox[seq]

    def covered(self, seq: int) -> bool:
        """Say whether the node was told that everything up to `seq` is stored."""
        return self.flash.acked >= seq

    def _run(self) -> None:
        while not self._ending.is_set():
            self._turn += 1
            gone = threading.Event()
            self.subscribed.clear()
            client = mqtt.Client(
                CallbackAPIVersion.VERSION2, self.name, clean_session=False,
                reconnect_on_failure=False,
            )  # fmt: skip
            client.connect_timeout = 3
            client.max_inflight_messages_set(1000)
            client.max_queued_messages_set(0)
            client.will_set(self.topic(topics.STATE), topics.OFFLINE, 1, retain=True)
            client.on_connect = lambda c, *_: c.subscribe(self.topic(topics.DOWN), 1)
            client.on_message = lambda _c, _u, message: self._down(bytes(message.payload))
            client.on_subscribe = lambda *_: self._up()
            client.on_disconnect = lambda *_, end=gone: end.set()
            try:
                client.connect(HOST, self._ports[self._turn % len(self._ports)], 10)
            except OSError:
                self._ending.wait(0.2)
                continue
            self._client = client
            client.loop_start()
            self._stay(gone)
            self._client = None
            client.disconnect()
            client.loop_stop()

    def _stay(self, gone: threading.Event) -> None:
        """Return when the connection is no good any more."""
        since = time.monotonic()
        acked, moved = self.flash.acked, since
        while not self._ending.is_set() and not gone.wait(0.25):
            now = time.monotonic()
            if not self.subscribed.is_set():
                if now > since + RESEND_S:
                    return
                continue
            if self.flash.acked != acked or self.covered(self.flash.next_seq - 1):
                acked, moved = self.flash.acked, now
            elif now > moved + RESEND_S:
                moved = now
                self.hello()
                self.resend()


@dataclass(frozen=True)
class Recovery:
    """After one kill: seconds until all nodes were covered up to that moment; frames behind."""

    victim: str
    seconds: float
    behind: int


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    created: int
    stored: int
    doubled: int
    lost: int
    duplicates: int  # that came and were dropped
    seconds: float
    recoveries: tuple[Recovery, ...]


class City:
    """Everything that runs."""

    def __init__(self, folder: Path, ends: ExitStack, nodes: int, lease_s: float, sync: str):
        self._folder = folder
        self._lease_s = lease_s
        shards = ("a", "b")
        names = {f"{shard}-{n}": shard for n in range(nodes // 2) for shard in shards}
        here = [name for name, shard in names.items() if shard == "a"]
        seed_of(folder / "fleet.toml", here, [name for name in names if name not in here])
        self.server = PostgresServer(durable=True)
        ends.callback(self.server.close)
        self.url = self.server.new_database()
        open_engine(self.url).writer().close()
        self.brokers: Cluster = ends.enter_context(
            running(nats_cluster(folder / "nats", [], None, sync))
        )
        keys.new(folder / keys.FILE, list(names))
        secrets = keys.load(folder / keys.FILE)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        ends.callback(self._end_workers)
        for name in WORKERS:
            self.start(name)
        ports = list(self.brokers.ports.values())
        self.nodes = [
            Post(name, secrets[name], shard, ports, turn)
            for turn, (name, shard) in enumerate(names.items())
        ]
        for node in self.nodes:
            ends.callback(node.end)

    def _end_workers(self) -> None:
        for process in self.workers.values():
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def start(self, name: str) -> None:
        """Start what was killed."""
        if name == POSTGRES:
            end = time.monotonic() + WAIT_S
            while True:
                try:
                    self.server.start()
                except AssertionError:  # its children have not gone yet
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.1)
                else:
                    return
        if name in NATS:
            self.brokers.start(name)
            return
        state = self._folder / name
        if not state.exists():
            state.mkdir(mode=0o700)
            for file in (keys.FILE, "fleet.toml"):
                content = (self._folder / file).read_bytes()
                with open(os.open(state / file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as copy:
                    copy.write(content)
        command = [
            *(sys.executable, "-m", "lampione", "worker", "--state", str(state)),
            *("--store", self.url, "--broker", f"mqtt://{self.brokers.urls}"),
            *("--lease", f"{self._lease_s:g}s"),
        ]
        with (self._folder / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill9(self, name: str) -> None:
        """End one as a power cut would."""
        if name == POSTGRES:
            self.server.kill9()
        elif name in NATS:
            self.brokers.kill9(name)
        else:
            self.workers[name].kill()
            self.workers.pop(name).wait()

    def shards(self, name: str) -> int:
        """Return how many shards a worker serves."""
        with suppress(NoCore, CoreError, TimeoutError), Client.open(self._folder / name) as client:
            status = client.call("status", timeout_s=2)
            if status["broker"]["connected"]:
                return len([shard for shard in status["shard"].split(",") if shard])
        return 0

    def shared(self) -> bool:
        """Say whether each worker has its share."""
        return all(self.shards(name) == 1 for name in WORKERS)

    def stored(self) -> tuple[list[tuple[str, int, int]], int]:
        """Return (node, boot, number) of every frame that is stored, and how many came twice."""
        engine = open_engine(self.url)
        reader, writer = engine.reader(), engine.writer()
        names = reader.names()
        found = [(names[node], frame.epoch, frame.seq) for node, frame in reader.frames()]
        duplicates = writer.totals().get("duplicates", 0)
        reader.close()
        writer.close()
        return found, duplicates


@contextmanager
def _reporting(nodes: Sequence[Post], rate: float) -> Iterator[None]:
    """Have all nodes report, `rate` a second together, while a `with` lasts."""
    ending = threading.Event()

    def run() -> None:
        start = time.monotonic()
        made = 0
        while not ending.wait(_TICK_S):
            due = int((time.monotonic() - start) * rate)
            while made < due:
                nodes[made % len(nodes)].report()
                made += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _recover(nodes: Sequence[Post], since: float, marks: Sequence[int]) -> float:
    """Return how long after `since` every node was covered up to its mark."""
    pairs = list(zip(nodes, marks, strict=True))
    wait_until("all are covered", lambda: all(n.covered(seq) for n, seq in pairs), WAIT_S)
    return time.monotonic() - since


def run(
    victims: Sequence[str],
    *,
    rate: float = 2000,
    nodes: int = 50,
    lease_s: float = 10.0,
    calm_s: float = 3.0,
    sync: str = "always",
    tell: Callable[[str], None] = print,
) -> Outcome:
    """Kill each victim once.

    Args:
        calm_s: of reports between one recovery and the next kill.
        sync: how long a NATS server may keep a message in memory alone.
    """
    recoveries: list[Recovery] = []
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="takeover-")))
        city = City(folder, ends, nodes, lease_s, sync)
        wait_until("the servers have met", city.brokers.whole, WAIT_S)
        wait_until("each worker has its share", city.shared, WAIT_S)
        for node in city.nodes:
            node.report()
        wait_until("all are greeted", lambda: all(n.covered(1) for n in city.nodes), WAIT_S)
        began = time.monotonic()
        with _reporting(city.nodes, rate):
            for victim in victims:
                time.sleep(calm_s)
                marks = [node.flash.next_seq - 1 for node in city.nodes]
                calm = _recover(city.nodes, time.monotonic(), marks)
                killed = time.monotonic()
                city.kill9(victim)
                marks = [node.flash.next_seq - 1 for node in city.nodes]
                if victim == POSTGRES:  # nothing goes without it
                    city.start(victim)
                seconds = _recover(city.nodes, killed, marks)
                behind = sum(n.flash.next_seq - 1 - n.flash.acked for n in city.nodes)
                recoveries.append(Recovery(victim, seconds, behind))
                tell(f"{victim}: all covered after {seconds:.1f} s (before it {calm:.1f} s)")
                if victim != POSTGRES:
                    city.start(victim)
                wait_until("all servers have what the others have", city.brokers.whole, WAIT_S)
                if victim in WORKERS:
                    wait_until("the workers share again", city.shared, WAIT_S)
            time.sleep(calm_s)
        for node in city.nodes:
            node.finish()
        made = sum(node.flash.next_seq - 1 for node in city.nodes)
        took = time.monotonic() - began
        marks = [node.flash.next_seq - 1 for node in city.nodes]
        seconds = _recover(city.nodes, time.monotonic(), marks)
        tell(f"{made:,} frames in {took:.0f} s; the last was covered {seconds:.1f} s later")
        found, duplicates = city.stored()
    created = {(n.name, seq) for n in city.nodes for seq in range(1, n.flash.next_seq)}
    stored = [(name, seq) for name, _, seq in found]
    return Outcome(
        created=len(created),
        stored=len(set(stored) & created),
        doubled=len(stored) - len(set(stored)),
        lost=len(created - set(stored)),
        duplicates=duplicates,
        seconds=took,
        recoveries=tuple(recoveries),
    )


def main() -> int:
    """Kill each of the six; exit code 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=2000, help="frames a second")
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--lease", type=float, default=10.0, help="seconds")
    parser.add_argument("--sync", default="always", help="of the NATS servers, or e.g. 10s")
    parser.add_argument("victims", nargs="*", default=[*NATS, *WORKERS, POSTGRES])
    options = parser.parse_args()
    outcome = run(
        options.victims, rate=options.rate, nodes=options.nodes, lease_s=options.lease,
        sync=options.sync, tell=lambda line: print(line, flush=True),
    )  # fmt: skip
    print(
        f"created {outcome.created:,}, stored {outcome.stored:,}, lost {outcome.lost}, "
        f"doubled {outcome.doubled}; {outcome.duplicates:,} came twice and were dropped"
    )
    return 1 if outcome.lost or outcome.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
