"""A desk on a real controller: it comes, goes and comes again; several desks see one fleet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione.core.client import CoreError
from lampione.desk.desk import NOT_YET, Desk
from lampione.desk.feed import CoreFeed
from lampione.desk.work import Answer

from tests.brokers import running_broker, wait_until
from tests.controller.nodes import node
from tests.controller.rig import Rig
from tests.controller.tui.still import Given, placed


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "nats").mkdir()
    with (
        running_broker("nats", folder / "nats") as broker,
        Rig(folder / "state", broker, ("a-1",)) as rig,
    ):
        yield rig


def until(desk: Desk, what: str, condition: Any) -> None:
    def looked() -> bool:
        desk.take()
        return bool(condition())

    wait_until(what, looked)


def test_one_desks_work_shows_at_the_other(rig: Rig) -> None:
    rig.node()
    desks = [Desk(CoreFeed(rig.folder)) for _ in range(2)]
    assert desks[0].link == NOT_YET
    for desk in desks:
        desk.start()
    try:
        for desk in desks:
            until(desk, "the node is seen", lambda desk=desk: desk.fleet.get("a-1"))
            until(desk, "the status came", lambda desk=desk: desk.status is not None)
            assert desk.link is None
        seen: list[Any] = []
        done: list[Answer] = []
        command = {"op": "level", "level": 40, "for_s": 600}
        desks[0].follow("send", seen.append, done.append, node="a-1", command=command)
        until(desks[0], "it was obeyed", lambda: done)
        assert seen[-1]["state"] == "done"
        theirs: list[Answer] = []
        desks[1].ask("commands", theirs.append, node="a-1")
        until(desks[1], "they see it", lambda: theirs)
        assert theirs[0].result[0]["order"] == command
        wrong: list[Answer] = []
        desks[1].ask("show", wrong.append, node="nobody")
        until(desks[1], "it is refused", lambda: wrong)
        assert wrong[0].kind == "unknown"
    finally:
        for desk in desks:
            desk.stop()


def test_a_desk_outlives_its_controller(rig: Rig) -> None:
    desk = Desk(CoreFeed(rig.folder))
    desk.start()
    try:
        until(desk, "it is there", lambda: desk.link is None and desk.fleet.total)
        rig.stop()
        until(desk, "it has gone", lambda: desk.link is not None)
        assert desk.fleet.get("a-1") is not None  # what was known is not forgotten
        answers: list[Answer] = []
        desk.ask("status", answers.append)
        until(desk, "that is said", lambda: answers)
        assert answers[0].kind == "no core"
        rig.start()
        until(desk, "it is there again", lambda: desk.link is None)
    finally:
        desk.stop()


def test_nobody_there_is_said(tmp_path: Path) -> None:
    desk = Desk(CoreFeed(tmp_path))
    desk.start()
    try:
        until(desk, "it is said", lambda: desk.link not in (None, NOT_YET))
        assert "start `lampione serve`" in str(desk.link)
    finally:
        desk.stop()


def test_topics_say_what_changed() -> None:
    given = Given()
    desk = Desk(given)
    assert desk.take() == frozenset()
    given.put("nodes", [node("a-1")])
    given.put("sites", {"a-1": placed("Viale Bligny")})
    assert desk.take() == {"nodes", "sites"}
    row = desk.fleet.get("a-1")
    assert row is not None
    assert row["site"] == "Viale Bligny"
    alarm = {"id": 1, "active": True, "acknowledged": False}
    given.put("alarms", [alarm])
    given.put("alarms", [{**alarm, "id": 2}, {**alarm, "active": False, "acknowledged": True}])
    assert desk.take() == {"alarms"}
    assert set(desk.alarms) == {2}
    given.put("broker", {"connected": False})
    assert desk.take() == frozenset()  # there is no status yet that it would belong to


def test_a_role_is_the_controllers_to_say() -> None:
    given = Given({"enter": CoreError("refused", "wrong PIN")})
    desk = Desk(given)
    assert desk.role == "view"
    given.put("who", {"operator": "anna", "role": "operate"})
    desk.take()
    assert desk.role == "operate"
