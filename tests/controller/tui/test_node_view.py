"""One node, pane by pane, by keys; and what is said where nothing can be told."""

import math
from typing import Any

import pytest
from lampione.core.client import CoreError
from lampione.tui.app import LampioneApp
from lampione.tui.bars import Parts, Title
from lampione.tui.dialogs import ConfirmScreen
from lampione.tui.map import MapView
from lampione.tui.node import PANES, NodeView
from lampione.tui.node_sheet import Sheet
from lampione.tui.plot import Plot
from textual.pilot import Pilot
from textual_hires_canvas import Canvas

from tests.controller.nodes import NOW, node
from tests.controller.programs import config
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, said, until

NODE = ("node", "bligny-1")


def lamppost() -> Any:
    row = node(
        "bligny-1", at=NOW - 2, laeq=62.4, temperature=21.5, humidity=48, pm2_5=11.0, no2=20,
        lamp_level=40, lamp_reason="override", lamp_power=38.5,
        valid=["particulates", "climate", "sound"], faults=["sensor"],
    )  # fmt: skip
    row["health"] |= {
        "state_particulates": "ok", "state_no2": "stuck", "state_climate": "ok",
        "state_sound": "warming", "state_radar": "silent", "outbox_depth": 12, "burn_hours": 4100,
    }  # fmt: skip
    row["missing"], row["highest"] = 2, 12
    return row


def _history(**parameters: Any) -> Any:
    if parameters["message"] == "log":
        rows = [[NOW - 90, "warning", "radar: no answer"], [NOW - 60, "info", "uplink: connected"]]
        return {"message": "log", "fields": ["at", "level", "text"], "units": ["s", "", ""],
                "rows": rows, "more": False}  # fmt: skip
    fields = parameters["fields"]
    values = [[NOW - 3600 + 60 * n, 55 + n % 20] for n in range(60) if not 20 <= n < 30 and n != 45]
    return {
        "message": parameters["message"].capitalize(),
        "fields": ["at", *fields], "units": ["s", "dB", ""],
        "rows": [[*row, None][: len(fields) + 1] for row in values], "more": False,
    }  # fmt: skip


def _statistics(**parameters: Any) -> Any:
    step = {"5min": 300, "hour": 3600, "day": 86400}[parameters["by"]]
    begin = int(parameters["since"] // step * step)
    rows = [
        [
            at,
            "bligny-1",
            parameters["measures"][0],
            55 + 8 * math.sin(at / 9000),
            None,
            None,
            None,
            "dB",
            90,
        ]
        for at in range(begin, int(parameters["until"]), step)
        if not NOW - 30000 < at < NOW - 24000
    ]
    return {
        "what": "values", "by": parameters["by"], "zone": "Europe/Rome",
        "fields": ["at", "node", "measure", "mean", "least", "greatest", "total", "unit", "valid"],
        "units": [], "rows": rows, "notes": [],
    }  # fmt: skip


def _event(code: str, ago: float, argument: int | None, severity: str = "warning") -> Any:
    return {"node": "bligny-1", "at": NOW - ago, "received": NOW - ago, "code": code,
            "severity": severity, "argument": argument}  # fmt: skip


def _command(number: int, state: str, **more: Any) -> Any:
    return {
        "command": number, "node": "bligny-1", "order": {"op": "level", "level": 40, "for_s": 600},
        "state": state, "final": state in ("done", "refused"), "counter": 1, "reason": None,
        "level": 40 if state == "done" else None, "value": None, "created": NOW - 30,
        "expires": NOW + 30, "changed": NOW - 29,
    } | more  # fmt: skip


def answers() -> dict[str, Any]:
    return {
        "history": _history,
        "statistics": _statistics,
        "events": [
            _event("sensor state", 600, 5 << 4 | 5),
            _event("sensor state", 7200, 1 << 4 | 3),
            _event("lamp override ended", 9000, 40, "info"),
        ],
        "show": {
            "gaps": {"missing": [[10, 11]], "lost": [
                {"first": 3, "last": 4, "at": NOW - 900, "why": "outbox full"}]},
            "refusals": {"seal": 3},
        },
        "commands": [_command(2, "sent"), _command(1, "done")],
        "configs": [{"node": "bligny-1", "running_blob": config().hex()}],
    }  # fmt: skip


def text(app: LampioneApp) -> str:
    return "\n".join(lines(app, Sheet))


def head(app: LampioneApp) -> str:
    return app.screen.query_one("#plot-head", Title).text


def drawn(app: LampioneApp) -> str:
    canvas = app.screen.query_one(Plot).query_one("#plot", Canvas)
    return "\n".join(canvas.render_line(y).text for y in range(canvas.size.height))


async def pane(app: LampioneApp, pilot: Pilot[None], name: str) -> None:
    view = app.screen
    assert isinstance(view, NodeView)
    app.go("node", f"{view.node} {name}")
    await until(pilot, lambda: f"[{name}]" in lines(app, "#panes")[0])
    app.take()  # the answers


def _drive(steps: Any, size: tuple[int, int] = (80, 24), **options: Any) -> None:
    drive(steps, size, **{"nodes": [lamppost()], "answers": answers(), "first": NODE} | options)


def test_values_have_units_quality_and_age() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "62.4 dB" in text(app))
        assert "report, 2s ago" in text(app)
        row = next(line for line in lines(app, Sheet) if line.lstrip().startswith("no2"))
        assert row.split() == ["no2", "20", "ppb", "not", "valid:", "no2"]
        assert "– not known:" in text(app)
        assert "pm1  pm10  o3  lafmax" in text(app)
        old = lamppost() | {"report_at": NOW - 900, "health_at": None}
        given.put("nodes", [old])
        await until(pilot, lambda: "report, 15m ago, OLD" in text(app))
        row = next(line for line in lines(app, Sheet) if line.lstrip().startswith("temperature"))
        assert row.split() == ["temperature", "21.5", "°C", "old"]
        await pilot.press("G", "g", "pagedown", "j", "k")
        assert "health, never, OLD" in text(app) or app.screen.query_one(Sheet).scroll_offset.y > 0

    _drive(steps)


