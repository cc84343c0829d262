"""What every view has: jumps, the palette, questions, read-only, what is said, the header."""

import os
import subprocess
import sys
from typing import Any

import pytest
from lampione.cli import parser
from lampione.core.client import CoreError
from lampione.desk.work import Answer
from lampione.tui.app import LampioneApp
from lampione.tui.bars import Header, Keys
from lampione.tui.dialogs import Ask, AskScreen, Confirm, ConfirmScreen, JumpScreen, KeysScreen
from lampione.tui.fleet_view import FleetView
from lampione.tui.node import NodeView
from lampione.tui.view import View
from lampione.tui.views import VIEWS
from textual import events
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.controller.tui.still import WHO, Given, drive, lines, said, until
from tests.controller.tui.test_alarms_view import alarm


@pytest.mark.parametrize("place", VIEWS, ids=lambda place: place.name)
def test_every_view_has_a_command_that_says_the_same_as_json(place: Any) -> None:
    twin = ["bligny-1" if word == "NODE" else word for word in place.twin]
    options = parser.build().parse_args([*twin, "--json"])
    assert options.json
    module, _, function = options.handler.partition(":")
    assert callable(getattr(__import__(module, fromlist=[function]), function))


@pytest.mark.parametrize("place", VIEWS, ids=lambda place: place.name)
def test_every_view_opens_with_nothing_known_and_says_its_keys(place: Any) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.go(place.name)
        await until(pilot, lambda: app.view is app._views[place.name] and app.view.is_mounted)
        await pilot.pause()
        app.tick()
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert isinstance(app.screen, KeysScreen)
        told = {what: keys for keys, what in app.screen.keys}
        assert {"Jump", "Keys", "Quit"} <= told.keys()
        await pilot.press("escape")
        given.put("link", "the controller ended the connection")
        await until(pilot, lambda: "○ the controller" in lines(app, Header)[0])
        assert app.is_running

    drive(steps, (80, 24), nodes=[], sites={})


@pytest.mark.parametrize("place", VIEWS, ids=lambda place: place.name)
def test_at_eighty_columns_no_key_of_a_footer_is_cut(place: Any) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.go(place.name)
        await until(pilot, lambda: app.view is app._views[place.name] and app.view.is_mounted)
        await pilot.pause()
        footer = " ".join(lines(app, Keys))
        for active in app.screen.active_bindings.values():
            if active.binding.show and active.enabled:
                assert active.binding.description in footer
        assert len(lines(app, Keys)) <= 2
        head = lines(app, Header)[0]
        assert "READ-ONLY" in head
        assert "2.2/s" in head
        assert "▲ 3 critical" in head

    alarms = [alarm(n, "umbria-1", "lamp", "critical", 60) for n in range(3)]
    drive(steps, (80, 24), alarms=alarms, read_only=True)


@pytest.mark.parametrize("place", VIEWS[1:], ids=lambda place: place.name)
def test_a_view_that_was_left_goes_on_and_can_be_opened_again(place: Any) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.go(place.name)
        await until(pilot, lambda: app.screen is app._views[place.name] and app.screen.is_mounted)
        view = _view(app)
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, FleetView))
        await pilot.pause()
        assert view.is_running  # one that Textual has ended is in a terminal never drawn again
        app.go(place.name)
        await until(pilot, lambda: app.screen is view and place.name in lines(app, Header)[0])

    drive(steps, (80, 24))


def test_the_node_view_begins_with_the_node_under_the_cursor() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("down", "4")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        assert _view(app).here() == "lazio-1"
        await pilot.press("escape", "down", "4")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        assert _view(app).here() == "lazio-1"  # one that was chosen stays; enter takes another

    drive(steps)


def test_the_keys_of_a_view_begin_with_its_own() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("2", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert isinstance(app.screen, KeysScreen)
        told = {what: keys for keys, what in app.screen.keys}
        assert list(told).index("Colour by") < list(told).index("Quit")
        assert all(len(set(keys.split())) == len(keys.split()) for keys in told.values())

    drive(steps)


def test_the_keys_of_views_are_their_own() -> None:
    keys = [place.key for place in VIEWS if place.key]
    assert len(keys) == len(set(keys))
    assert all(len(place.summary) <= 60 for place in VIEWS)


def test_a_colon_jumps_by_name() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press(*"node um", "tab")
        line = app.screen.query_one(Input)
        await until(pilot, lambda: line.value == "node umbria-1 ")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        assert app.screen.node == "umbria-1"  # type: ignore[attr-defined]
        await pilot.press("colon", *"nowhere", "enter")
        await until(pilot, lambda: "there is no view 'nowhere'" in said(app))
        await pilot.press("colon", *"node nobody", "enter")
        await until(pilot, lambda: "there is no node 'nobody'" in said(app))
        await pilot.press("colon", "escape")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, FleetView))
        assert len(app.screen_stack) == 2  # Textual's own, and one view: going back ends here
        await pilot.press("escape")
        assert isinstance(app.screen, FleetView)

    drive(steps)


def test_keys_typed_ahead_wait_for_the_window_that_they_open() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        for letter in ":node umbria-1":
            app.post_message(events.Key({":": "colon", " ": "space"}.get(letter, letter), letter))
        for key in ("enter", "escape", "slash", "l", "a", "z", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: app.desk.fleet.words == "laz")
        assert isinstance(app.screen, FleetView)
        assert app.desk.fleet.sort == "node"  # no letter was taken for a key

    drive(steps)


