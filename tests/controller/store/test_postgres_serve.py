"""`lampione serve --store postgresql://...`: from sealed frames over a broker to typed rows."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from lampione.store.engine import open_engine
from lampione_protocol import schema

from tests.brokers import Broker, running_broker, wait_until
from tests.controller.fake_node import SHARD, text
from tests.controller.rig import Rig
from tests.controller.store.postgres_server import PostgresServer
from tests.controller.test_cli import lampione


class PostgresRig(Rig):
    """A rig whose store is PostgreSQL."""

    url: str

    def command(self) -> list[str]:
        return ["lampione", "serve", "--state", str(self.folder), "--shard", SHARD,
                "--broker", self.broker.url, "--store", self.url]  # fmt: skip

    def stored(self) -> list[tuple[bytes, int, int]]:
        reader = open_engine(self.url).reader()
        frames = [frame for _, frame in reader.frames()]
        reader.close()
        with psycopg.connect(self.url) as db:
            boots = {row[0]: row[1:] for row in db.execute("SELECT id, epoch, boot FROM epochs")}
        return [(*boots[frame.epoch], frame.seq) for frame in frames]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker("nats", tmp_path_factory.mktemp("broker")) as running:
        yield running


def rig_on(url: str, folder: Path, broker: Broker) -> PostgresRig:
    made = PostgresRig(folder, broker, ("a-1", "b-2"))
    made.url = url
    return made


def test_from_the_node_to_its_history(tmp_path: Path, postgres_url: str, broker: Broker) -> None:
    with rig_on(postgres_url, tmp_path / "s", broker) as rig:
        nodes = [rig.node("a-1"), rig.node("b-2")]
        frames = []
        for _ in range(100):
            frames += [node.report(no2=17) for node in nodes]
        nodes[0].make(schema.EVENT, text(schema.EVENT, time=200_000_000, clock=3, code=1))
        for node in nodes:
            rig.settle(node)
        for frame in frames[::10]:
            nodes[0].publish(frame)
        stored = rig.stored()
        assert len(stored) == len(set(stored)) >= 201
        assert set(stored) == nodes[0].created | nodes[1].created
        page = rig.client.call("history", node="b-2", fields=["laeq", "no2"], limit=5)
        assert page["units"] == ["s", "dB", "ppb"]
        assert [row[1:] for row in page["rows"]] == [[62.4, 17]] * 5
        assert rig.status()["database"] == postgres_url
        exported = lampione("export", "--state", str(rig.folder), "--since", "2020-01-01")
        assert exported.returncode == 0, exported.stderr
        assert exported.stdout.count("\n") > 200
        assert rig.show("b-2")["report"]["laeq"] == 62.4
        rig.kill9()
        rig.start()
        assert rig.show("b-2")["report"]["laeq"] == 62.4
        nodes[1].report()
        rig.settle(nodes[1])
        stored = rig.stored()
        assert len(stored) == len(set(stored))
        assert set(stored) == nodes[0].created | nodes[1].created
    assert not (tmp_path / "s" / "lampione.db").exists()


def test_nothing_is_lost_when_connections_or_the_server_go(tmp_path: Path, broker: Broker) -> None:
    server = PostgresServer(durable=True)
    try:
        url = server.new_database()
        with rig_on(url, tmp_path / "s", broker) as rig:
            node = rig.node("a-1")
            for turn in range(4):
                for _ in range(25):
                    node.report()
                if turn == 1:
                    server.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name LIKE 'lampione%'"
                    )
                elif turn == 2:
                    server.kill9()
                    node.report()
                    server.start()
            rig.settle(node)
            stored = rig.stored()
            assert len(stored) == len(set(stored))
            assert set(stored) == node.created
            said = (rig.folder / "serve.log").read_text()
            wait_until("the core is connected again", lambda: rig.status()["broker"]["connected"])
            assert "the store failed, starting over" in said
            assert "Traceback" not in said
    finally:
        server.close()


def test_a_store_that_is_not_there_ends_it_in_words(
    tmp_path: Path, postgres: PostgresServer, broker: Broker
) -> None:
    rig = rig_on(postgres.url("nothing"), tmp_path / "s", broker)
    with pytest.raises(AssertionError, match="no such database"):
        rig.start()