def test_panes_go_round_by_tab_and_brackets() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = app.screen
        assert isinstance(view, NodeView)
        seen = []
        for _ in PANES:
            seen.append(view.pane)
            await pilot.press("tab")
        assert tuple(seen) == PANES
        assert view.pane == "values"
        await pilot.press("shift+tab")
        assert view.pane == "commands"
        await pilot.press("left_square_bracket", "right_square_bracket", "right_square_bracket")
        assert view.pane == "values"
        panes = app.screen.query_one("#panes", Parts)
        assert " ".join(part for _, part in panes.parts).startswith("[values] plots sensors")

    _drive(steps)


def test_sensors_say_since_when_and_what_to_do() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "sensors")
        await until(pilot, lambda: "since" in text(app))
        shown = [line.strip() for line in lines(app, Sheet)]
        assert "particulates   ● ok" in shown
        radar = next(n for n, line in enumerate(shown) if line.startswith("radar"))
        assert shown[radar].split()[:4] == ["radar", "▲", "silent", "since"]
        assert shown[radar + 1].startswith("→ it answered once: look at its cable")
        assert any(line.startswith("sound          ◔ warming") for line in shown)
        assert "o3             – not known, or not of its profile" in shown
        assert "faults of the node: sensor" in shown

    _drive(steps)


def test_the_lamp_says_why_and_what_comes_next_tonight() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "light")
        await until(pilot, lambda: "▶" in text(app))
        shown = text(app)
        assert "because of         override" in shown
        assert "LOCKED OFF by anna 10m ago: cable work" in shown
        # 15 January 2027, 09:00 in Milan: last night is over.
        assert "▶ 17:05  lights: 100 %   in 8 h 6 min" in shown
        assert "22:00  step: 70 % within 5 min" in shown
        assert "from the config that it runs" in shown
        assert "LOCKED by anna" in app.screen.query_one("#name", Title).text

    tag = {"node": "bligny-1", "operator": "anna", "reason": "cable work", "at": NOW - 600}
    _drive(steps, (120, 40), tags=[tag])


def test_tonight_without_a_config_says_why() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "light")
        await until(pilot, lambda: "not known: the controller does not know" in text(app))

    _drive(steps, answers=answers() | {"configs": CoreError("refused", "you may not")})


def test_events_and_the_log() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "events")
        await until(pilot, lambda: "uplink: connected" in text(app))
        assert "warning  radar silent" in text(app)
        assert text(app).index("uplink: connected") < text(app).index("radar: no answer")

    _drive(steps)


def test_the_link_says_outbox_gaps_and_refusals() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "link")
        await until(pilot, lambda: "missing 10-11" in text(app))
        shown = text(app)
        assert "outbox             12             wait on its flash" in shown
        assert "lost 3-4: outbox full" in shown
        assert "refused, seal: 3" in shown

    _drive(steps, (120, 40))


def test_commands_come_with_their_results() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "commands")
        await until(pilot, lambda: "waits 30s more" in text(app))
        assert "level 40 % for 10m" in text(app)
        assert "done     lamp at 40 %" in text(app)
        given.answers["commands"] = [_command(2, "refused", reason="locked")]
        app.desk.now = lambda: NOW + 2
        app.tick()
        await until(pilot, lambda: "refused  locked" in text(app))

    _drive(steps)


def test_an_order_is_followed_among_the_commands() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("o", "i")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        await until(pilot, lambda: "[commands]" in lines(app, "#panes")[0])
        await until(pilot, lambda: ("send", "bligny-1") in
                    [(op, asked.get("node")) for op, asked in given.asked])  # fmt: skip

    done = {"node": "bligny-1", "state": "done", "final": True, "reason": None}
    _drive(steps, answers=answers() | {"send": [done]})


