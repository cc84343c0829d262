"""The rollouts view and the plan of a new one: their main paths, and what can go wrong."""

from pathlib import Path
from typing import Any

import pytest
from lampione import keys, seeds, wanted
from lampione.config import blob
from lampione.config.model import NodeConfig
from lampione.core.client import CoreError
from lampione.tui.app import LampioneApp
from lampione.tui.dialogs import AskScreen, ConfirmScreen
from lampione.tui.node import NodeView
from lampione.tui.rollout_plan import PlanView
from lampione.tui.rollouts import RolloutsView
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.controller.nodes import NOW, node
from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, placed, said, until

SEED = seeds.load(None)
NAMES = sorted(one.id for one in SEED.running)
OFFLINE = NAMES[4]
LOCKED = NAMES[6]


def staged(number: int, state: str, waves: list[dict[str, int]], **more: Any) -> Any:
    return {
        "rollout": number, "kind": "config", "author": "anna", "created": NOW - (5 - number) * 900,
        "changed": NOW - 5, "revision": 70 + number, "state": state,
        "final": state in ("done", "aborted", "reverted"),
        "why": None, "wave": 1, "waves": waves, "until": None, "soak_s": 600.0,
        "stop_percent": 5.0, "at_once": 0, "wait_s": 900.0, "options": {"trial_s": 300},
    } | more  # fmt: skip


def member(name: str, phase: str, wave: int = 1, **more: Any) -> Any:
    final = phase not in ("waiting", "going", "stopping", "reverting")
    return {
        "node": name, "wave": wave, "phase": phase, "final": final, "progress": None,
        "reason": None, "since": NOW - 40,
    } | more  # fmt: skip


LIST = [
    staged(4, "running", [{"done": 1, "same": 1}, {"done": 2, "going": 1, "failed": 1},
                          {"waiting": 5}], wave=2, stop_percent=30.0),
    staged(3, "stopped", [{"failed": 1}, {"waiting": 10}],
           why="1 of 1 nodes of wave 1 failed"),
    staged(2, "reverted", [{"reverted": 1}, {"left": 9, "reverted": 1}]),
    staged(1, "done", [{"done": 1}, {"done": 4, "skipped": 1}, {"done": 5}]),
]  # fmt: skip
MEMBERS = {
    4: [
        member(NAMES[0], "done"),
        member(NAMES[1], "same", reason="it runs already"),
        member(NAMES[2], "done", 2),
        member(NAMES[3], "done", 2),
        member(NAMES[4], "going", 2, progress="sending 325/1204 bytes", since=NOW - 3),
        member(NAMES[5], "failed", 2, since=NOW - 12,
               reason="reverted: the node went back to its config before"),
        *(member(name, "waiting", 3, since=NOW - 400) for name in NAMES[6:]),
    ],
    3: [
        member(NAMES[0], "failed", reason="refused: config damaged"),
        *(member(name, "waiting", 2) for name in NAMES[1:]),
    ],
}  # fmt: skip


def rollout(rollout: int, since: int = 0, do: str | None = None) -> Any:
    found = {**next(one for one in LIST if one["rollout"] == rollout)}
    if do == "resume":
        found |= {"state": "running", "why": None}
    elif do == "pause":
        found |= {"state": "paused"}
    found["nodes"] = [] if since else MEMBERS.get(rollout, [])
    return found


ANSWERS: dict[str, Any] = {"rollouts": LIST, "rollout": rollout}


def config_state(name: str, config: NodeConfig | None, version: int | None = 3) -> Any:
    return {
        "node": name, "running": version, "running_digest": None, "state": "confirmed",
        "wanted": 3, "digest": None, "phase": "confirmed", "final": True, "sent": 0, "size": 0,
        "trial_s": 300, "reason": None, "since": NOW - 9000,
        "running_blob": None if config is None else blob.encode(config).hex(),
    }  # fmt: skip


