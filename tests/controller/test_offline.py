"""While no controller runs: what its store last knew; and while no broker does: what waits."""

import json
from pathlib import Path
from typing import Any

import pytest
from lampione import keys
from lampione.cli.run import run
from lampione.core.client import CoreError, NoCore
from lampione.core.folder import StateFolder
from lampione.core.lookup import Lookup
from lampione.core.street_answers import deliver_alone
from lampione.desk.desk import Desk
from lampione.desk.last_known import LastKnown
from lampione.room.who import CONFIGURE, Who
from lampione.store.engine import open_engine
from lampione_protocol import schema

from tests.brokers import running_broker, wait_until
from tests.controller.fake_node import seal_up, text
from tests.controller.rig import Rig

WHO = Who("anna", CONFIGURE)
EPOCH = bytes(4)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    keys.new(folder / keys.FILE, ["bligny-1", "lazio-1"])
    key = keys.load(folder / keys.FILE)["bligny-1"]
    frames = [
        seal_up(key, "bligny-1", EPOCH, 1, schema.REPORT, seq,
                text(schema.REPORT, start=200_000_000 + 60 * seq, duration_s=60, laeq=620, clock=3))
        for seq in (1, 2, 3)
    ]  # fmt: skip
    place = StateFolder(folder)
    engine = open_engine(place.database)
    assert deliver_alone(place, engine, "test", "bligny-1", frames, WHO)
    return folder


def test_what_was_last_known_is_answered_and_nothing_else(state: Path) -> None:
    with Lookup(state) as found:
        nodes = {row["node"]: row for row in found.call("nodes")}
        assert nodes["bligny-1"]["report"]["laeq"] is not None
        assert nodes["lazio-1"]["state"] == "never"
        assert found.age_s is not None
        assert found.call("show", node="bligny-1")["events"] == []
        assert len(found.call("history", node="bligny-1")["rows"]) == 3
        assert found.call("status")["broker"]["connected"] is False
        assert found.call("select", top=1)["nodes"] == 2
        assert found.call("audit")[0]["action"] == "deliver"
        for op, given in (
            ("lock", {"node": "bligny-1"}),
            ("rekey", {"node": "bligny-1"}),
            ("store", {"do": "fold"}),
            ("rollout", {"rollout": 1, "do": "pause"}),
            ("watch", {}),
        ):
            with pytest.raises(CoreError, match="last known"):
                found.call(op, **given)
        with pytest.raises(CoreError, match="last known"):
            found.stream("send", node="bligny-1")
        with pytest.raises(CoreError, match="no node") as unknown:
            found.call("show", node="nobody-1")
        assert unknown.value.kind == "unknown"
        with StateFolder(state).owned():
            pass  # a controller may start meanwhile


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoCore, match="has ever run"):
        Lookup(tmp_path)
    assert not list(tmp_path.iterdir()), "looking makes nothing"


def test_a_desk_shows_it_read_only_with_its_age(state: Path) -> None:
    desk = Desk(LastKnown(state), start=lambda work: work())
    desk.start()
    try:
        wait_until("it is there", lambda: desk.take() and desk.fleet.total)
        assert desk.link is not None
        assert "last known" in desk.link
        assert desk.role == "view"
        assert desk.fleet.total == 2
        answers: list[Any] = []
        desk.ask("note", answers.append, text="x")
        desk.take()
        assert "nothing can be done" in answers[0].error
    finally:
        desk.stop()


def test_commands_with_offline(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nodes", "--offline", "--json", "--state", str(state)]) == 0
    said = capsys.readouterr()
    assert len([json.loads(line) for line in said.out.splitlines()]) == 2
    assert "last known state" in said.err
    assert run(["nodes", "--state", str(state)]) == 3
    capsys.readouterr()
    assert run(["send", "bligny-1", "read", "--offline", "--state", str(state)]) == 1
    assert "nothing comes" in capsys.readouterr().err


def test_without_a_broker_a_command_waits_until_it_expires(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_broker("nats", tmp_path) as broker:
        rig = Rig(tmp_path / "s", broker, ("a-1",))
        rig.start()
    try:  # the broker is gone now
        order = {"op": "level", "level": 40, "for_s": 600}
        states = list(rig.client.stream("send", node="a-1", command=order, expires_s=1.0))
        assert states[0]["state"] == "queued"
        assert states[-1]["state"] == "expired"
        assert states[-1]["final"]
        assert run(["send", "a-1", "read", "--wait", "1s", "--state", str(rig.folder)]) == 1
        assert "no broker is connected: it waits for one until" in capsys.readouterr().out
    finally:
        rig.stop()
