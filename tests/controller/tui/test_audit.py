"""The audit on the screen: what was done, what came of it, and that nobody changed it."""

from pathlib import Path
from typing import Any

from lampione.core.client import CoreError
from lampione.desk import audit_file
from lampione.room.audit import FIRST, chained
from lampione.tui.app import LampioneApp
from lampione.tui.audit import PAGE, AuditView
from lampione.tui.dialogs import AskScreen, KeysScreen
from lampione.tui.fleet_view import FleetView
from lampione.tui.table import Table
from textual.pilot import Pilot
from textual.widgets import Input

from tests.controller.deeds import deed, night, shown
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, said, until

AUDIT: tuple[str, str | None] = ("audit", None)


def answered(entries: list[Any]) -> Any:
    """Answer as the core does. `entries`: newest first; more may be put in front of them."""

    def answer(
        node: str | None = None, before: int | None = None, after: int | None = None, limit: int = 0
    ) -> list[Any]:
        if after is not None:
            return [e for e in reversed(entries) if e["seq"] > after][:limit]
        found = [e for e in entries if node in (None, e["node"])]
        return [e for e in found if before is None or e["seq"] < before][:limit]

    return answer


def text(app: LampioneApp) -> list[str]:
    return lines(app, Table)


def test_who_did_what_and_its_outcome_stand_on_one_line() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "emergency" in text(app)[2])
        seen = "\n".join(text(app))
        assert "level 80 % for 30m" in seen
        assert "done, lamp at 80 %" in text(app)[8]
        assert text(app)[8].split()[1] == "bruno"
        assert "no result yet" in text(app)[2]
        assert "reverted: no uplink within the trial" in text(app)[10]
        assert all(len(line) <= 120 for line in text(app))

    drive(steps, answers={"audit": answered(night())}, first=AUDIT)


def test_words_filter_and_escape_shows_all() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "emergency" in text(app)[2])
        await pilot.press("slash", *"bruno lad", "enter")
        await until(pilot, lambda: "umbria-1" in text(app)[1] and text(app)[2] == "")
        assert isinstance(app.focused, Table)
        await pilot.press("escape")
        await until(pilot, lambda: "emergency" in text(app)[2])
        await pilot.press("slash", *"nobody", "enter")
        await until(pilot, lambda: "nothing like that was done" in text(app)[1])
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, FleetView))

    drive(steps, answers={"audit": answered(night())}, first=AUDIT)


def test_one_nodes_audit_is_asked_for_by_its_name() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("colon", *"audit lazio-1", "enter")
        await until(pilot, lambda: isinstance(app.screen, AuditView))
        await until(pilot, lambda: "lazio-1" in text(app)[2] and text(app)[3] == "")
        await pilot.press("escape")
        await until(pilot, lambda: "emergency" in text(app)[2])
        await pilot.press("colon", *"audit nobody", "enter")
        await until(pilot, lambda: "there is no node 'nobody'" in said(app))

    drive(steps, answers={"audit": answered(night())})


def test_enter_shows_an_entry_whole() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "emergency" in text(app)[2])
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert isinstance(app.screen, KeysScreen)
        told = dict(app.screen.keys)
        assert told["who"] == "anna (configure)"
        assert told["which"] == "umbria-1"
        assert told["locked_by"] == "bruno"
        assert len(told["hash"]) == 64
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, AuditView))

    drive(steps, answers={"audit": answered(night())}, first=AUDIT)


def test_the_end_brings_what_lies_further_back_and_new_things_come_by_themselves() -> None:
    deeds = [deed(10_000 - n, "anna", "note", note=n) for n in range(PAGE + 30)]
    whole = chained(0, FIRST, deeds)
    entries = [shown(entry) for entry in reversed(whole)]

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        table = app.screen.query_one(Table)
        await until(pilot, lambda: len(table._rows) == PAGE)
        await pilot.press("G")
        await until(pilot, lambda: len(table._rows) == PAGE + 30)
        await pilot.press("G")
        assert table.row is not None
        assert table.row["seq"] == 1
        asked = len(given.asked)
        await pilot.press("k", "j")
        assert len(given.asked) == asked  # nothing lies further back
        new = chained(
            whole[-1].seq, whole[-1].hash, [deed(1, "bruno", "lock", "lazio-1", reason="x")]
        )
        entries.insert(0, shown(new[0]))
        app.screen._asked_at = 0.0  # type: ignore[attr-defined]
        app.tick()
        await until(pilot, lambda: len(table._rows) == PAGE + 31)
        assert table.row is not None
        assert table.row["seq"] == 1  # the cursor stays where it is

    drive(steps, answers={"audit": answered(entries)}, first=AUDIT)


def test_the_chain_is_verified_by_a_key() -> None:
    whole = {"entries": 11, "head": "ab" * 32, "bad": None, "why": None}
    broken = {**whole, "bad": 4, "why": "entry 4, or the one before it, is not what it was"}

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("v")
        await until(pilot, lambda: "11 entries, all as they were written" in said(app))
        given.answers["verify"] = broken
        await pilot.press("v")
        await until(pilot, lambda: "BROKEN at entry 4: entry 4, or" in said(app))
        given.answers["verify"] = CoreError("no core", "the controller does not answer")
        await pilot.press("v")
        await until(pilot, lambda: said(app) == "verify: the controller does not answer")

    drive(steps, answers={"audit": answered(night()), "verify": whole}, first=AUDIT)


def test_an_export_is_written_once_and_can_be_checked(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        for expected in ("11 entries in", "is there already; nothing was written"):
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, AskScreen))
            app.screen.query_one(Input).value = str(file)
            await pilot.press("enter")
            await until(pilot, lambda: expected in said(app))  # noqa: B023
        assert audit_file.read(file).fault is None

    drive(steps, answers={"audit": answered(night())}, first=AUDIT)


def test_a_controller_that_does_not_answer_is_said() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: said(app) == "audit: the controller does not answer")
        assert "nothing was done yet" in text(app)[1]

    no = CoreError("no core", "the controller does not answer")
    drive(steps, (80, 24), answers={"audit": no}, first=AUDIT)


def test_pictures() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "emergency" in text(app)[2])
        await pilot.press("down")

    pictures("audit", steps, answers={"audit": answered(night())}, first=AUDIT)
