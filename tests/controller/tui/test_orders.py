"""Orders to one lamp and to many, by keys: what they will do is said, and what came of it."""

from typing import Any

import pytest
from lampione.core.client import CoreError
from lampione.desk import orders
from lampione.desk.orders import CHOICES, Sending, lamps
from lampione.tui.app import LampioneApp
from lampione.tui.dialogs import AskScreen, ConfirmScreen
from lampione.tui.fleet_view import FleetView
from lampione.tui.orders import ChoiceScreen, level, minutes
from textual.pilot import Pilot
from textual.widgets import Static

from tests.controller.nodes import node
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import SITES, Given, drive, placed, said, still_desk, until


def obeyed(node: str, **_: Any) -> list[Any]:
    return [
        {"node": node, "state": "sent", "final": False, "reason": None},
        {"node": node, "state": "done", "final": True, "reason": None},
    ]


def shown(app: LampioneApp) -> str:
    return "\n".join(str(static.render()) for static in app.screen.query(Static))


def test_many_lamps_get_a_level_for_a_time() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("a", "o")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        assert "3 lamps of 3 sites" in shown(app)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"300", "enter")
        assert "from 0 to 100" in shown(app)
        await pilot.press(*["backspace"] * 3, *"30", "enter")
        await until(pilot, lambda: "how long" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "3 lamps of 3 sites to 30 % for 30m, until 09:30; then the program" in shown(app)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, FleetView))
        app.tick()
        await until(pilot, lambda: said(app) == "3 done")
        command = {"op": "level", "level": 30, "for_s": 1800}
        assert [asked for op, asked in given.asked if op == "send"] == [
            {"node": name, "command": command, "expires_s": orders.EXPIRES_S} for name in SITES
        ]
        await pilot.press("u", "o", "r", "y")  # and back: of the cursor's node alone
        await until(pilot, lambda: given.asked[-1][1].get("command") == {"op": "resume"})

    drive(steps, (80, 24), answers={"send": obeyed})


def test_what_is_refused_is_said_with_its_reason() -> None:
    def send(node: str, **_: Any) -> Any:
        if node == "lazio-1":
            return CoreError("refused", "lazio-1 is locked by anna: new driver")
        return obeyed(node)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("a", "o", "i")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "1 locked, which will refuse it: lazio-1" in shown(app)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, FleetView))
        app.tick()
        await until(pilot, lambda: "2 done, 1 refused, lazio-1: lazio-1 is locked" in said(app))

    tags = [{"node": "lazio-1", "operator": "anna", "reason": "new driver", "at": 1.0}]
    drive(steps, answers={"send": send}, tags=tags)


def test_many_are_not_started_anew_by_one_key() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("a", "o", "b")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        assert not given.asked
        await pilot.press("backspace", *"6", "enter")
        await until(pilot, lambda: len(given.asked) == 6)

    nodes = [node(f"a-{n}") for n in range(6)]
    drive(steps, answers={"send": obeyed}, nodes=nodes)


def test_who_may_only_look_orders_nothing() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        await until(pilot, lambda: "nothing can be changed" in said(app))

    drive(steps, read_only=True)


def test_no_more_than_some_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Given()
    desk = still_desk(given)
    waiting: list[Any] = []
    monkeypatch.setattr(desk, "follow", lambda op, each, done, **p: waiting.append((p, each, done)))
    sending = Sending(desk, [f"a-{n}" for n in range(100)], {"op": "read"})
    sending.begin()
    assert len(waiting) == orders.AT_ONCE
    assert sending.counts() == {"waits": 100}
    for parameters, each, done in waiting:  # it grows while they answer
        each({"node": parameters["node"], "state": "done", "final": True})
        done(type("Answer", (), {"error": None}))
    assert len(waiting) == 100
    assert sending.over
    assert sending.told() == "100 done"


def test_what_lasts_for_hours_keeps_no_lamp_waiting() -> None:
    ended: list[str] = []

    def lit(node: str, **_: Any) -> Any:
        try:
            yield {"node": node, "state": "accepted", "final": False}
            raise AssertionError("it was waited for")
        finally:
            ended.append(node)

    desk = still_desk(Given({"send": lit}))
    nodes = [f"a-{n}" for n in range(3 * orders.AT_ONCE)]
    sending = Sending(desk, nodes, {"op": "emergency", "for_s": 7200})
    sending.begin()
    while not sending.over:
        desk.take()
    assert sending.told() == f"{len(nodes)} accepted"
    assert sorted(ended) == sorted(nodes)


def test_lamps_are_named_as_people_do() -> None:
    sites = {"a": placed("Viale Lazio"), "b": placed("Viale Lazio"), "c": placed("Viale Umbria")}
    assert lamps(["a"], sites) == "a"
    assert lamps(["a", "b"], sites) == "2 lamps of Viale Lazio"
    assert lamps(["a", "b", "c"], sites) == "3 lamps of 2 sites"
    assert lamps(["x", "y"], {}) == "2 lamps"
    assert len({choice.key for choice in CHOICES}) == len(CHOICES)


@pytest.mark.parametrize(("text", "found"), [("30", 30), ("30m", 30), ("2h", 120), (" 1 h", 60)])
def test_times(text: str, found: float) -> None:
    assert minutes(text) == found


@pytest.mark.parametrize("text", ["", "0", "x", "-3", "8d", "99999", "m", "²", "1.5h"])
def test_wrong_times(text: str) -> None:
    with pytest.raises(ValueError, match="minute"):
        minutes(text)
    if text not in ("0",):
        with pytest.raises(ValueError, match="100"):
            level(text)


def test_pictures() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("a", "o")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))

    pictures("orders", steps)
