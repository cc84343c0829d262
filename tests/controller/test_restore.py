"""A backup taken while everything runs, and a controller that begins again from it."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.brokers import Broker, wait_until
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione
from tests.controller.test_ingest import not_repeated

ORDER = {"op": "level", "level": 30, "for_s": 60}


def test_a_restored_controller_asks_for_what_it_lacks(tmp_path: Path, broker: Broker) -> None:
    state, copy = tmp_path / "s", tmp_path / "copy.db"
    with Rig(state, broker, ("a-1", "b-2")) as rig:
        nodes = [rig.node(name) for name in ("a-1", "b-2")]
        for node in nodes:
            for _ in range(20):
                node.report()
            rig.settle(node)
        folded = rig.client.call("store", do="fold")
        assert folded["frames"] >= 40
        for node in nodes:
            for _ in range(10):
                node.report()
            rig.settle(node)
        assert lampione("--state", str(state), "store", "backup", str(copy)).returncode == 0
        for node in nodes:
            for _ in range(30):
                node.report()
            assert list(rig.client.stream("send", node=node.name, command=ORDER))[-1][
                "state"
            ] == "done"  # fmt: skip
            rig.settle(node)
        refused = lampione("--state", str(state), "store", "restore", str(copy), "--replace")
        assert refused.returncode == 1
        assert "a controller runs" in refused.stderr
        rig.client.call("store", do="fold")
        rig.stop()
        done = lampione("--state", str(state), "store", "restore", str(copy), "--replace", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["aside"].endswith("lampione.db.before")
        rig.start()
        for node in nodes:
            node.report()
        wait_until(
            "everything is back",
            lambda: sorted(rig.stored()) == sorted(nodes[0].created | nodes[1].created),
        )
        for node in nodes:
            assert rig.show(node.name)["lost"] == 0
            assert list(rig.client.stream("send", node=node.name, command=ORDER))[-1][
                "state"
            ] == "done"  # fmt: skip
            assert not_repeated(node)
        rig.client.call("store", do="fold")
        whole = lampione("--state", str(state), "store", "check", "--full", "--json")
        assert json.loads(whole.stdout) == {"whole": True, "wrong": []}


def test_a_controller_starts_beside_a_damaged_batch(tmp_path: Path, broker: Broker) -> None:
    state = tmp_path / "s"
    with Rig(state, broker) as rig:
        node = rig.node()
        for _ in range(3):
            node.report()
            rig.settle(node)
        rig.kill9()
        before = rig.stored()
        with sqlite3.connect(state / "lampione.db") as db:
            ((number, count),) = db.execute("SELECT max(id), count FROM batches").fetchall()
            db.execute("UPDATE batches SET body = substr(body, 2) WHERE id = ?", (number,))
        db.close()
        rig.start()
        log = (state / "serve.log").read_text()
        assert log.count(f"batch {number} is damaged") == 1
        assert "it is put aside, see `lampione store check`" in log
        assert len(rig.stored()) == len(before) - count
        node.report()
        rig.settle(node)
        assert len(rig.stored()) == len(before) - count + 1
        assert "put aside" in lampione("--state", str(state), "store", "check").stdout


def test_the_command_line(tmp_path: Path, broker: Broker) -> None:
    state = tmp_path / "s"
    assert "no controller has run" in lampione("--state", str(state), "store", "space").stderr
    with Rig(state, broker) as rig:
        node = rig.node()
        for _ in range(5):
            node.report(start=1000)  # long ago
        rig.settle(node)
        kept = lampione(
            "--state", str(state), "store", "retain", "--reports", "30d", "--events", "ever"
        )
        assert "30 d" in kept.stdout
        assert "frames folded" in lampione("--state", str(state), "store", "fold").stdout
        dropped = lampione("--state", str(state), "store", "retain", "--reports", "29d", "--json")
        rows = [json.loads(line) for line in dropped.stdout.splitlines()]
        assert {row["class"]: row["dropped"] for row in rows}["reports"] >= 1
        assert "given back" in lampione("--state", str(state), "store", "vacuum").stdout
        space = lampione("--state", str(state), "store", "space")
        assert "29 d" in space.stdout
        with pytest.raises(Exception, match="policy has seconds"):
            rig.client.call("store", do="retain", policy={"all": 1})
        with pytest.raises(Exception, match="do is one of"):
            rig.client.call("store", do="burn")
    assert "given back" in lampione("--state", str(state), "store", "vacuum").stdout
    wrong = lampione("--state", str(state), "store", "retain", "--reports", "soon")
    assert wrong.returncode == 2
    assert "not a duration" in wrong.stderr
    assert lampione("--state", str(state), "store").returncode == 2
