"""What is broken, on the screen."""

from typing import Any

from lampione.core.client import CoreError
from lampione.tui.app import LampioneApp
from lampione.tui.dialogs import AskScreen, KeysScreen
from lampione.tui.table import Table
from textual.pilot import Pilot
from textual.widgets import Static

from tests.controller.nodes import NOW
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import WHO, Given, drive, lines, said, until

FIRST: tuple[str, str | None] = ("alarms", None)


def alarm(number: int, subject: str, rule: str, severity: str, ago: float, **more: Any) -> Any:
    """Return an alarm that stands."""
    return {
        "id": number, "subject": subject, "node": subject, "rule": rule, "what": rule,
        "severity": severity, "active": True, "acknowledged": False, "since": NOW - ago,
        "raised": NOW - ago + 3, "changed": NOW - ago + 3, "cleared": None, "count": 1,
        "value": None, "limit": None, "mend": None, "acknowledged_at": None,
        "acknowledged_by": None, "assignee": None, "note": None, "shelved_until": None,
        "members": [],
    } | more  # fmt: skip


CAUSE = alarm(
    7, "feeder f3", "silent", "major", 1500, node=None, what="feeder f3 is silent",
    members=[f"lazio-{n}" for n in range(1, 41)],
    mend="look at its neighbours first; then its feeder, its radio; `lampione show NODE`",
)  # fmt: skip
ALARMS = [
    alarm(3, "bligny-1", "noise", "warning", 5400, what="noise over class IV", value="58.2 dB",
          limit="> 65 by day, 55 by night, dB"),
    alarm(5, "umbria-1", "lamp-failure", "critical", 620, what="the lamp fails, or its control",
          value="lamp", limit="lamp", count=2, assignee="anna", note="driver ordered",
          mend="the lamp is at its design level or dark: a crew"),
    CAUSE,
    alarm(9, "bligny-1", "impact", "major", 90, what="something hit the lamppost", active=False,
          cleared=NOW - 90, mend="look at the lamppost"),
    alarm(11, "lazio-1", "hot", "minor", 7300, what="its board is hot", value="81 °C",
          limit="> 75 °C", acknowledged=True, acknowledged_by="bruno", acknowledged_at=NOW - 60),
]  # fmt: skip


def below(app: LampioneApp) -> str:
    return str(app.screen.query_one("#one", Static).content)


def subjects(app: LampioneApp) -> list[str]:
    return [line.strip() for line in lines(app, Table)[1:] if line.strip()]


def test_faults_first_and_why() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(subjects(app)) == 5)
        rows = subjects(app)
        assert "umbria-1" in rows[0]
        assert "the lamp fails, or its control ×2" in rows[0]
        assert "feeder f3 (40 nodes)" in rows[1]
        assert "impact" not in rows[-2]
        assert "cleared" in rows[-1]
        assert "to do: the lamp is at its design level" in below(app)
        assert "limit lamp" in below(app)
        await pilot.press("f")
        await until(pilot, lambda: len(subjects(app)) == 4)
        await pilot.press("slash", *"bligny", "enter")
        await until(pilot, lambda: len(subjects(app)) == 1)
        await pilot.press("escape")
        await until(pilot, lambda: len(subjects(app)) == 5)
        given.put("alarms", [{**ALARMS[1], "active": False, "acknowledged": True}])
        await until(pilot, lambda: len(subjects(app)) == 4)

    drive(steps, alarms=ALARMS, first=FIRST)


def test_many_are_acknowledged_at_once() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(subjects(app)) == 5)
        await pilot.press("space", "space", "a")
        await until(pilot, lambda: said(app) == "acknowledge: 2 alarms")
        asked = [parameters for op, parameters in given.asked if op == "alarm"]
        assert asked == [{"alarm": 5, "do": "ack"}, {"alarm": 7, "do": "ack"}]
        given.answers["alarm"] = CoreError("unknown", "there is no alarm 11")
        await pilot.press("u")
        await until(pilot, lambda: "1 of 1 failed: there is no alarm 11" in said(app))

    drive(steps, answers={"alarm": {}}, alarms=ALARMS, first=FIRST)


def test_assign_note_shelve() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(subjects(app)) == 5)
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press("enter")
        await until(pilot, lambda: said(app) == "assign: done")
        await pilot.press("n", "s", "enter")
        await until(pilot, lambda: said(app) == "note: done")
        await pilot.press("z", "x", "enter")
        await pilot.pause()
        assert isinstance(app.screen, AskScreen)  # x is no time
        await pilot.press("backspace", *"8h", "enter")
        await until(pilot, lambda: said(app) == "shelve: done")
        asked = [parameters for op, parameters in given.asked if op == "alarm"]
        assert asked == [
            {"alarm": 5, "do": "assign", "text": "anna"},
            {"alarm": 5, "do": "note", "text": "s"},
            {"alarm": 5, "do": "shelve", "for_s": 8 * 3600.0},
        ]

    drive(steps, answers={"alarm": {}}, alarms=ALARMS, first=FIRST)


def test_members_nodes_and_history() -> None:
    past = {**ALARMS[3], "acknowledged": True, "id": 2}

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(subjects(app)) == 5)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        await pilot.press("escape")
        await pilot.press("h")
        await until(pilot, lambda: "history" in subjects(app)[0])
        await pilot.press("h")
        await until(pilot, lambda: len(subjects(app)) == 5)
        given.answers["alarms"] = CoreError("broken", "the store cannot be read")
        await pilot.press("h")
        await until(pilot, lambda: said(app) == "history: the store cannot be read")
        await pilot.press("home", "enter")
        await until(pilot, lambda: type(app.screen).__name__ == "NodeView")

    drive(steps, answers={"alarms": [past]}, alarms=ALARMS, first=FIRST)


def test_who_may_only_look_changes_nothing() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(subjects(app)) == 5)
        for key in ("a", "A", "n", "z"):
            await pilot.press(key)
            await until(pilot, lambda: "nothing can be changed" in said(app))
        assert not [op for op, _ in given.asked if op == "alarm"]

    drive(steps, alarms=ALARMS, first=FIRST, who={**WHO, "role": "view"})


def test_nothing_is_broken() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: subjects(app) == ["no alarms"])
        await pilot.press("a", "enter", "f")
        await until(pilot, lambda: "none of these" in subjects(app)[0])

    drive(steps, first=FIRST)


def test_pictures() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(subjects(app)) == 5)
        await pilot.press("down")
        await until(pilot, lambda: "lazio-12 and 28 more: enter lists them" in below(app))

    pictures("alarms", steps, alarms=ALARMS, first=FIRST)
