"""What one shift leaves to the next, on the screen."""

from typing import Any

from lampione.core.client import CoreError
from lampione.tui.app import LampioneApp
from lampione.tui.dialogs import AskScreen
from lampione.tui.table import Table
from textual.pilot import Pilot
from textual.widgets import Static

from tests.controller.nodes import NOW
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import WHO, Given, drive, lines, said, until

NOTES = [
    {"id": 2, "at": NOW - 600, "operator": "bruno", "seq": 11, "head": "c0" * 32,
     "text": "Feeder 3 tripped twice.\nThe contractor comes at eight; the key is with the porter."},
    {"id": 1, "at": NOW - 90000, "operator": "anna", "seq": 4, "head": "a1" * 32,
     "text": "Umbria-1 has a new driver: watch its power for a week."},
]  # fmt: skip
FIRST: tuple[str, str | None] = ("notes", None)


def below(app: LampioneApp) -> str:
    return str(app.screen.query_one("#note Static", Static).content)


def test_notes_are_read_whole() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Feeder 3" in lines(app, Table)[1])
        await until(pilot, lambda: "the key is with the porter" in below(app))
        assert "audit 11: c0c0" in below(app)
        await pilot.press("down")
        await until(pilot, lambda: "watch its power" in below(app))

    drive(steps, (80, 24), answers={"notes": NOTES}, first=FIRST)


def test_a_note_is_added() -> None:
    notes: list[Any] = []

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        assert "nobody left a note" in lines(app, Table)[1]
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, AskScreen)
        notes.append(NOTES[1])
        await pilot.press(*"watch it", "enter")
        await until(pilot, lambda: "Umbria-1 has" in lines(app, Table)[1])
        assert ("note", {"text": "watch it"}) in given.asked
        given.answers["note"] = CoreError("refused", "it needs the role operate")
        await pilot.press("a", *"more", "enter")
        await until(pilot, lambda: said(app) == "note: it needs the role operate")

    drive(steps, (80, 24), answers={"notes": lambda **_: list(notes), "note": {}}, first=FIRST)


def test_who_may_only_look_adds_none() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await until(pilot, lambda: "nothing can be changed" in said(app))

    drive(steps, answers={"notes": NOTES}, first=FIRST, who={**WHO, "role": "view"})


def test_pictures() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "the key is" in below(app))

    pictures("notes", steps, answers={"notes": NOTES}, first=FIRST)
