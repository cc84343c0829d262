"""A lamp is locked off and unlocked by keys; who works here can change."""

from typing import Any

import pytest
from lampione.core.client import CoreError
from lampione.tui.app import LampioneApp
from lampione.tui.bars import Header
from lampione.tui.dialogs import AskScreen, ConfirmScreen
from lampione.tui.fleet_view import FleetView
from lampione.tui.locks import LocksView
from lampione.tui.sign_in import SignInScreen
from lampione.tui.table import Table
from textual.pilot import Pilot
from textual.widgets import Input

from tests.controller.nodes import NOW, node
from tests.controller.tui.pictures import picture, pictures
from tests.controller.tui.still import WHO, Given, drive, lines, said, three, until

TAGS = [
    {"node": "lazio-1", "operator": "bruno", "reason": "cable under water", "at": NOW - 90000},
    {"node": "umbria-1", "operator": "anna", "reason": "new driver", "at": NOW - 1800},
]
LOCKS: tuple[str, str | None] = ("locks", None)


def acts(given: Given) -> list[Any]:
    return [asked for asked in given.asked if asked[0] in ("lock", "unlock")]


def test_a_lamp_is_locked_when_its_name_was_typed_again() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, AskScreen)  # a reason has to be
        await pilot.press(*"new driver", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y", "enter")
        await pilot.pause()
        assert not acts(given)
        await pilot.press("backspace", *"bligny-1", "enter")
        await until(pilot, lambda: said(app) == "lock bligny-1: done")
        assert acts(given) == [
            ("lock", {"node": "bligny-1", "reason": "new driver", "confirm": "bligny-1"})
        ]

    drive(steps, (80, 24), answers={"lock": {}})


def test_ones_own_lock_is_taken_off_with_a_yes_and_anothers_with_a_reason() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "cable under water" in lines(app, Table)[1])
        assert "not known" in lines(app, Table)[1]  # its report is old
        dark = node("umbria-1", lamp_level=0, lamp_reason="maintenance")
        given.put("nodes", [dark])
        await until(pilot, lambda: " dark " in lines(app, Table)[2])
        given.put("nodes", [node("umbria-1", lamp_level=40, lamp_reason="program")])
        await until(pilot, lambda: "not yet dark" in lines(app, Table)[2])
        await pilot.press("down", "u")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LocksView))
        assert not acts(given)
        await pilot.press("enter", "y")
        await until(pilot, lambda: said(app) == "unlock umbria-1: done")
        await pilot.press("up", "u", "enter")
        await pilot.pause()
        assert isinstance(app.screen, AskScreen)
        await pilot.press(*"he called", "enter")
        await until(pilot, lambda: said(app) == "unlock lazio-1: done")
        assert acts(given) == [
            ("unlock", {"node": "umbria-1"}),
            ("unlock", {"node": "lazio-1", "reason": "he called"}),
        ]
        given.put("tags", [])
        await until(pilot, lambda: "no lamp is locked" in lines(app, Table)[1])
        await until(pilot, lambda: "locked" not in lines(app, Header)[0])

    drive(steps, (80, 24), tags=TAGS, answers={"unlock": {}}, first=LOCKS)


def test_where_no_pin_proves_it_ones_own_lock_needs_a_reason_too() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "cable under water" in lines(app, Table)[1])
        await pilot.press("down", "u")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        assert isinstance(app.screen, AskScreen)
        assert "That it was you no PIN proves, so this needs a reason." in app.screen.question.lines
        await pilot.press(*"done", "enter")
        await until(pilot, lambda: said(app) == "unlock umbria-1: done")
        assert acts(given) == [("unlock", {"node": "umbria-1", "reason": "done"})]

    alone = {**WHO, "by_pin": False}
    drive(steps, (80, 24), tags=TAGS, answers={"unlock": {}}, first=LOCKS, who=alone)


def test_what_the_controller_refuses_is_said() -> None:
    why = "lazio-1 is locked by bruno: cable under water"

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("L", *"work", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press(*"bligny-1", "enter")
        await until(pilot, lambda: said(app) == f"lock bligny-1: {why}")

    drive(steps, answers={"lock": CoreError("refused", why)})


def test_a_lamp_that_no_cursor_is_on_is_locked_by_its_name() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"nobody", "enter")
        await pilot.pause()
        assert isinstance(app.screen, AskScreen)
        app.screen.query_one(Input).value = "bligny-1"
        await pilot.press("enter", *"work", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))

    drive(steps, (80, 24), first=LOCKS)