def test_plots_are_of_an_hour_a_day_a_week_with_gaps() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "plots")
        await until(pilot, lambda: any(0x2800 < ord(letter) < 0x2900 for letter in drawn(app)))
        assert head(app).startswith("laeq, every report, last 74.0 dB")
        op, asked = given.asked[-1]
        assert (op, asked["since"], asked["until"]) == ("history", NOW - 3600, NOW)
        # Between the 20th and the 30th minute nothing is drawn.
        width = max(map(len, drawn(app).splitlines()))
        inside = [line[int(width * 0.36) : int(width * 0.46)] for line in drawn(app).splitlines()]
        assert not any(0x2800 < ord(letter) < 0x2900 for line in inside for letter in line)
        await pilot.press("d")
        await until(pilot, lambda: "mean of 5 min" in head(app))
        await pilot.press("w")
        await until(pilot, lambda: "mean of an hour" in head(app))
        assert given.asked[-1][1]["by"] == "hour"
        await pilot.press("plus", "plus", "plus")
        await until(pilot, lambda: "mean of 5 min" in head(app))
        since, until_ = given.asked[-1][1]["since"], given.asked[-1][1]["until"]
        assert until_ - since == pytest.approx(7 * 86400 / 8)
        await pilot.press("right")
        await until(pilot, lambda: given.asked[-1][1]["until"] > until_)
        await pilot.press("left", "left", "minus")
        await until(pilot, lambda: given.asked[-1][1]["since"] < since)
        await pilot.press("0")
        await until(pilot, lambda: given.asked[-1][0] == "history")
        await pilot.press("p")
        await until(pilot, lambda: head(app).startswith("lamp_level"))
        await pilot.press("P", "P")
        await until(pilot, lambda: head(app).startswith("rssi"))

    _drive(steps)


def test_a_plot_that_cannot_be_shown_says_why_and_so_does_one_without_data() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "plots")
        await until(pilot, lambda: "nothing is known of this time" in head(app))
        given.answers["statistics"] = CoreError("request", "that is too long a time")
        await pilot.press("w")
        await until(pilot, lambda: "cannot be shown: that is too long a time" in head(app))
        await pilot.press("h")
        await until(pilot, lambda: "nothing is known of this time" in head(app))

    empty = {"message": "report", "fields": ["at", "laeq", "valid"], "units": ["s", "dB", ""],
             "rows": [], "more": False}  # fmt: skip
    _drive(steps, answers={"history": empty})


def test_what_the_controller_does_not_answer_is_said() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "events")
        await until(pilot, lambda: "not known: there is no operation 'events'" in text(app))
        await pane(app, pilot, "commands")
        await until(pilot, lambda: "not known: there is no operation" in text(app))

    _drive(steps, answers={})


def test_no_node_an_unknown_node_and_one_without_a_place() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("6", "4")  # from where no node is under the cursor
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        assert "no node is chosen" in app.screen.query_one("#name", Title).text
        await pilot.press("n", "m", "o", "tab", "h", "p", "plus", "left", "0", "shift+tab")
        for wanted, answer in (
            ("nobody", "there is no node 'nobody'"),
            ("bligny-1 garden", "of a node there is values, plots"),
        ):
            app._jump(f"node {wanted}")
            await until(pilot, lambda: answer in said(app))  # noqa: B023
        app._jump("node bligny-1 link")
        await until(pilot, lambda: "[link]" in lines(app, "#panes")[0])
        await pilot.press("m")
        await until(pilot, lambda: "bligny-1 has no position" in said(app))

    _drive(steps, first=("fleet", None), sites={})


def test_the_next_node_and_its_place_on_the_map() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        assert app.screen.node == "lazio-1"  # type: ignore[attr-defined]
        await pilot.press("N", "N")
        assert app.screen.node == "lazio-1"  # type: ignore[attr-defined]
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MapView))
        assert app.screen.here() == "lazio-1"  # type: ignore[attr-defined]

    _drive(steps, nodes=[lamppost(), node("lazio-1")])


def test_what_a_node_says_steers_no_terminal() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, "events")
        await until(pilot, lambda: "evil" in text(app))
        assert "\x1b" not in text(app)

    evil = {"message": "log", "fields": ["at", "level", "text"], "units": ["s", "", ""],
            "rows": [[NOW, None, "\x1b]0;evil\x07" + "x" * 300]], "more": False}  # fmt: skip
    _drive(steps, answers={
        "history": lambda **asked: evil if asked["message"] == "log" else _history(**asked),
        "events": [],
    })  # fmt: skip


@pytest.mark.parametrize("name", ["values", "plots", "light"])
def test_pictures(name: str) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pane(app, pilot, name)
        if name == "plots":
            await pilot.press("d")
            await until(pilot, lambda: "mean of 5 min" in head(app))
        if name == "light":
            await until(pilot, lambda: "▶" in text(app))

    pictures(
        "node" if name == "values" else f"node-{name}", steps,
        nodes=[lamppost()], answers=answers(), first=NODE,
    )  # fmt: skip
