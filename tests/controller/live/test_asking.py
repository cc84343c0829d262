"""`select` and `lampione nodes --where`, asked of a controller that runs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione.cli.errors import CliError
from lampione.cli.send_many import targets
from lampione.core.client import CoreError
from lampione_protocol import schema

from tests.brokers import running_broker, wait_until
from tests.controller.fake_node import text
from tests.controller.rig import Rig
from tests.controller.test_cli import lampione

FLEET = """
sites = [{ id = "s", name = "Via Bligny 7" }]
nodes = [{ id = "a-1", site = "s" }]
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("asking")
    with running_broker("nats", folder) as broker:
        running = Rig(folder / "s", broker, ("a-1", "b-2", "c-3"))
        (folder / "s" / "fleet.toml").write_text(FLEET)
        with running:
            now = int(time.time()) - schema.EPOCH_2020
            first, second = running.node("a-1"), running.node("b-2")
            first.report(start=now - 60, lamp_level=0, pm2_5=61, valid=511)
            first.make(schema.HEALTH, text(schema.HEALTH, time=now, clock=3, voltage=460))
            second.report(start=now - 3600, lamp_level=0, pm2_5=90, valid=511)
            for node in (first, second):
                running.settle(node)
            wait_until("both are in", lambda: found(running, "voltage=230") == ["a-1"])
            yield running


def found(rig: Rig, where: str) -> list[str]:
    return [row["node"] for row in rig.client.call("select", where=where)["rows"]]


def nodes(rig: Rig, *arguments: str) -> str:
    done = lampione("nodes", "--state", str(rig.folder), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_live_state_follows_what_comes(rig: Rig) -> None:
    assert found(rig, "pm2_5>25") == ["a-1"]  # the other's is of an hour ago
    assert found(rig, "age>30m and state=online") == ["b-2"]
    assert found(rig, "state=never") == ["c-3"]
    assert found(rig, "site=*bligny*") == ["a-1"]
    node = rig.nodes[1]
    node.report(start=int(time.time()) - schema.EPOCH_2020 - 60, pm2_5=80, valid=511)
    wait_until("the newer report is in", lambda: found(rig, "pm2_5=40") == ["b-2"])
    assert rig.status()["online"] == 2
    with pytest.raises(CoreError, match="there is no field 'noise'"):
        found(rig, "noise>3")
    for wrong in ({"fields": "laeq"}, {"top": -1}, {"where": 3}):
        with pytest.raises(CoreError):
            rig.client.call("select", **wrong)


def test_the_command_line(rig: Rig) -> None:
    rows = [
        json.loads(line)
        for line in nodes(rig, "--where", "lamp_level=0", "--json", "--sort", "pm2_5").splitlines()
    ]
    assert rows[0]["node"] == "a-1"
    assert (rows[0]["site"], rows[0]["pm2_5"]) == ("Via Bligny 7", 30.5)
    shown = nodes(rig, "--where", "node=a-*", "--fields", "pm2_5,laeq", "--top", "5")
    assert "pm2_5 µg/m³" in shown
    assert "1 of 3 nodes" in shown
    assert "laeq: mean 62.4, 62.4 to 62.4 dB" in shown
    summary = json.loads(nodes(rig, "--where", "lamp_level=0", "--summary", "--json"))
    assert summary["matched"] == 1
    assert len(nodes(rig, "--json").splitlines()) == 3
    wrong = lampione("nodes", "--state", str(rig.folder), "--where", "laeq>")
    assert wrong.returncode == 2
    assert "a value is missing at the end" in wrong.stderr


def test_every_way_to_ask_takes_the_same(rig: Rig) -> None:
    question = "online !(site=*bligny* or never) voltage=unknown"
    assert found(rig, question) == ["b-2"]
    assert nodes(rig, "--filter", question, "--json").count("\n") == 1
    assert '"b-2"' in nodes(rig, "--where", question, "--json")
    assert targets(rig.client, question) == ["b-2"]
    assert targets(rig.client, "b-2,a-1") == ["b-2", "a-1"]
    assert targets(rig.client, "online") == ["online"]  # a name, lest a slip lights a district
    assert targets(rig.client, "faults !online") == []
    with pytest.raises(CliError, match="is missing at the end"):
        targets(rig.client, "voltage>")


def test_a_view_keeps_its_columns(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMPIONE_VIEWS", str(tmp_path / "views.json"))
    kept = ("views", "save", "lit", "--filter", "a-1 or b-2", "--sort", "pm2_5")
    assert lampione(*kept, "--columns", "pm2_5,rssi").returncode == 0
    head, first, second = nodes(rig, "--view", "lit").splitlines()
    assert head.split() == ["node", "pm2_5", "µg/m³", "rssi", "dBm"]
    assert [first.split()[0], second.split()[0]] == ["b-2", "a-1"]
    assert nodes(rig, "--view", "lit", "--columns", "age").splitlines()[0].split() == [
        "node", "age"
    ]  # fmt: skip
    assert json.loads(lampione("views", "--json").stdout)["columns"] == ["node", "pm2_5", "rssi"]
    wrong = lampione("nodes", "--state", str(rig.folder), "--columns", "noise")
    assert wrong.returncode == 2
    assert "there is no column 'noise'" in wrong.stderr