@pytest.mark.parametrize("options", [{"read_only": True}, {"who": {**WHO, "role": "view"}}])
def test_who_may_only_look_locks_nothing(options: dict[str, Any]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("L")
        await until(pilot, lambda: "nothing can be changed" in said(app))
        await pilot.press("colon", *"locks", "enter")
        await until(pilot, lambda: isinstance(app.screen, LocksView))
        await pilot.press("u")
        await until(pilot, lambda: "nothing can be changed" in said(app))
        assert not acts(given)

    drive(steps, (80, 24), tags=TAGS, **options)


OPERATORS = [
    {"name": "anna", "role": "configure", "pin": True},
    {"name": "night", "role": "view", "pin": False},
]


def wrong(app: LampioneApp) -> str:
    if not isinstance(app.screen, SignInScreen):
        return ""
    return str(app.screen._wrong.content)


async def asked_who(app: LampioneApp, pilot: Pilot[None]) -> None:
    await pilot.press("ctrl+o")
    await until(
        pilot,
        lambda: isinstance(app.screen, SignInScreen) and "anna" in str(app.screen._known.content),
    )


def test_somebody_else_signs_in_and_may_what_he_may() -> None:
    entered: list[Any] = []

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        def enter(**asked: Any) -> Any:
            entered.append(asked)
            if asked["operator"] == "nobody":
                return CoreError("refused", "there is no operator 'nobody'")
            if asked["pin"] == "wrong":
                return CoreError("refused", "that is not the PIN of anna")
            role = "configure" if asked["operator"] == "anna" else "view"
            given.put("who", {"operator": asked["operator"], "role": role, "why": None})
            return {"operator": asked["operator"], "role": role, "why": None}

        given.answers["enter"] = enter
        await asked_who(app, pilot)
        await pilot.press(*"nobody", "enter", "enter")
        await until(pilot, lambda: "there is no operator" in wrong(app))
        await pilot.press("escape")
        await asked_who(app, pilot)
        await pilot.press(*"night", "enter")
        await until(pilot, lambda: said(app) == "you are night, who may view")
        await until(pilot, lambda: "READ-ONLY" in lines(app, Header)[0])
        await asked_who(app, pilot)
        await pilot.press(*"anna", "enter", *"wrong", "enter")
        await until(pilot, lambda: wrong(app) == "that is not the PIN of anna")
        await pilot.press(*"4711", "enter")
        await until(pilot, lambda: said(app) == "you are anna, who may configure")
        await until(pilot, lambda: "READ-ONLY" not in lines(app, Header)[0])
        assert isinstance(app.screen, FleetView)
        assert [e["pin"] for e in entered] == [None, None, "wrong", "4711"]

    drive(steps, answers={"operators": OPERATORS})


def test_without_operators_a_name_is_enough() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+o", *"carla", "enter", "enter")
        await until(pilot, lambda: said(app) == "you are carla, who may configure")
        given.answers["operators"] = CoreError("no core", "the controller does not answer")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: wrong(app) == "the controller does not answer")

    entered = {"operator": "carla", "role": "configure", "why": None}
    drive(steps, answers={"operators": [], "enter": entered})


def test_pictures() -> None:
    async def shown(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "cable" in lines(app, Table)[1])

    async def typed(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("L", *"bligny-1", "enter", *"driver", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        app.screen.query_one(Input).cursor_blink = False
        await pilot.press(*"blig")
        await pilot.pause()
        picture(app, "lock-80x24")

    async def asked(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await asked_who(app, pilot)
        for line in app.screen.query(Input):
            line.cursor_blink = False
        await pilot.pause()
        picture(app, "sign-in-80x24")

    dark = node("umbria-1", lamp_level=0, lamp_reason="maintenance")
    pictures("locks", shown, tags=TAGS, first=LOCKS, nodes=[*three()[:2], dark])
    drive(typed, (80, 24), tags=TAGS, first=LOCKS)
    drive(asked, (80, 24), answers={"operators": OPERATORS}, first=LOCKS)
