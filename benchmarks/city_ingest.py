"""A city reports every minute: sealed frames through a broker into a whole controller.

Nodes say hello first, as fast as they are heard; then each sends one report a minute, evenly
spread, while the controller stores, folds and answers questions. What came of it is what the
controller itself says: every number of every node is there, and none came twice.
"""

import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione import keys
from lampione.broker import LocalBroker
from lampione.core.client import Client, NoCore
from lampione.demo.processes import free_port
from lampione_protocol import schema, seal, topics
from lampione_protocol.codec import encode

from benchmarks import publisher, sample
from benchmarks.row import Row, Rows

NODES = 140_000
MINUTES = 10
SHARD = "city"
_BODIES = 4096
_BATCH_S = 0.05
_HELLO_WINDOW = 2000
_WAIT_S = 300.0


@dataclass
class City:
    """Its nodes: names, keys, the boot of each and the number of its next frame."""

    names: list[str]
    secrets: dict[str, bytes]
    epochs: list[bytes] = field(init=False)
    seqs: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.epochs = [secrets.token_bytes(4) for _ in self.names]
        self.seqs = [0] * len(self.names)
        self._topics = [topics.topic(SHARD, name, topics.UP) for name in self.names]
        self._ciphers = [
            AESCCM(seal.up_key(self.secrets[name], epoch), 8)
            for name, epoch in zip(self.names, self.epochs, strict=True)
        ]
        self._bodies = [
            int.from_bytes(encode(schema.REPORT_FIELDS, sample.steps(seed)), "big")
            for seed in range(_BODIES)
        ]
        self._size = len(encode(schema.REPORT_FIELDS, sample.steps(0)))
        self._random = random.Random(1)

    def hello(self, node: int) -> tuple[str, bytes]:
        """Return (topic, payload) of a node's first words."""
        name = self.names[node]
        epoch = self.epochs[node]
        values = [epoch, 1, 1, 1, 0, bytes(4), bytes(4), 4096, schema.REVISION, 0, 0, 0, 0, 3, None]
        header = bytes([seal.first_byte(schema.HELLO)]) + secrets.token_bytes(9)
        nonce = seal.nonce(header, seal.HELLO_HEADER)
        cipher = AESCCM(seal.hello_key(self.secrets[name]), 8)
        text = encode(schema.HELLO_FIELDS, values)
        return self._topics[node], header + cipher.encrypt(nonce, text, header + name.encode())

    def report(self, node: int, at: float) -> tuple[str, bytes]:
        """Return (topic, payload) of a node's next report, of the minute before `at`."""
        self.seqs[node] += 1
        header = (
            bytes([seal.first_byte(schema.REPORT)])
            + self.epochs[node]
            + b"\x00\x01"
            + self.seqs[node].to_bytes(3, "big")
        )
        # The start is the first field, of 31 bits.
        shift = self._size * 8 - 31
        body = self._bodies[self._random.randrange(_BODIES)] & (1 << shift) - 1
        body |= int(at - 60 - schema.EPOCH_2020) << shift
        text = body.to_bytes(self._size, "big")
        associated = header + self.names[node].encode()
        return self._topics[node], header + self._ciphers[node].encrypt(
            header + b"\0\0\0", text, associated
        )


class Controller:
    """`lampione serve` of a state folder, and what it costs."""

    def __init__(self, state: Path, port: int) -> None:
        self._state = state
        self._started = time.monotonic()
        self._log = (state / "serve.log").open("ab")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lampione", "serve", "--state", str(state)),
                *("--broker", f"mqtt://127.0.0.1:{port}", "--shard", SHARD, "--until-eof"),
            ],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
        )
        end = time.monotonic() + _WAIT_S
        while True:
            try:
                self.client = Client.open(state, timeout_s=60)
                break
            except NoCore:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
        self.start_s = time.monotonic() - self._started

    def status(self) -> Any:
        """Return the core's status."""
        return self.client.call("status", timeout_s=120)

    @property
    def pid(self) -> int:
        """Return the process."""
        return self._process.pid

    def close(self) -> None:
        """End it in good order."""
        self.client.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(120)
        self._log.close()


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return what a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Figures:
    """What a run showed; shares are of one core."""

    published: int
    stored: int
    missing: int
    lost: int
    duplicates: int
    refused: int
    seconds: float
    start_s: float
    restart_s: float
    hellos_rate: float
    controller_share: float
    broker_share: float
    publisher_share: float
    lag_s: float
    lag_worst_s: float
    select_ms: float
    memory_mb: float
    database_bytes: int
    load: float

    @property
    def whole(self) -> bool:
        """Say whether nothing was lost and nothing came twice."""
        return self.published == self.stored and not (
            self.missing or self.lost or self.duplicates or self.refused
        )


