"""The screen, driven as a user does: by keys, against data that threads put."""

import asyncio
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from lampione.demo.screenshot import portable
from lampione.desk import saved
from lampione.desk.feed import Box
from lampione.tui.app import LampioneApp
from lampione.tui.bars import Header
from lampione.tui.dialogs import AskScreen, KeysScreen
from lampione.tui.fleet_view import FleetView
from lampione.tui.grid import Grid, Heads
from lampione.tui.node import NodeView
from textual.pilot import Pilot

from tests.controller.nodes import node
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, still_desk, until


def text(app: LampioneApp) -> list[str]:
    return lines(app, Grid)


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (160, 48)])
def test_the_fleet_is_seen(size: tuple[int, int]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        seen = text(app)
        assert seen[0].split()[:6] == (
            ["bligny-1", "●", "online", "40", "%", "override"]
            if size[0] < 116
            else ["bligny-1", "Viale", "Bligny", "●", "online", "40"]
        )
        assert "62.4" in seen[0]
        assert ("21.5" in seen[0]) == (size[0] >= 123)
        assert seen[0].split()[-1 if size[0] < 90 else -2] == "2s"
        assert "· never" in seen[2]
        assert "–" in seen[2]
        assert seen[3] == ""
        head = lines(app, Header)[0]
        assert "● connected" in head
        assert "3 nodes" in head
        assert all(len(line) <= size[0] for line in seen)

    drive(steps, size)


def test_reports_from_a_thread_change_the_line() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        thread = threading.Thread(target=given.put, args=("nodes", [node("lazio-1", laeq=71.3)]))
        thread.start()
        thread.join()
        await until(pilot, lambda: "71.3" in text(app)[1])
        given.put("link", "the controller ended the connection")
        await until(pilot, lambda: "○ the controller ended" in lines(app, Header)[0])

    drive(steps)


def test_filter_by_words_and_escape() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"viale off")
        await until(pilot, lambda: len(app.desk.fleet) == 0)
        await pilot.press(*["backspace"] * 3, *"laz", "enter")
        await until(pilot, lambda: len(app.desk.fleet) == 1)
        assert text(app)[0].startswith("lazio-1")
        assert app.screen.query_one(Grid).cursor == "lazio-1"
        await until(pilot, lambda: "1 of 3 nodes" in lines(app, Header)[0])
        await pilot.press("escape")
        await until(pilot, lambda: len(app.desk.fleet) == 3)
        assert app.focused is app.screen.query_one(Grid)

    drive(steps)


def test_sort_by_the_columns_that_are_seen() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        assert "node▲" in lines(app, Heads)[0]
        seen = []
        for _ in range(7):
            await pilot.press("s")
            seen.append(app.desk.fleet.sort)
        assert seen == ["state", "level", "laeq", "air", "power", "age", "node"]
        await pilot.press("s")
        await until(pilot, lambda: text(app)[0].startswith("umbria-1"))  # never, before online
        await pilot.press("r")
        await until(pilot, lambda: text(app)[2].startswith("umbria-1"))
        assert "state▼" in lines(app, Heads)[0]
        assert app.screen.query_one(Grid).cursor == "bligny-1"

    drive(steps, (80, 24))


def test_columns_are_chosen_and_kept_in_a_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMPIONE_VIEWS", str(tmp_path / "views.json"))

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("c", *"rssi nosuch", "enter")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*["backspace"] * 7, "enter")
        await until(pilot, lambda: lines(app, Heads)[0].split() == ["node▲", "rssi", "dBm"])
        assert text(app)[0].split() == ["bligny-1", "-61"]
        await pilot.press("s")
        await until(pilot, lambda: app.desk.fleet.sort == "rssi")
        await pilot.press("V", *"radio", "enter")
        await until(pilot, lambda: "radio" in saved.load(saved.place()))
        await pilot.press("c", *["backspace"] * 9, "enter")
        await until(pilot, lambda: "online" in text(app)[0])
        await pilot.press("s", "v", *"radio", "enter")
        await until(pilot, lambda: app.desk.fleet.columns == ("node", "rssi"))
        assert app.desk.fleet.sort == "rssi"

    drive(steps, (80, 24))


def test_enter_shows_the_node_and_escape_returns() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FleetView))

    drive(steps, (80, 24))


def test_keys_are_told_by_the_screens_own_bindings() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert isinstance(app.screen, KeysScreen)
        told = {what: keys for keys, what in app.screen.keys}
        assert told["Filter"] == "/"
        assert {"Sort", "Reverse", "Jump", "Quit", "Page down"} <= set(told)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, KeysScreen))
        await pilot.press("q")

    drive(steps)


def test_a_check_that_fails_ends_the_screen_and_is_kept() -> None:
    wrong: list[Exception] = []

    def check() -> None:
        if wrong:
            raise wrong[0]

    async def steps() -> None:
        app = LampioneApp(still_desk(Given()), check=check)
        async with app.run_test() as pilot:
            await pilot.pause(1)
            assert app.is_running
            assert app.failure is None
            wrong.append(ValueError("the broker has ended"))
            await until(pilot, lambda: app.failure is not None)
        assert app.failure is wrong[0]
        assert app.return_code == 0

    asyncio.run(steps())


def test_ten_thousand_nodes_cost_what_is_seen() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        given.put("nodes", [node(f"n{i:05}", laeq=50.0) for i in range(10_000)])
        await until(pilot, lambda: len(app.desk.fleet) == 10_003)
        await pilot.pause()
        grid = app.screen.query_one(Grid)
        before, sorts = grid.lines_rendered, app.desk.fleet.sorts
        given.put("nodes", [node(f"n{i:05}", laeq=60.0) for i in range(5_000, 5_500)])
        await until(pilot, lambda: app.desk.fleet.get("n05499")["report"]["laeq"] == 60.0)  # type: ignore[index]
        await pilot.pause()
        # Nothing of what is seen changed but the ages, once a second.
        assert grid.lines_rendered - before <= 3 * grid.size.height
        assert app.desk.fleet.sorts == sorts
        await pilot.press("end")
        await until(pilot, lambda: text(app)[-1].startswith("umbria-1"))
        assert grid.cursor == "umbria-1"

    drive(steps)


@examples(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=30))
def test_a_box_keeps_the_latest_of_each(puts: list[tuple[str, int]]) -> None:
    box = Box()
    for name, boot in puts:
        box.put("nodes", [{"node": name, "boot": boot}])
        box.put("status", boot)
    taken = dict(box.drain())
    assert {row["node"]: row["boot"] for row in taken.get("nodes", [])} == dict(puts)
    assert taken.get("status") == (puts[-1][1] if puts else None)
    assert box.drain() == []


def test_a_picture_needs_nothing_from_elsewhere() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        plain = app.export_screenshot(title="lampione")
        svg = portable(plain)
        assert "@font-face" in plain
        assert "@font-face" not in svg
        assert set(re.findall(r"https?://[^\s\"']+", svg)) <= {
            "http://www.w3.org/2000/svg",
            "https://www.textualize.io",
        }
        # A number in a column that is aligned to the right begins where it did.
        begin = re.search(r'x="([\d.]+)"[^>]*>(?:&#160;)+62\.4<', plain)
        after = re.search(r'x="([\d.]+)"[^>]*>62\.4<', svg)
        assert begin is not None
        assert after is not None
        assert float(after[1]) == pytest.approx(float(begin[1]) + 3 * 12.2, abs=0.1)

    drive(steps)


def test_pictures() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.pause()

    pictures("fleet", steps)
