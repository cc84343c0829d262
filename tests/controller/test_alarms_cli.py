"""`lampione alarms` against a controller whose alarms are real."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione_protocol import schema

from tests.brokers import running_broker, wait_until
from tests.controller.fake_node import text
from tests.controller.rig import Rig


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_broker("nats", tmp_path_factory.mktemp("broker")) as broker:
        folder = tmp_path_factory.mktemp("s") / "s"
        with Rig(folder, broker, ("a-1", "b-2")) as rig:
            node = rig.node("a-1")
            node.make(schema.REPORT, text(schema.REPORT, duration_s=60, clock=0, faults=4))
            wait_until("the lamp is told", lambda: rig.client.call("alarms"))
            yield rig


def run(rig: Rig, capsys: Any, *argv: str) -> tuple[int, list[Any], str]:
    from lampione.cli.run import run as main

    code = main([*argv, "--state", str(rig.folder), "--json"])
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.splitlines()], said.err


def test_an_alarm_from_its_beginning_to_history(rig: Rig, capsys: Any) -> None:
    code, (alarm,), _ = run(rig, capsys, "alarms")
    assert code == 0
    assert (alarm["subject"], alarm["rule"], alarm["active"]) == ("a-1", "lamp-failure", True)
    number = str(alarm["id"])
    seen = rig.client.stream("watch")
    first = next(item for item in seen if item["kind"] == "alarms")
    assert [each["id"] for each in first["alarms"]] == [alarm["id"]]
    assert run(rig, capsys, "alarms", "assign", number, "anna")[1][0]["assignee"] == "anna"
    assert run(rig, capsys, "alarms", "note", number, "on its way")[1][0]["note"] == "on its way"
    (shelved,) = run(rig, capsys, "alarms", "shelve", number, "--for", "1h")[1]
    assert shelved["shelved_until"] > shelved["changed"] + 3590
    assert run(rig, capsys, "alarms", "ack", number)[1][0]["acknowledged"]
    assert not run(rig, capsys, "alarms", "unack", number)[1][0]["acknowledged"]
    changed = next(item for item in seen if item["kind"] == "alarms")
    assert changed["alarms"][0]["assignee"] == "anna"
    deeds = [entry["body"] for entry in rig.client.call("audit")]
    assert any("alarm unack" in body for body in deeds)
    node = rig.nodes[0]
    node.make(schema.REPORT, text(schema.REPORT, duration_s=60, clock=0, faults=0))
    wait_until("it is over", lambda: not rig.client.call("alarms")[0]["active"])
    assert run(rig, capsys, "alarms", "--cleared")[1]
    run(rig, capsys, "alarms", "ack", number)
    assert run(rig, capsys, "alarms")[1] == []
    (old,) = run(rig, capsys, "alarms", "--all", "--node", "a-1")[1]
    assert old["acknowledged_by"]
    code, _, error = run(rig, capsys, "alarms", "ack", number)
    assert code == 1
    assert f"no alarm {number}" in error


def test_what_is_wrong_is_told(rig: Rig, capsys: Any, tmp_path: Path) -> None:
    assert run(rig, capsys, "alarms", "--node", "nobody")[0] == 4
    found = run(rig, capsys, "alarms", "rules")[1]
    assert {"silent", "lamp-failure", "air", "noise"} <= {rule["name"] for rule in found}
    file = tmp_path / "mine.toml"
    file.write_text('[rules.x]\nfield = "laeq"\nabove = 3\nfor = "3 x"')
    code, _, error = run(rig, capsys, "alarms", "rules", "--check", str(file))
    assert code == 2
    assert "mine.toml: rules.x.for: '3 x' is not a duration" in error
    file.write_text('[rules.x]\nfield = "laeq"\nabove = 3\n')
    assert "x" in [rule["name"] for rule in run(rig, capsys, "alarms", "rules", "--check",
                                                str(file))[1]]  # fmt: skip