def run(folder: Path, nodes: int, rate: float, seconds: float) -> Figures:
    """Run a city of `nodes` for so many seconds, `rate` reports in each."""
    with ExitStack() as ends:
        broker = LocalBroker(folder / "broker")
        running = broker.start(free_port())
        ends.callback(broker.stop)
        state = folder / "state"
        state.mkdir(mode=0o700)
        names = [f"lamp-{n:06d}" for n in range(nodes)]
        keys.new(state / keys.FILE, names)
        city = City(names, dict(keys.load(state / keys.FILE)))
        wire = ends.enter_context(closing(publisher.Wire("127.0.0.1", running.port)))
        with closing(Controller(state, running.port)) as controller:
            _until(lambda: controller.status()["broker"]["connected"], "a connection")
            begun = time.monotonic()
            for at in range(0, nodes, _HELLO_WINDOW):
                wire.send([city.hello(n) for n in range(at, min(at + _HELLO_WINDOW, nodes))])
                wire.drain()
            _until(lambda: controller.status()["online"] == nodes, "hellos")
            hellos_rate = nodes / (time.monotonic() - begun)
            found = _reports(city, controller, running.pid, wire, rate, seconds, hellos_rate)
        with closing(Controller(state, running.port)) as controller:
            found.restart_s = controller.start_s
            if controller.status()["online"] != nodes:
                raise AssertionError("a controller that starts again knows less")
        return found


def _reports(
    city: City,
    controller: Controller,
    broker: int,
    wire: publisher.Wire,
    rate: float,
    seconds: float,
    hellos_rate: float,
) -> Figures:
    pids = (controller.pid, broker, os.getpid())
    before = [cpu_s(pid) for pid in pids]
    begun = time.monotonic()
    sent = 0
    looked = begun
    lags: list[float] = []
    asked: list[float] = []
    while (now := time.monotonic()) < begun + seconds:
        due = int((now - begun) * rate)
        if due > sent:
            wall = time.time()
            wire.send([city.report(n % len(city.names), wall) for n in range(sent, due)])
            sent = due
        wire.read()
        if now >= looked + 1:
            looked = now
            lags.append((sent - controller.status()["counters"]["stored"]) / rate)
            if len(lags) % 60 == 0:
                used = cpu_s(controller.pid) - before[0]
                print(
                    f"{now - begun:.0f} s: {sent:,} sent, controller {used / (now - begun):.2f} "
                    f"cores, worst lag {max(lags[-60:]):.2f} s, load {os.getloadavg()[0]:.1f}",
                    file=sys.stderr,
                )
        if len(asked) <= (now - begun) / 10:
            ask = time.perf_counter()
            controller.client.call("select", where="pm2_5>25", sort="pm2_5", top=50)
            asked.append((time.perf_counter() - ask) * 1e3)
        time.sleep(max(0.0, _BATCH_S - (time.monotonic() - now)))
    took = time.monotonic() - begun
    shares = [(cpu_s(pid) - was) / took for pid, was in zip(pids, before, strict=True)]
    wire.drain()
    _until(lambda: controller.status()["counters"]["stored"] >= sent, "the last of them")
    status = controller.status()
    counters = status["counters"]
    return Figures(
        published=sent,
        stored=counters["stored"],
        missing=counters["missing"],
        lost=counters["lost"],
        duplicates=counters["duplicates"],
        refused=counters["refused"],
        seconds=took,
        start_s=controller.start_s,
        restart_s=0.0,
        hellos_rate=hellos_rate,
        controller_share=shares[0],
        broker_share=shares[1],
        publisher_share=shares[2],
        lag_s=statistics.median(lags),
        lag_worst_s=max(lags),
        select_ms=statistics.median(asked or [0.0]),
        memory_mb=memory_mb(controller.pid),
        database_bytes=status["database_bytes"],
        load=os.getloadavg()[0],
    )


def _until(condition: Any, what: str) -> None:
    end = time.monotonic() + _WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def rows(nodes: int = NODES, minutes: float = MINUTES) -> Rows:
    """Ten minutes of a city."""
    with tempfile.TemporaryDirectory(prefix="lampione-ingest-") as folder:
        yield from in_rows(nodes, run(Path(folder), nodes, nodes / 60, minutes * 60))


def in_rows(nodes: int, found: Figures) -> Iterator[Row]:
    """Return the figures as lines of the table."""
    of = f"{nodes:,} nodes, {found.seconds:.0f} s, load {found.load:.1f}"
    yield Row("city_published", found.published, "", of)
    unseen = found.published - found.stored + found.missing + found.lost
    yield Row("city_lost", unseen, "", "not stored, missing or lost", goal="0")
    yield Row("city_doubled", found.duplicates, "", "came again", goal="0")
    yield Row("city_controller", found.controller_share, "cores", "folding too", goal="<= 0.5")
    yield Row("city_broker", found.broker_share, "cores", "nats-server")
    yield Row("city_publisher", found.publisher_share, "cores", "seals every frame")
    yield Row("city_lag_s", found.lag_s, "s", f"published to stored; worst {found.lag_worst_s:.2f}")
    yield Row("city_select_ms", found.select_ms, "ms", "filter, mean, top 50, over the socket")
    yield Row("city_hellos", found.hellos_rate, "1/s", "boots greeted, all at once")
    yield Row("city_start_s", found.start_s, "s", "of the controller, its first")
    yield Row("city_restart_s", found.restart_s, "s", "with every node's line and last report")
    yield Row("city_memory", found.memory_mb, "MB", "of the controller")
    yield Row("city_database", found.database_bytes / 1e6, "MB", "with its log")
