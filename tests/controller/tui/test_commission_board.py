"""Commission with real work: a virtual board, the firmware, a controller; by keys alone."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from lampione.desk.desk import Desk
from lampione.desk.feed import CoreFeed
from lampione.provision import ca
from lampione.tui.app import LampioneApp
from lampione.tui.commission import CommissionView
from lampione.tui.dialogs import AskScreen, ConfirmScreen
from lampione_hil.virtual import offered
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.controller.test_cli import lampione
from tests.controller.test_provision_fifty import PASSWORD, Workshop
from tests.controller.test_provision_fifty import workshop as workshop
from tests.controller.tui.still import lines


def screen(state: Path, steps: Callable[[LampioneApp, Pilot[None]], Awaitable[None]]) -> None:
    """Run the screen of a controller's folder as people have it, with threads and all."""

    async def run() -> None:
        app = LampioneApp(Desk(CoreFeed(state), state=state))
        async with app.run_test(size=(100, 34)) as pilot:
            await pilot.press("5")
            await comes(pilot, lambda: isinstance(app.screen, CommissionView))
            await steps(app, pilot)

    asyncio.run(run())


async def comes(pilot: Pilot[None], condition: Callable[[], bool], within_s: float = 60) -> None:
    """Wait for something that boards do."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        await pilot.pause(0.05)


def text(app: LampioneApp, what: str) -> str:
    return str(app.screen.query_one(what, Static).content)


@pytest.fixture
def blank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the name of a board without firmware."""
    monkeypatch.setenv(offered.VARIABLE, str(tmp_path / "b"))
    done = lampione("board", "start", "--detach", "--blank", "--world", "none", "--json")
    assert done.returncode == 0, done.stderr
    yield str(json.loads(done.stdout)["name"])
    lampione("board", "stop")


def test_a_board_is_found_flashed_and_lost(blank: str, tmp_path: Path) -> None:
    async def steps(app: LampioneApp, pilot: Pilot[None]) -> None:
        view = app.screen
        await comes(pilot, lambda: f"  {blank}" in lines(app, "#boards")[1])
        await pilot.press("f")
        await comes(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await comes(pilot, lambda: app.screen is view and "runs firmware 0." in text(app, "#top"))
        await asyncio.to_thread(offered.ask, offered.find(blank).pid, "unplug", blank)
        await comes(pilot, lambda: "no board is plugged in" in lines(app, "#boards")[1])

    screen(tmp_path / "s", steps)


@pytest.mark.soak
def test_a_board_becomes_a_node_with_a_record(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.write(workshop.start(), meter=False)
    monkeypatch.setenv(ca.VARIABLE, workshop.environment[ca.VARIABLE])
    monkeypatch.chdir(workshop.folder)
    path = workshop.folder / "fifty.toml"
    path.write_text(path.read_text().removeprefix('wifi = "city.wifi"\n'))

    async def steps(app: LampioneApp, pilot: Pilot[None]) -> None:
        view = app.screen
        await pilot.press("o")
        await comes(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"fifty.toml", "enter")
        await comes(pilot, lambda: "next is post-1" in text(app, "#top"))
        await pilot.press("b")
        await comes(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"city", "enter")
        await comes(pilot, lambda: app.screen.query_one(Input).password)
        await pilot.press(*PASSWORD, "enter")
        await comes(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await comes(pilot, lambda: app.screen is view and "►" in text(app, "#about"))
        await comes(pilot, lambda: "all 1 are done" in text(app, "#top"), 300)
        await comes(pilot, lambda: "✓ done" in lines(app, "#rows")[1])
        assert "✓ clock" in text(app, "#about")
        assert "record" in text(app, "#about")

    screen(workshop.rig.folder, steps)
    assert workshop.status()["post-1"].state == "done"
    assert os.listdir(workshop.rig.folder / "records" / "post-1")
    assert os.listdir(workshop.rig.folder / "labels")
