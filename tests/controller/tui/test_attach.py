"""The node on a cable, on the screen: the board's answers are given, keys do the rest."""

from typing import Any

import pytest
from lampione.config.light import Lamp
from lampione.desk import street
from lampione.desk.work import Cancelled
from lampione.provision.signoff import Step, lamp_checks
from lampione.tui.app import LampioneApp
from lampione.tui.attach import AttachView
from lampione.tui.bars import Title
from lampione.tui.node_sheet import Sheet
from lampione.tui.where import Code
from lampione_hil.real.errors import NoBoardError
from textual.pilot import Pilot

from tests.controller.nodes import NOW
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, said, until

FOUND = {
    "node": "bligny-1", "shard": "milan", "machine": "ESP32S3 module", "micropython": "1.29.0",
    "unique_id": "a4cf12fe0001", "slot": "/lib", "last_start": "watchdog", "boot": 12, "key": True,
    "config": {"version": 4, "digest": "00"}, "outbox_bytes": 51200, "acknowledged": 900,
    "settings": {"wifi": {"ssid": "city", "password": True},
                 "broker": {"host": "mqtt.example", "port": 8883, "tls": True, "password": False}},
    "report": {"laeq": 62.4, "temperature": 21.5, "lamp_level": 40, "faults": []},
    "report_at": int(NOW) - 180, "health": {"rssi": None, "state_climate": "ok"},
    "health_at": None, "recent": [], "opened": 3, "not_opened": {}, "firmware": "0.1.0",
    "running": True,
}  # fmt: skip
FIRST = ("attach", None)
STEPS = [Step(0, "done", None, 0, 0.5), Step(50, "done", None, 50, 31.0),
         Step(100, "done", None, 100, 61.0)]  # fmt: skip


@pytest.fixture(autouse=True)
def board(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers of the board; what it was asked is kept."""
    asked: dict[str, Any] = {}

    def status(port: str, state: Any, check: Any, told: Any) -> Any:
        told("values", 0.5)
        return FOUND

    def lamp(port: str, call: Any, check: Any, told: Any, each: Any, settle_ms: int) -> Any:
        asked["lamp"] = port
        return "bligny-1", lamp_checks(STEPS, Lamp(rated_w=60), metered=True)

    def outbox(port: str, state: Any, call: Any, check: Any, told: Any, who: Any) -> Any:
        asked["outbox"] = who
        return {"node": "bligny-1", "frames": 40, "stored": 38, "duplicates": 2, "refused": 0,
                "to": "controller"}  # fmt: skip

    def wifi(port: str, network: Any, call: Any, check: Any, told: Any) -> Any:
        asked["wifi"] = network
        return {"node": "bligny-1", "ssid": network.ssid}

    def hear(port: str, each: Any, check: Any) -> int:
        each("lampione node bligny-1 boot 13\x1b[2J")
        raise Cancelled

    def reset(port: str, check: Any, told: Any) -> Any:
        asked["reset"] = port
        return {"node": "bligny-1", "firmware": "0.1.0"}

    for function in (status, lamp, outbox, wifi, hear, reset):
        monkeypatch.setattr(street, function.__name__, function)
    monkeypatch.setattr(street, "port_of", lambda serial=None, port=None: serial or "/dev/one")
    return asked


def sheet(app: LampioneApp) -> str:
    return "\n".join(lines(app, Sheet))


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_it_says_who_it_is_and_what_it_measured(size: tuple[int, int]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        assert "plug a node in" in lines(app, Title)[0]
        await pilot.press("enter")
        app.take()
        await pilot.pause()
        assert "bligny-1 on the cable" in lines(app, Title)[0]
        text = sheet(app)
        assert "boot 12, watchdog" in text
        assert "city, with a password" in text
        assert "report, 3m old" in text
        assert "bligny-1 runs again" in said(app)

    drive(steps, size, first=FIRST)


def test_the_lamp_is_tested_after_a_question(board: dict[str, Any]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("t", "n")
        assert "lamp" not in board
        await pilot.press("t", "y")
        app.take()
        await pilot.pause()
        assert board["lamp"] == "/dev/one"
        assert "✓ power at 50 %: 31.0 W" in sheet(app)

    drive(steps, first=FIRST)


def test_another_network_shows_no_password(board: dict[str, Any]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("w", *"sq", "enter")
        await pilot.press(*"pw1")
        assert "pw1" not in app.export_screenshot()
        await pilot.press("enter")
        app.take()
        await pilot.pause()
        assert board["wifi"].password.get_secret_value() == "pw1"
        assert "has started with sq" in said(app)

    drive(steps, first=FIRST)


def test_outbox_log_and_restart(board: dict[str, Any]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        app.take()
        assert "40 frames to the controller: 38 new, 2 there already" in said(app)
        assert board["outbox"].operator == "anna"
        await pilot.press("l")
        app.take()
        await pilot.pause()
        assert "boot 13·[2J" in sheet(app), "what it prints steers no terminal"
        await pilot.press("x", "y")
        app.take()
        assert "has started, firmware 0.1.0" in said(app)

    drive(steps, first=FIRST)


def test_what_is_under_way_ends_when_the_view_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        stopped: list[bool] = []
        monkeypatch.setattr(AttachView, "action_stop", lambda _: stopped.append(True))
        await pilot.press("escape")
        await until(pilot, lambda: stopped == [True])
        assert app.view is app._views["fleet"]

    drive(steps, first=FIRST)


def test_errors_and_read_only_are_said(
    board: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        def nothing(serial: str | None = None, port: str | None = None) -> str:
            raise NoBoardError("no board is connected: look at cable and power")

        monkeypatch.setattr(street, "port_of", nothing)
        await pilot.press("enter")
        app.take()
        assert "look at cable and power" in said(app)

    drive(steps, first=FIRST)

    async def locked(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("x")
        assert "read-only" in said(app)
        assert "reset" not in board

    drive(locked, first=FIRST, read_only=True)


def test_without_a_controller_the_cable_serves(board: dict[str, Any]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        given.put("link", "no controller: last known, 3h old")
        app.take()
        await pilot.press("x", "y")
        app.take()
        assert board["reset"]

    drive(steps, first=FIRST, who={"operator": None, "role": "view", "why": "last known"})


def test_where_a_node_stands() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("W")
        await pilot.pause()
        code = lines(app, Code)
        assert len(code) == 17
        assert len(code[8]) >= 25
        await pilot.press("escape")
        assert not app.screen.query(Code)

    drive(steps, (80, 24))


def test_the_pictures() -> None:
    async def asked(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: "bligny-1 on the cable" in lines(app, Title)[0])
        await pilot.press("t", "y")
        await until(pilot, lambda: "its lamp by its program" in said(app))
        await until(pilot, lambda: "lamp test" in sheet(app) and "who it is" in sheet(app))

    pictures("attach", asked, first=FIRST)

    async def where(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("W")
        await pilot.pause()

    pictures("where", where)
