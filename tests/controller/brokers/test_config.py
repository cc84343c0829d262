"""What `lampione broker config` writes, run by real brokers with mutual TLS."""

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lampione.provision.brokers import folder, nats, rules
from lampione.provision.ca import Authority
from lampione.provision.errors import ProvisionError

from tests.brokers import wait_until
from tests.controller.brokers.cluster import (
    Client,
    Cluster,
    eventually,
    mosquitto_alone,
    nats_cluster,
    running,
    seed_of,
)

UP, DOWN, STATE = (f"lampione/v1/a/n001/{leaf}" for leaf in ("up", "down", "state"))


def written(tmp_path: Path, authority: Authority, name: str) -> tuple[Path, Path]:
    """Issue a node's certificate, as provisioning does."""
    issued = authority.issue_node(name)
    pem, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
    pem.write_bytes(issued.certificate_pem())
    key.write_bytes(issued.key_pem())
    return pem, key


def session(cluster: Cluster, shard: str) -> tuple[Path, Path]:
    stem = cluster.path / folder.CONTROLLER / f"{rules.INGEST}{shard}"
    return stem.with_suffix(".pem"), stem.with_suffix(".key")


class Bench:
    """A broker from generated files: nodes n001 and n002 in shard a, n003 in shard b."""

    def __init__(self, tmp_path: Path, kind: str, ends: ExitStack):
        self.authority = Authority.open(tmp_path / "ca", "test", apart_from=tmp_path / "state")
        seed = seed_of(tmp_path / "fleet.toml", ["n001", "n002"], ["n003"])
        clients = rules.clients(seed, ["n001", "n002", "n003"])
        make = nats_cluster if kind == "nats" else mosquitto_alone
        self.cluster = ends.enter_context(
            running(make(tmp_path / "broker", clients, self.authority))
        )
        self.servers = list(self.cluster.ports)
        names = ("n001", "n002", "n009")
        self.certs = {name: written(tmp_path, self.authority, name) for name in names}
        self._ends = ends

    def client(self, name: str, client_id: str | None = None, server: int = 0) -> Client:
        shard = name.removeprefix(rules.INGEST)
        cert = session(self.cluster, shard) if shard != name else self.certs[name]
        where = self.servers[server % len(self.servers)]
        return eventually(
            self._ends, lambda: Client(self.cluster, where, cert, client_id or name), name
        )