def other(name: str) -> NodeConfig:
    """Return what a node runs: not quite what the file wants."""
    config = wanted.of(SEED, name, GROUPS)
    number = NAMES.index(name)
    if number < 2:
        return config
    lamp = config.lamp.model_copy(update={"min_percent": 5})
    if number % 3:
        return config.model_copy(update={"lamp": lamp})
    every = config.reporting.model_copy(update={"report_interval_s": 30})
    return config.model_copy(update={"lamp": lamp, "reporting": every})


GROUPS = {name: bytes(16) for name in SEED.groups}


def configs(nodes: list[str], **_: Any) -> Any:
    return [
        config_state(name, None, None) if name == NAMES[-1] else config_state(name, other(name))
        for name in nodes
    ]


def begun(**parameters: Any) -> Any:
    return {**LIST[0], "nodes": [], "asked": parameters}


PLAN = {**ANSWERS, "configs": configs, "plan": begun}
ROWS = [node(n, state="offline" if n == OFFLINE else "online", laeq=55.0) for n in NAMES]
STANDS = {one.id: placed(SEED.site_of(one).name) for one in SEED.running}
TAGS = [{"node": LOCKED, "operator": "bruno", "reason": "door open", "at": NOW - 600}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a controller's folder, with keys."""
    state = tmp_path_factory.mktemp("state") / "s"
    state.mkdir(mode=0o700)
    keys.new(state / keys.FILE, NAMES, groups=list(SEED.groups))
    return state


def view(app: LampioneApp) -> Any:
    return app.view


def shown(app: LampioneApp) -> int | None:
    """Return the rollout whose nodes are shown."""
    whole = view(app)._whole
    return None if whole is None else whole["rollout"]


async def opened(app: LampioneApp, pilot: Pilot[None], plan: Path | None = None) -> None:
    """Go to the view, and to the plan of a new rollout."""
    app.desk.state = plan
    app.go("rollouts")
    await until(pilot, lambda: isinstance(app.screen, RolloutsView) and app.screen.is_mounted)
    app.tick()
    await until(pilot, lambda: app.screen.query_one("#rollouts").row is not None)  # type: ignore[attr-defined]
    await until(pilot, lambda: bool(view(app)._members) or view(app)._whole is not None)
    if plan is not None:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PlanView) and bool(app.screen._plan))


def run(steps: Any, size: tuple[int, int] = (100, 30), **options: Any) -> None:
    options = {"answers": ANSWERS, "nodes": ROWS, "sites": STANDS} | options
    drive(steps, size, **options)


def box(app: LampioneApp) -> str:
    return "\n".join(str(one.render()) for one in app.screen.query(Static))


