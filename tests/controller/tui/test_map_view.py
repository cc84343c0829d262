"""The map, by keys: what is seen, moved and chosen; nodes without a place; files that are wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from lampione.tui.app import LampioneApp
from lampione.tui.bars import Title
from lampione.tui.map import MapView, MapWidget
from lampione.tui.node import NodeView
from textual.pilot import Pilot
from textual.widgets import Static

from tests.controller.nodes import NOW, node
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, placed, said, three, until

HERE = Path(__file__).parent
MAP = ("map", None)
SITES = {
    "bligny-1": placed("Viale Bligny", 45.4498, 9.1915),
    "bligny-2": placed("Viale Bligny", 45.4498, 9.1915),
    "toscana-1": placed("Viale Toscana", 45.4462, 9.1962),
    "lazio-1": placed("Viale Lazio", 45.4536, 9.2083),
    "umbria-1": placed("Viale Umbria", 45.4548, 9.2149),
    "cirene-1": placed("Via Cirene"),
}


def street() -> list[Any]:
    return [
        node("bligny-1", laeq=62.4, lamp_level=40, pm2_5=11.0, vehicles_toward=1, lamp_power=38.0),
        node("bligny-2", laeq=71.0, lamp_level=40, state="silent"),
        node("toscana-1", laeq=54.0, lamp_level=80, state="offline"),
        node("lazio-1", laeq=55.0, at=NOW - 400),
        node("umbria-1", at=None, state="never"),
        node("cirene-1", laeq=50.0),
    ]


def text(app: LampioneApp) -> str:
    return "\n".join(lines(app, MapWidget))


def line(app: LampioneApp, which: str) -> str:
    return app.screen.query_one(which, Title).text


def legend(app: LampioneApp) -> str:
    return str(app.screen.query_one("#legend", Static).render())


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_nodes_are_letters_with_names(size: tuple[int, int]) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "umbria-1" in text(app))
        assert re.search(r"[○] toscana-1", text(app))
        assert re.search(r"●|◐×2", text(app))
        assert line(app, "#head").startswith("state   5 nodes, 1 without a position   ├─")
        assert legend(app).split() == ["●", "online", "x", "never", "◐", "silent", "○", "offline",
                                       "?", "not", "known"]  # fmt: skip
        assert line(app, "#node").startswith("bligny-1  Viale Bligny  ● online  report 2s old")
        assert line(app, "#node").endswith("(not surveyed)")

    drive(steps, size, nodes=street(), sites=SITES, first=MAP)


def test_streets_lie_under_the_nodes() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk.streets = HERE / "streets.geojson"
        await pilot.press("2")
        await until(pilot, lambda: any(0x2800 < ord(letter) < 0x2900 for letter in text(app)))
        assert "umbria-1" in text(app)

    drive(steps, nodes=street(), sites=SITES)


def test_streets_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    file = tmp_path / "streets.geojson"
    file.write_text('{"type": "Feature", "geometry": 7}')

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk.streets = file
        await pilot.press("2")
        await until(pilot, lambda: said(app).startswith("no streets: streets.geojson: geometry:"))
        await until(pilot, lambda: "umbria-1" in text(app))

    drive(steps, nodes=street(), sites=SITES)


def test_v_chooses_what_the_letters_say() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        told = {}
        for _ in range(7):
            view = app.screen
            assert isinstance(view, MapView)
            told[view.quantity.key] = line(app, "#node")
            await pilot.press("v")
        assert "b 40 %" in told["level"]
        assert "d 62.4 dB" in told["laeq"]
        assert "b fair (pm2_5 11 µg/m³)" in told["air"]
        assert "c 720 vehicles/h" in told["traffic"]
        assert "b 38.0 W" in told["power"]
        assert "M major" in told["alarms"]
        await pilot.press("V")
        assert line(app, "#head").startswith("active alarms")
        assert "M MAJOR" in legend(app)
        app._jump("map laeq")
        await until(pilot, lambda: line(app, "#head").startswith("noise, LAeq"))
        assert "c 55.0" not in text(app)  # too old to be shown as of now

    alarm = {"id": 1, "active": True, "acknowledged": False, "severity": "major",
             "node": "bligny-1", "members": []}  # fmt: skip
    drive(steps, (160, 48), nodes=street(), sites=SITES, first=MAP, alarms=[alarm])


def test_moving_zooming_and_going_from_node_to_node() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        widget = app.screen.query_one(MapWidget)
        await until(pilot, lambda: "umbria-1" in text(app))
        all_of_it = widget.sight
        assert all_of_it is not None
        await pilot.press("n", "n", "n", "n", "n", "N")
        assert widget.cursor == "umbria-1"
        assert line(app, "#node").startswith("umbria-1  Viale Umbria  · never  report – old")
        await pilot.press("plus", "plus", "equals_sign")
        assert widget.sight.scale == pytest.approx(all_of_it.scale / 1.5**3)  # type: ignore[union-attr]
        assert "umbria-1" in text(app)  # it is zoomed in on the cursor
        await pilot.press("right", "l", "down", "j", "j", "j")
        assert "umbria-1" not in text(app)
        await pilot.press("n")
        assert widget.cursor == "bligny-1"
        assert "bligny-1" in text(app)
        await pilot.press("0")
        assert widget.sight == all_of_it
        await pilot.press("minus", "left", "h", "up", "k", "0")
        assert widget.sight == all_of_it
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        assert app.screen.node == "bligny-1"  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MapView))

    drive(steps, (80, 24), nodes=street(), sites=SITES, first=MAP)


def test_a_node_is_jumped_to_by_name_and_one_without_a_place_is_told() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app._jump("map lazio-1")
        await until(pilot, lambda: isinstance(app.screen, MapView))
        await until(pilot, lambda: bool(app.screen.query(MapWidget)))
        await until(pilot, lambda: app.screen.query_one(MapWidget).cursor == "lazio-1")
        for wanted, answer in (
            ("nobody", "there is no node 'nobody'; or say state, level"),
            ("cirene-1", "cirene-1 has no position: give its site one"),
        ):
            app._jump(f"map {wanted}")
            await until(pilot, lambda: answer in said(app))  # noqa: B023

    drive(steps, nodes=street(), sites=SITES)


def test_nobody_has_a_place() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "no node has a position" in line(app, "#head"))
        await pilot.press("n", "plus", "right", "0", "enter", "v")
        assert isinstance(app.screen, MapView)
        assert line(app, "#node") == ""

    drive(steps, (80, 24), nodes=three(), sites={}, first=MAP)


def test_ten_thousand_nodes_are_judged_once_a_second() -> None:
    sites = {
        f"n{i:05}": placed("x", 45.4 + i % 100 / 1000, 9.1 + i // 100 / 1000) for i in range(10_000)
    }

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        widget = app.screen.query_one(MapWidget)
        await until(pilot, lambda: widget.renewals > 0 and "×" in text(app))
        before = widget.renewals
        for laeq in range(50, 60):
            given.put("nodes", [node(name, laeq=float(laeq)) for name in list(sites)[:100]])
            app.take()
        assert widget.renewals == before
        app.tick()
        assert widget.renewals == before + 1
        assert text(app).count("\n") == widget.size.height - 1

    drive(steps, (80, 24), nodes=[node(name, laeq=50.0) for name in sites], sites=sites, first=MAP)


def test_pictures() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk.streets = HERE / "streets.geojson"
        await pilot.press("2", *"vv")
        await until(pilot, lambda: any(0x2800 < ord(letter) < 0x2900 for letter in text(app)))

    pictures("map", steps, nodes=street(), sites=SITES)