@pytest.fixture(params=["nats", "mosquitto"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as ends:
        yield Bench(tmp_path, request.param, ends)


def test_a_node_has_its_own_topics_and_no_other(bench: Bench, tmp_path: Path) -> None:
    reader = bench.client("ingest-a")
    assert reader.subscribe("lampione/v1/a/+/up")
    assert reader.subscribe("lampione/v1/a/+/state")
    other = bench.client("n002", server=1)
    assert other.subscribe("lampione/v1/a/n002/down")
    strict = "nats-1" in bench.servers
    for topic in ("lampione/v1/a/n002/down", "lampione/v1/a/+/up", "#"):
        granted = bench.client("n001", server=2).subscribe(topic)
        assert not (strict and granted)  # mosquitto grants, and delivers nothing
    for topic in ("lampione/v1/a/n002/up", "lampione/v1/a/n002/down", "lampione/v1/b/n001/up"):
        forger = bench.client("n001", server=1)
        sent = forger.publish(topic, b"forged")
        while not sent.is_published() and not forger.lost.is_set():
            forger.lost.wait(0.02)
    node = bench.client("n001", server=2)
    assert node.subscribe(DOWN)
    node.publish(UP, b"mine")
    node.publish(STATE, b"online", retain=True)
    wait_until("both are here", lambda: len(reader.heard) == 2)
    assert sorted(reader.heard) == [(STATE, b"online"), (UP, b"mine")]
    reader.publish("lampione/v1/a/n002/down", b"for the other")
    reader.publish(DOWN, b"for it")
    wait_until("each hears its own", lambda: node.heard and other.heard)
    assert node.heard == [(DOWN, b"for it")]
    assert other.heard == [("lampione/v1/a/n002/down", b"for the other")]
    # Of another shard, and of another authority.
    elsewhere = bench.client("ingest-b")
    elsewhere.subscribe("lampione/v1/a/+/up")
    node.publish(UP, b"again")
    wait_until("it is here", lambda: len(reader.heard) == 3)
    assert elsewhere.heard == []
    stranger = Authority.open(tmp_path / "stranger", "x", apart_from=tmp_path / "state")
    for cert in (None, written(tmp_path / "stranger", stranger, "n001")):
        with Client(bench.cluster, bench.servers[0], cert, "n001") as client:
            assert not client.connect()


def test_nobody_takes_anothers_session(bench: Bench) -> None:
    """mosquitto overrules the client id. NATS lets the thief end a connection and no more."""
    victim = bench.client("n002")
    assert victim.subscribe("lampione/v1/a/n002/down")
    reader = bench.client("ingest-a")
    assert reader.subscribe("lampione/v1/a/+/up")
    thief = bench.client("n001", "n002")
    if "mosquitto" in bench.servers:
        reader.publish("lampione/v1/a/n002/down", b"private")
        wait_until("the victim heard it", lambda: victim.heard)
        assert not victim.lost.is_set()
    else:
        wait_until("the victim was pushed off", victim.lost.is_set)
        reader.publish("lampione/v1/a/n002/down", b"private")
        thief.publish("lampione/v1/a/n002/up", b"forged")
        again = bench.client("n002")
        assert again.subscribe("lampione/v1/a/n002/down")
        again.publish("lampione/v1/a/n002/up", b"mine")
        wait_until("it is here", lambda: reader.heard)
        assert reader.heard == [("lampione/v1/a/n002/up", b"mine")]
    assert thief.heard == []


def test_a_name_in_the_greeting_changes_nothing(bench: Bench) -> None:
    reader = bench.client("ingest-a")
    assert reader.subscribe("lampione/v1/a/+/up")
    with Client(
        bench.cluster, bench.servers[0], bench.certs["n001"], "n001", "CN=ingest-a"
    ) as node:
        if node.connect():
            node.publish(UP, b"mine")
            wait_until("it is here", lambda: reader.heard)
            node.publish("lampione/v1/a/n001/down", b"forged")
            node.subscribe("lampione/v1/a/+/up")
    other = bench.client("n002")
    other.publish("lampione/v1/a/n002/up", b"more")
    wait_until("more is here", lambda: len(reader.heard) == 2)
    assert node.heard == []
    with Client(bench.cluster, bench.servers[0], bench.certs["n009"], "n009") as unknown:
        if unknown.connect():  # mosquitto: it may do nothing
            unknown.publish("lampione/v1/a/n009/up", b"x")
            unknown.publish("lampione/v1/a/n001/up", b"x")
            assert not unknown.heard
    assert all(payload != b"x" for _, payload in reader.heard)


def test_again_keeps_certificates_and_takes_nodes_in(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path / "ca", "test", apart_from=tmp_path / "state")
    seed = seed_of(tmp_path / "fleet.toml", ["n001"], ["n003"])
    path = tmp_path / "broker"

    def write(*nodes: str) -> folder.Written:
        servers = nats_cluster_servers(path)
        return folder.write_nats(path, servers, rules.clients(seed, nodes), authority)

    first = write("n001", "n003")
    assert set(first.issued) == {"127.0.0.1", "ingest-a", "ingest-b"}
    for file in path.rglob("*"):
        mode = stat.S_IMODE(file.stat().st_mode)
        public = file.suffix == ".pem"
        assert mode == (0o700 if file.is_dir() else 0o644 if public else 0o600), file
    users = (path / "nats-1" / "users.conf").read_text()
    assert "n002" not in users
    assert "lampione.v1.b.n003.up" in users
    assert write("n001", "n002", "n003").issued == ()
    assert "lampione.v1.a.n002.up" in (path / "nats-2" / "users.conf").read_text()
    (path / "nats-1" / "server.key").unlink()
    assert write("n001").issued == ("127.0.0.1",)
    with pytest.raises(ProvisionError, match="ingest-"):
        rules.clients(seed, ["ingest-a"])


def nats_cluster_servers(path: Path) -> list[nats.Server]:
    return [
        nats.Server(f"nats-{n}", "127.0.0.1", 8883 + n, 6222 + n, 8222 + n, path / f"nats-{n}")
        for n in (1, 2, 3)
    ]