def test_the_list_and_the_nodes_of_one() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await until(pilot, lambda: len(lines(app, "#nodes")) > 5)
        seen = lines(app, "#rollouts")
        assert "▶ running" in seen[1]
        assert "5 of 11"[2:] in seen[1]
        nodes = lines(app, "#nodes")
        assert nodes[1].split()[:3] == [NAMES[5], "2", "✗"]
        assert "reverted: the node went back" in nodes[1]
        assert "sending 325/1204 bytes" in nodes[2]
        await pilot.press("slash", *"lodi WAIT", "enter")
        await until(pilot, lambda: sum(map(bool, lines(app, "#nodes"))) == 2)
        await pilot.press("escape", "tab", "down")
        await until(pilot, lambda: "refused: config damaged" in lines(app, "#nodes")[1])
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, NodeView))
        await pilot.press("escape", "escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, RolloutsView))

    run(steps)


def test_what_changed_is_asked_for_once_a_second_and_merged() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        given.asked.clear()
        given.answers["rollout"] = lambda **p: {
            **LIST[0], "nodes": [member(NAMES[4], "done", 2, since=NOW - 1)]
        }  # fmt: skip
        app.tick()
        await until(pilot, lambda: view(app)._members[NAMES[4]]["phase"] == "done")
        asked = [p for op, p in given.asked if op == "rollout"]
        assert asked[0] == {"rollout": 4, "since": 74}
        assert len(view(app)._members) == len(NAMES)

    run(steps)


def test_pause_at_once_and_the_others_after_a_question() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("p")
        await until(pilot, lambda: "telling rollout 4 to pause: done" in said(app))
        await pilot.press("down")
        await until(pilot, lambda: shown(app) == 3)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "resume rollout 3?" in box(app)
        assert "in spite of 1 that failed" in box(app)
        await pilot.press("n")
        await pilot.press("t")
        await until(pilot, lambda: "1 nodes get another turn now" in box(app))
        await pilot.press("y")
        await until(pilot, lambda: "telling rollout 3 to retry: done" in said(app))
        await pilot.press("a")
        await until(pilot, lambda: "10 nodes are left as they are" in box(app))
        await pilot.press("y")
        await until(pilot, lambda: "telling rollout 3 to abort: done" in said(app))
        does = [p["do"] for op, p in given.asked if op == "rollout" and "do" in p]
        assert does == ["pause", "retry", "abort"]
        await pilot.press("end")
        await until(pilot, lambda: shown(app) == 1)
        await pilot.press("a")
        await until(pilot, lambda: "rollout 1 is done: nothing to abort" in said(app))
        await pilot.press("v")
        await until(pilot, lambda: "10 nodes go back to the config before" in box(app))
        given.answers["rollout"] = CoreError("refused", "no node of it has anything to take back")
        await pilot.press("y")
        await until(pilot, lambda: "no node of it has anything" in said(app))

    run(steps)


def test_read_only_looks_and_touches_nothing() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        for key in ("p", "t", "a", "v", "n"):
            app.screen._said.said = ("", "")  # type: ignore[attr-defined]
            await pilot.press(key)
            await until(pilot, lambda: "nothing can be changed" in said(app))
        assert isinstance(app.screen, RolloutsView)
        assert not [p for _, p in given.asked if "do" in p]

    run(steps, read_only=True)


def test_no_rollouts_and_no_controller() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.go("rollouts")
        await until(pilot, lambda: isinstance(app.screen, RolloutsView) and app.screen.is_mounted)
        app.tick()
        await until(pilot, lambda: "n begins one" in lines(app, "#rollouts")[1])
        await pilot.press("p", "t")
        await until(pilot, lambda: "no push in stages yet" in said(app))
        given.answers["rollouts"] = CoreError("no core", "the controller has ended")
        app.tick()
        await until(pilot, lambda: "the controller has ended" in lines(app, "#rollouts")[1])
        await pilot.press("colon", *"rollouts x", "enter")
        await until(pilot, lambda: "is no rollout's number" in said(app))

    run(steps, answers={"rollouts": []})


def test_a_number_behind_the_name_goes_there() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await pilot.press("colon", *"rollouts 3", "enter")
        await until(pilot, lambda: isinstance(app.screen, RolloutsView))
        app.tick()
        await until(pilot, lambda: view(app)._number == 3)
        await pilot.press("colon", *"rollouts 9", "enter")
        app.tick()
        await until(pilot, lambda: "there is no rollout 9" in said(app))

    run(steps)


def test_a_new_rollout_says_who_changes_and_begins(folder: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot, folder)
        seen = lines(app, "#plan")
        assert sum("up to date" in line for line in seen) == 2
        assert sum("locked" in line for line in seen) == 1
        assert any(line.split()[0] == OFFLINE and "○ offline" in line for line in seen[1:9])
        await until(pilot, lambda: "lamp.min_percent" in "\n".join(lines(app, "#changes")))
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        told = box(app)
        assert "8 nodes get another config, 3 of them restart" in told
        assert "2 left out: up to date" in told
        assert "1 left out: locked" in told
        assert "1 not online now" in told
        assert "waves of 1 + 3 + 4, 10 min between them" in told
        assert "it stops when more than 5 % of a wave failed" in told
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, RolloutsView))
        (asked,) = [p for op, p in given.asked if op == "plan"]
        assert len(asked["configs"]) == 8
        assert not {LOCKED, *NAMES[:2]} & asked["configs"].keys()
        del asked["configs"]
        assert asked == {
            "canary": 1, "waves": ["10%", "50%", "100%"], "soak_s": 600, "stop_percent": 5,
            "at_once": 0, "trial_s": 300, "more": False,
        }  # fmt: skip

    run(steps, (120, 40), answers=PLAN, tags=TAGS)


