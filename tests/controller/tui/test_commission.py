"""Boards become nodes by keys: the list, the boards, a run, what can go wrong with it.

The runs here are told as they were heard; tests/controller/tui/test_commission_board.py has one
with a board.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lampione import seeds
from lampione.desk import boards, commissioning
from lampione.desk.boards import Connected
from lampione.desk.work import Works
from lampione.provision import record, session
from lampione.provision.errors import ProvisionError
from lampione.provision.queue import Queue, held
from lampione.provision.record import Record
from lampione.provision.rows import load
from lampione.provision.run import Outcome
from lampione.provision.signoff import Check
from lampione.tui.app import LampioneApp
from lampione.tui.commission import CommissionView
from lampione.tui.dialogs import AskScreen, ConfirmScreen, KeysScreen
from lampione_hil.board import BenchError
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, said, until

NODES = ("bligny-1", "lazio-1", "umbria-1", "vettabbia-1")
CHECKS = (
    Check("identify", "good", "done"),
    Check("power at 0 %", "good", 1.1, "W", None, 6.0),
    Check("power at 50 %", "good", 31.0, "W", 5.0, 70.1),
    Check("power at 100 %", "good", 72.4, "W", 56.2, 90.0),
    Check("radio", "bad", -92, "dBm", -80, do="too weak: see to the antenna and its plug"),
)
FREE = Connected("a4cf12fe0001", "", "/dev/ttyACM0", "ESP32-S3", False, None, "free", "")
BOARDS = [
    FREE,
    Connected("a4cf12fe0002", "", "/dev/ttyACM1", "ESP32-S3", False, "lazio-1", "busy",
              "in use by mpremote (process 4711): close it and try again"),
    Connected("a4cf12fe0003", "", "/dev/ttyACM2", "CP2102N", False, None, "closed",
              "you may not open it: type `sudo usermod -aG dialout $USER` and log in again"),
]  # fmt: skip


class Played:
    """A run as it was heard. `script` does what boards did."""

    script: Callable[["Played"], Outcome] = lambda _: Outcome()

    def __init__(self, bench: Any, queue: Queue, folder: Path, view: Any, **options: Any) -> None:
        self.queue, self.folder, self.view = queue, folder, view
        self.asked: Callable[[], int] = options["asked"]

    def run(self) -> Outcome:
        return type(self).script(self)

    def begin(self, n: int, board: str, *steps: tuple[str, float | None]) -> None:
        row = self.queue.rows[n]
        self.queue.begin(row, board)
        for step, part in steps:
            self.queue.step(row, step)
            self.view.tell(row.node, step, part)

    def end(self, n: int, why: str | None = None, do: str = "") -> None:
        row = self.queue.rows[n]
        filed = Record(row.node, "", "", "a4cf12fe0001", checks=CHECKS)
        filed.outcome = "failed" if why else "signed off"
        path = record.file(self.folder, filed)
        if why:
            self.queue.failed(row, why, do, path)
        else:
            self.queue.done(row, path)
        self.view.end(row.node, why or "signed off", good=not why)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    @contextlib.contextmanager
    def prepared(*_: Any) -> Iterator[None]:
        yield None

    monkeypatch.setattr(session, "prepared", prepared)
    monkeypatch.setattr(commissioning, "Run", Played)
    monkeypatch.setattr(boards, "connected", lambda _: BOARDS)
    path = tmp_path / "fifty.toml"
    path.write_text("".join(f'[[boards]]\nnode = "{node}"\n' for node in NODES[:3]))
    (tmp_path / "city.wifi").write_text('ssid = "city"\npassword = "hunter2hunter2"\n')
    (tmp_path / "city.wifi").chmod(0o600)
    return tmp_path


def about(app: LampioneApp) -> str:
    return str(app.screen.query_one("#about", Static).content)


def top(app: LampioneApp) -> str:
    return str(app.screen.query_one("#top", Static).content)


def wrong(app: LampioneApp) -> str:
    screen = app.screen
    return str(screen._wrong.content) if isinstance(screen, AskScreen) else ""


async def opened(app: LampioneApp, pilot: Pilot[None], folder: Path) -> CommissionView:
    app.desk.state = folder
    await pilot.press("5")
    await until(pilot, lambda: isinstance(app.screen, CommissionView))
    view = app.screen
    assert isinstance(view, CommissionView)
    await until(pilot, lambda: view.boards.row is not None)
    return view


async def with_list(app: LampioneApp, pilot: Pilot[None], folder: Path) -> CommissionView:
    view = await opened(app, pilot, folder)
    app.go("commission", str(folder / "fifty.toml"))
    await until(pilot, lambda: "next is bligny-1" in top(app))
    return view


async def to_wifi(app: LampioneApp, pilot: Pilot[None], view: CommissionView) -> None:
    await pilot.press("w")
    await until(pilot, lambda: isinstance(app.screen, AskScreen))
    await pilot.press("-", "enter")
    await until(pilot, lambda: app.screen is view)


async def begun(app: LampioneApp, pilot: Pilot[None], view: CommissionView) -> None:
    await to_wifi(app, pilot, view)
    await pilot.press("b")
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    await pilot.press("y")
    await until(pilot, lambda: app.screen is view)


def test_boards_are_listed_with_who_has_them_and_whose_they_are(bench: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot, bench)
        await until(pilot, lambda: "a4cf12fe0001" in lines(app, "#boards")[1])
        _, first, second, third, *_ = lines(app, "#boards")
        assert "● free" in first
        assert "lazio-1" in second
        assert "◐ busy: in use by mpremote" in second
        assert "✗ no right" in third
        await pilot.press("tab", "down", "down")
        await until(pilot, lambda: "usermod -aG dialout" in about(app))
        await pilot.press("f")
        await until(pilot, lambda: "usermod -aG dialout" in said(app))

    drive(steps, (100, 30))


def test_a_list_is_worked_through_and_its_measurements_are_shown(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(run: Played) -> Outcome:
        run.begin(0, "a4cf12fe0001", ("who it is", None), ("flash", 0.5), ("lamp half", None))
        run.end(0)
        run.begin(1, "a4cf12fe0002", ("flash", 0.2))
        run.end(1, "/dev/ttyACM1: the cable was pulled", "plug it in again, then run this again")
        return Outcome(done=["bligny-1"], failed=["lazio-1"], missing=["umbria-1"])

    monkeypatch.setattr(Played, "script", script)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await with_list(app, pilot, bench)
        await begun(app, pilot, view)
        await until(pilot, lambda: "1 of 3 done; next is lazio-1" in top(app))
        assert "1 failed" in top(app)
        rows = lines(app, "#rows")
        assert "✓ done" in rows[1]
        assert "✗ failed" in rows[2]
        assert "failed at flash: /dev/ttyACM1: the cable" in rows[2]
        assert "72.4 W" in about(app)
        assert "56.2 to 90" in about(app)
        assert "record" in about(app)
        await pilot.press("down")
        await until(pilot, lambda: "plug it in again" in about(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is view)

    drive(steps, (120, 34))
    again = Queue(load(bench / "fifty.toml", seeds.load()), bench / "fifty.toml")
    assert [e.state for e in again.entries()] == ["done", "failed", "waiting"]


def test_a_run_is_left_stopped_and_taken_up_again(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = threading.Event()

    def script(run: Played) -> Outcome:
        run.begin(0, "a4cf12fe0001", ("who it is", None), ("lamp half", None))
        run.view.measured(run.queue.rows[0].node, [CHECKS[0], CHECKS[-1]])
        on.wait(10)
        while not run.asked():
            on.wait(0.01)
        return Outcome(stopped=["bligny-1"], interrupted=True)

    monkeypatch.setattr(Played, "script", script)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk._works = Works()
        view = await with_list(app, pilot, bench)
        await begun(app, pilot, view)
        await until(pilot, lambda: "► lamp half" in about(app))
        # What was measured stands there while the rest is yet to come.
        await until(pilot, lambda: "✗ radio" in about(app) and "-92 dBm" in about(app))
        assert about(app).index(f"✓ {CHECKS[0].name}") < about(app).index("► lamp half")
        assert "► at work      a4cf12fe0001" in lines(app, "#rows")[1]
        assert "► bligny-1" in lines(app, "#boards")[1]
        assert "fifty.toml: 0 of 3 done, 1 at work" in top(app)
        await pilot.press("1")
        await until(pilot, lambda: app.screen is not view)
        await pilot.press("5")
        await until(pilot, lambda: app.screen is view and "► lamp half" in about(app))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        question = app.screen
        assert isinstance(question, ConfirmScreen)
        assert "1 boards are being commissioned: bligny-1" in question.question.lines[0]
        await pilot.press("n", "x")
        on.set()
        await until(pilot, lambda: "0 of 3 done; next is bligny-1, board a4cf" in top(app))
        await until(pilot, lambda: "‖ interrupted" in lines(app, "#rows")[1])
        assert "begin again" in about(app)

    drive(steps, (120, 30))


def test_quitting_ends_the_run_in_good_order_first(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def script(run: Played) -> Outcome:
        run.begin(0, "a4cf12fe0001", ("flash", 0.5))
        while not run.asked():
            ended.wait(0.01)
        ended.set()
        return Outcome(stopped=["bligny-1"], interrupted=True)

    monkeypatch.setattr(Played, "script", script)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk._works = Works()
        view = await with_list(app, pilot, bench)
        await begun(app, pilot, view)
        await until(pilot, lambda: bool(app.desk.going()))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: not app.is_running or ended.is_set())

    drive(steps)
    assert ended.wait(5)


def test_the_password_is_never_shown(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await with_list(app, pilot, bench)
        assert "bligny-1 has no network yet: w says which" in top(app)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"city", "enter")
        await until(pilot, lambda: app.screen.query_one(Input).password)
        await pilot.press(*"hunter2")
        assert "hunter2" not in app.export_screenshot()
        assert "•••••••" in app.export_screenshot()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: app.screen is view)
        assert "no network" not in top(app)
        (bench / "city.wifi").chmod(0o644)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"./city.wifi", "enter")
        await until(pilot, lambda: "chmod 600" in wrong(app))

    drive(steps)


def test_a_list_that_is_wrong_missing_or_held_is_said(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await opened(app, pilot, bench)
        await pilot.press("b")
        await until(pilot, lambda: "there is no list" in said(app))
        for name, words in (("none.toml", "No such file"), ("bad.csv", "no node 'rome-1'")):
            (bench / "bad.csv").write_text("node\nrome-1\n")
            view.work.open(str(bench / name))
            await until(pilot, lambda words=words: words in top(app))  # type: ignore[misc]
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press("x", "enter")
        await until(pilot, lambda: ".toml or .csv" in wrong(app))
        await pilot.press("backspace", *"fifty.toml", "enter")
        await until(pilot, lambda: "next is bligny-1" in top(app))
        with held(bench / "fifty.toml"):
            await begun(app, pilot, view)
            await until(pilot, lambda: "is being worked on already" in top(app))

    drive(steps)


def test_what_hinders_a_run_is_said_with_what_to_do(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(*_: Any) -> Any:
        raise ProvisionError("no controller runs", "start `lampione serve`")

    monkeypatch.setattr(session, "prepared", prepared)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await with_list(app, pilot, bench)
        await begun(app, pilot, view)
        await until(pilot, lambda: "start `lampione serve`" in top(app))
        assert not view.work.running

    drive(steps)


def test_a_board_is_flashed_and_what_went_wrong_is_said(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = SimpleNamespace(firmware="0.7", words=lambda: "bligny-1 runs firmware 0.7")
    answers: list[Any] = [done, BenchError("this chip is an esp32c3: no")]

    def flash(port: str, told: Callable[[str, float], None]) -> Any:
        assert port == FREE.port
        told("sending", 0.4)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(boards, "bring_up_to_date", flash)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await opened(app, pilot, bench)
        for words in ("runs firmware 0.7", "this chip is an esp32c3"):
            await pilot.press("f")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.press("y")
            await until(pilot, lambda words=words: app.screen is view and words in top(app))  # type: ignore[misc]
        assert "the audit does not have it" in top(app)  # this controller knows no `deed`
        given.answers["deed"] = None
        answers.append(done)
        await pilot.press("f", "y")
        await until(pilot, lambda: "the audit" not in top(app) and "firmware 0.7" in top(app))
        told = [parameters for op, parameters in given.asked if op == "deed"]
        assert [deed["detail"]["result"] for deed in told] == ["done", "failed", "done"]
        assert told[-1] == {
            "action": "flash", "node": FREE.node,
            "detail": {"result": "done", "board": FREE.board, "firmware": "0.7"},
        }  # fmt: skip
        given.put("link", "no controller runs")
        await until(pilot, lambda: app.desk.link is not None)
        answers.append(done)
        await pilot.press("f", "y")
        await until(pilot, lambda: not answers and not view.work.flashing)
        assert len([1 for op, _ in given.asked if op == "deed"]) == 3

    drive(steps)


def test_read_only_touches_no_board_and_the_broker_can_be_said(bench: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await with_list(app, pilot, bench)
        for key in ("b", "f"):
            await pilot.press(key)
            await until(pilot, lambda: "read-only" in said(app))
        with pytest.raises(ValueError, match="mqtt"):
            view.work.broker("ftp://x")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"mqtt://b", "enter")
        await until(pilot, lambda: "nodes get it" in said(app))
        assert view.work.order.broker == "mqtt://b"
        assert app.screen is view

    drive(steps, read_only=True)


def test_it_looks_like_this(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(run: Played) -> Outcome:
        run.begin(0, "a4cf12fe0001", ("flash", 0.5))
        run.end(0)
        run.begin(1, "a4cf12fe0002", ("flash", 0.2))
        run.end(1, "radio: -92", "too weak: see to the antenna and its plug")
        run.begin(2, "a4cf12fe0003", ("who it is", None), ("sending", 0.6))
        return Outcome(failed=["lazio-1"])

    monkeypatch.setattr(Played, "script", script)
    monkeypatch.setattr(record, "file", lambda _, filed: _filed(filed))
    monkeypatch.chdir(bench)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        (bench / "fifty.state.json").unlink(missing_ok=True)
        view = await with_list(app, pilot, bench)
        await begun(app, pilot, view)
        await until(pilot, lambda: "1 failed" in top(app))
        await pilot.press("down")
        await until(pilot, lambda: "see to the antenna" in about(app))

        def read_again() -> bool:
            item = view.work.item("umbria-1")
            return item is not None and item.entry.step == "sending"

        await until(pilot, read_again)

    pictures("commission", steps)


def _filed(filed: Record) -> Path:
    path = Path(f"{filed.node}.json")
    path.write_text(json.dumps(filed.as_data()))
    return path
