"""Messages a second, from a broker's queue to a commit on disk, beside two peers.

Everything runs in one go on one broker: the session of each subscriber is made, the messages are
published while nobody reads, then the subscriber drains them. Ours are sealed, opened, placed in
their node's sequence, stored with SQLite's synchronous=FULL and acknowledged after the commit.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione import keys
from lampione.broker import LocalBroker
from lampione.core.client import Client, NoCore, every_node
from lampione.demo.processes import free_port
from lampione_protocol import schema, seal, topics
from lampione_protocol.codec import encode

from benchmarks import sample
from benchmarks.publisher import publish
from benchmarks.row import Row, Rows
from benchmarks.subscribers import subscribe

NODES = 100
FRAMES_A_NODE = 300
TUTORIAL = 3_000
ROUNDS = 3
EPOCH = b"\x10\x20\x30\x40"
WAIT_S = 120.0


def _hello(node: str, key: bytes) -> bytes:
    values = [EPOCH, 1, 1, 1, 0, bytes(4), bytes(4), 4096, schema.REVISION, 0, 0, 0, 0, 3, None]
    header = bytes([seal.first_byte(schema.HELLO)]) + os.urandom(9)
    nonce = seal.nonce(header, seal.HELLO_HEADER)
    text = encode(schema.HELLO_FIELDS, values)
    return header + AESCCM(seal.hello_key(key), 8).encrypt(nonce, text, header + node.encode())


def _reports(node: str, key: bytes, count: int) -> list[bytes]:
    cipher = AESCCM(seal.up_key(key, EPOCH), 8)
    frames = []
    for seq in range(1, count + 1):
        header = (
            bytes([seal.first_byte(schema.REPORT)])
            + EPOCH
            + (1).to_bytes(2, "big")
            + seq.to_bytes(3, "big")
        )
        text = encode(schema.REPORT_FIELDS, sample.steps(seq))
        nonce = seal.nonce(header, seal.UP_HEADER)
        frames.append(header + cipher.encrypt(nonce, text, header + node.encode()))
    return frames


def _fsync_us(folder: Path) -> float:
    taken = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


class Bench:
    """A broker and a place for stores."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self._folder = folder
        broker = LocalBroker(folder / "broker")
        self._port = broker.start(free_port()).port
        ends.callback(broker.stop)
        self._round = 0

    def ours(self) -> float:
        """Return frames a second of `lampione serve`."""
        self._round += 1
        state = self._folder / f"ours-{self._round}"
        state.mkdir(mode=0o700)
        names = [f"bench-{self._round}-{n}" for n in range(NODES)]
        keys.new(state / keys.FILE, names)
        secrets = keys.load(state / keys.FILE)
        hellos = [(topics.topic("bench", n, topics.UP), _hello(n, secrets[n])) for n in names]
        made = [_reports(n, secrets[n], FRAMES_A_NODE) for n in names]
        reports = [
            (topics.topic("bench", names[n], topics.UP), made[n][i])
            for i in range(FRAMES_A_NODE)
            for n in range(NODES)
        ]
        with self._serve(state) as core:
            self._wait(lambda: core.call("status")["broker"]["connected"], "a connection")
            publish("127.0.0.1", self._port, hellos)
            self._wait(lambda: self._greeted(core), "hellos")
        publish("127.0.0.1", self._port, reports)
        with self._serve(state) as core:
            first = (0.0, 0)
            while True:
                stored = core.call("status")["counters"]["stored"]
                now = time.perf_counter()
                if stored and not first[1]:
                    first = (now, stored)
                if stored >= len(reports):
                    return float((stored - first[1]) / (now - first[0]))
                time.sleep(0.02)

    def _greeted(self, core: Client) -> bool:
        return all(row["hello_at"] is not None for row in every_node(core))

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAIT_S
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(what)
            time.sleep(0.02)

    def _serve(self, state: Path) -> "Served":
        return Served(state, self._port)

    def peer(self, kind: str) -> float:
        """Return messages a second of one of the subscribers."""
        self._round += 1
        name = f"{kind}-{self._round}"
        subscribe(name, self._port)
        if kind == "tutorial":
            bodies = [sample.as_json(sample.physical(sample.steps(n))) for n in range(TUTORIAL)]
        else:
            bodies = _reports("peer", bytes(32), NODES * FRAMES_A_NODE)
        publish("127.0.0.1", self._port, [(f"bench/{name}", body) for body in bodies])
        database = self._folder / f"{name}.db"
        command = [sys.executable, "-m", "benchmarks.subscribers", kind, name, str(self._port)]
        done = subprocess.run(
            [*command, str(len(bodies)), str(database)], check=True, capture_output=True
        )
        return float(done.stdout)


class Served:
    """`lampione serve` while a `with` lasts; gives a connection to it."""

    def __init__(self, state: Path, port: int) -> None:
        self._state = state
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "lampione", "serve", "--state", str(state)),
                *("--broker", f"mqtt://127.0.0.1:{port}", "--shard", "bench", "--until-eof"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Client:
        end = time.monotonic() + WAIT_S
        while True:
            try:
                self._client = Client.open(self._state, timeout_s=30)
                return self._client
            except NoCore:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self._client.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def rows() -> Rows:
    """Three rounds, the three subscribers in turn; medians."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="lampione-bench-")))
        bench = Bench(folder, ends)
        ours, nothing, tutorial = [], [], []
        for _ in range(ROUNDS):
            ours.append(bench.ours())
            nothing.append(bench.peer("nothing"))
            tutorial.append(bench.peer("tutorial"))
        rate = statistics.median(ours)
        limit = statistics.median(nothing)
        usual = statistics.median(tutorial)
        fsync = _fsync_us(folder)
    yield Row("fsync_us", fsync, "µs", "this machine's, of 4 KiB")
    yield Row("ingest_rate", rate, "1/s", "sealed, committed, then acknowledged")
    yield Row(
        "ingest_tutorial_ratio", rate, "1/s", f"tutorial script, {usual:,.0f} a second",
        rate / usual, ">= 15",
    )  # fmt: skip
    yield Row(
        "ingest_broker_share", rate, "1/s", f"paho, storing nothing, {limit:,.0f} a second",
        rate / limit, ">= 0.6",
    )  # fmt: skip