def test_the_rules_are_asked_for(folder: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot, folder)
        for key, wrong, right, told in (
            ("c", "nobody", NAMES[3], f"canary {NAMES[3]}"),
            ("c", "x y", "3", "canary 3"),
            ("v", "120%", "20%,4", "waves 20%,4"),
            ("o", "soon", "90s", "soak 1m"),
            ("x", "101", "0%", "stop above 0%"),
            ("t", "5s", "10m", "trial 10m"),
        ):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, AskScreen))
            line = app.screen.query_one(Input)
            line.value = wrong
            await pilot.press("enter")
            assert isinstance(app.screen, AskScreen)
            line.value = right
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, PlanView))
            assert told in [part for _, part in view(app)._rules.parts]

    run(steps, answers=PLAN)


def test_which_nodes(folder: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk.fleet.marks = {NAMES[2], NAMES[3]}
        app.desk.fleet.arrange(words=NAMES[5])
        await opened(app, pilot, folder)
        seen = []
        for _ in range(3):
            await until(pilot, lambda: bool(view(app)._plan))
            seen.append({line.node for line in view(app)._plan})
            await pilot.press("w")
        assert seen == [{NAMES[2], NAMES[3]}, {NAMES[5]}, set(NAMES)]

    run(steps, answers=PLAN)


def test_what_can_go_wrong(folder: Path, tmp_path: Path) -> None:
    group = '\n[groups.pair]\nnodes = ["umbria-1", "lazio-1"]\n'
    (tmp_path / "fleet.toml").write_text(seeds.shipped().read_text() + group)
    keys.new(tmp_path / keys.FILE, NAMES)
    (tmp_path / "ssh").mkdir()

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        for state, why in (
            (None, "begin the rollout there"),
            (tmp_path / "ssh", "begin the rollout there"),
            (tmp_path, "has no key: make it with `lampione keys new --all`"),
        ):
            app.desk.state = state
            await pilot.press("n")
            await until(pilot, lambda: isinstance(app.screen, PlanView))
            await until(pilot, lambda why=why: why in "\n".join(lines(app, "#plan")))  # type: ignore[misc]
            await pilot.press("b")
            await until(pilot, lambda why=why: why in said(app))  # type: ignore[misc]
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RolloutsView))
        app.desk.state = folder
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PlanView) and bool(view(app)._plan))
        refused = f"{NAMES[3]} is in rollout 3, which is not over"
        given.answers["plan"] = CoreError("refused", refused)
        await pilot.press("b", "y")
        await until(pilot, lambda: f"not begun: {refused}" in said(app))
        given.put("nodes", [node("other-1")])
        await until(pilot, lambda: app.desk.fleet.get("other-1") is not None)
        await pilot.press("w")
        await until(pilot, lambda: "has no node 'other-1'" in "\n".join(lines(app, "#plan")))

    run(steps, (160, 30), answers=PLAN)


def test_nothing_to_change_is_said(folder: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk.fleet.marks = set(NAMES[:2])
        await opened(app, pilot, folder)
        await pilot.press("b")
        await until(pilot, lambda: "nothing changes" in said(app))

    run(steps, answers=PLAN)


def test_pictures_of_the_list() -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot)

    pictures("rollouts", steps, answers=ANSWERS, nodes=ROWS, sites=STANDS)


def test_pictures_of_a_plan(folder: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await opened(app, pilot, folder)
        await until(pilot, lambda: "lamp.min_percent" in "\n".join(lines(app, "#changes")))

    pictures("rollout-plan", steps, answers=PLAN, nodes=ROWS, sites=STANDS, tags=TAGS)