def test_a_key_that_is_lost_does_not_hold_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lampione.tui.keys._LOST_S", 0.05)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        with monkeypatch.context() as gone:
            gone.setattr(app, "_follow", lambda *_: None)  # it went down with a window
            app.post_message(events.Key("j", "j"))
            await until(pilot, lambda: app._turn == 1)
        app.post_message(events.Key("s", "s"))
        await until(pilot, lambda: app.desk.fleet.sort == "site")

    drive(steps)


def test_the_palette_offers_views_and_keys() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"dark or light")
        await pilot.pause(0.3)
        before = app.theme
        await pilot.press("enter")
        await until(pilot, lambda: app.theme != before)

    drive(steps)


def _view(app: LampioneApp) -> View:
    view = app.view
    assert view is not None
    return view


def test_a_question_says_what_it_will_do_and_a_slip_is_no() -> None:
    did: list[str] = []

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        question = Confirm("reboot 40 nodes?", ["40 lamps keep their level"])
        for keys, expected in ((["n"], []), (["escape"], []), (["y"], ["it"])):
            _view(app).confirm(question, lambda: did.append("it"))
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.press(*keys)
            await until(pilot, lambda: isinstance(app.screen, View))
            assert did == expected
        _view(app).confirm(Confirm("lock it?", typed="bligny-1"), lambda: did.append("locked"))
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press(*"bligny-2", "enter")
        await pilot.pause()
        assert did == ["it"]
        await pilot.press("backspace", "1", "enter")
        await until(pilot, lambda: did == ["it", "locked"])

    drive(steps, (80, 24))


def test_a_line_is_asked_for_and_checked() -> None:
    got: list[str] = []

    def check(text: str) -> None:
        if not text:
            raise ValueError("say why")

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        _view(app).ask_for(Ask("why?", check=check), got.append)
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, AskScreen)
        await pilot.press(*"broken", "enter")
        await until(pilot, lambda: got == ["broken"])
        _view(app).ask_for(Ask("pin", secret=True), got.append)
        await until(pilot, lambda: len(app.screen.query(Input)) == 1 and app.screen.is_modal)
        assert app.screen.query_one(Input).password
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetView))
        assert got == ["broken"]

    drive(steps, (80, 24))


def test_what_is_asked_is_answered_on_the_line_above_the_keys() -> None:
    answers: list[Answer] = []

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        _view(app).act("alarm", "acknowledge 1 alarm", answers.append, id=7)
        await until(pilot, lambda: said(app) == "acknowledge 1 alarm: done")
        given.answers["alarm"] = CoreError("refused", "it needs the role operate")
        _view(app).act("alarm", "acknowledge 1 alarm", answers.append, id=7)
        await until(pilot, lambda: said(app) == "acknowledge 1 alarm: it needs the role operate")
        assert [answer.kind for answer in answers] == [None, "refused"]
        assert given.asked == [("alarm", {"id": 7})] * 2

    drive(steps, answers={"alarm": {}})


@pytest.mark.parametrize(
    ("who", "options", "why"),
    [
        ({**WHO, "role": "view"}, {}, "your role is view"),
        (WHO, {"read_only": True}, "this terminal was opened read-only"),
    ],
)
def test_who_may_only_look_changes_nothing(
    who: dict[str, Any], options: dict[str, Any], why: str
) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "READ-ONLY" in lines(app, Header)[0])
        _view(app).act("alarm", "acknowledge 1 alarm", id=7)
        assert why in said(app)
        assert given.asked == []

    drive(steps, who=who, **options)


def test_the_header_counts_alarms_and_locks() -> None:
    alarms = [
        {"id": n, "active": n < 3, "acknowledged": n == 3, "severity": "critical"}
        for n in range(1, 5)
    ]

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        head = lines(app, Header)[0]
        assert "▲ 2 critical" in head
        assert "1 locked" in head
        assert set(app.desk.alarms) == {1, 2, 4}
        given.put("alarms", [{**alarms[0], "active": False, "acknowledged": True}])
        await until(pilot, lambda: "▲ 1 critical" in lines(app, Header)[0])

    drive(steps, alarms=alarms, tags=[{"node": "lazio-1"}])


def test_at_rest_a_screen_says_little() -> None:
    """A slow line carries what changes, and no more."""
    written: list[int] = []

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        driver: Any = app._driver
        write = driver.write

        def count(data: str) -> None:
            written.append(len(data.encode()))
            write(data)

        driver.write = count
        for _ in range(3):
            app.tick()
            await pilot.pause()
        assert sum(written) < 3 * 8000

    drive(steps, (80, 24))


def test_the_screen_opens_nothing_by_itself() -> None:
    script = (
        "import sys; import lampione.tui.app;"
        "print([m for m in ('sqlite3', 'paho', 'serial', 'lampione.store.sqlite') "
        "if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ}
    )
    assert found.stdout.strip() == "[]", found.stdout + found.stderr


def test_what_comes_while_it_closes_finds_no_view(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        close = app._close_all

        async def late() -> None:
            assert app.view is not None
            await app.view.query_one("#body").remove()
            given.put("link", "gone")
            app.take()
            app.tick()
            taken.append(app.view)
            await close()

        monkeypatch.setattr(app, "_close_all", late)

    drive(steps, first=("bench", None))
    assert len(taken) == 1
