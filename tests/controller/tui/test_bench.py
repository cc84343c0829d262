"""The bench by keys, beside a command that says what a bench said; a soak test has real boards."""

import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from lampione.desk import benching
from lampione.desk.work import Works
from lampione.tui.app import LampioneApp
from lampione.tui.bench import BenchView
from lampione.tui.dialogs import AskScreen, ConfirmScreen
from textual.pilot import Pilot
from textual.widgets import Static

from tests.controller.tui.pictures import pictures
from tests.controller.tui.still import Given, drive, lines, said, until

SAYS = """
    import json, os, signal, sys
    words = sys.argv[sys.argv.index("hil") + 1:]
    def say(**line):
        print(json.dumps(line), flush=True)
    def test(name, outcome, why="", *measured):
        say(kind="test", test=name, outcome=outcome, why=why, seconds=2.5, needs=["lamp"],
            boards=[["v1", "virtual"]] if outcome != "skip" else [], measurements=[
                dict(name=n, value=v, low=low, high=high, unit=u, ok=ok, at_s=0)
                for n, v, low, high, u, ok in measured])
    TESTS = ["test_light.py::test_level", "test_light.py::test_ramp", "test_power.py::test_cut",
             "test_uplink.py::test_rejoin"]
    if "--rig" in words and words[words.index("--rig") + 1].endswith("bad.toml"):
        sys.exit("lampione: bad.toml:3: boards: a rig needs one")
    if words[0] == "list":
        for name in TESTS:
            say(test=name, needs=["lamp"], lacks="a relay" if "cut" in name else "", smoke=True)
    elif words[0] == "doctor":
        say(kind="check", name="power", board="v1", ok=True, said="off in 0.2 s", what_to_do="")
        say(kind="check", name="reset", board="v2", ok=False, said="no boot", what_to_do="see RTS")
        say(kind="doctor", rig="desk", sound=False, key="a1b2 c3d4")
        sys.exit(1)
    elif words[0] == "run":
        stopped = False
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        test(TESTS[0], "pass", "", ("level", 40.2, 39, 41, "%", True))
        if os.environ.get("BENCH_HANGS"):
            signal.sigwait({signal.SIGINT})
            stopped = True
        else:
            test(TESTS[1], "fail", "ramp = 7.2 s, not at most 6 s",
                 ("ramp", 7.2, None, 6, "s", False), ("start", 0.4, 0, 1, "s", True))
            test(TESTS[2], "skip", "the rig has no relay")
            test(TESTS[3], "pass", "", ("joined", 3.1, None, 30, "s", True))
        if os.environ.get("BENCH_STAYS_ON"):
            print("lampione hil: not switched off: v1: no relay", file=sys.stderr)
        folder = words[words.index("--out") + 1]
        os.makedirs(folder)
        open(folder + "/record.json", "w").close()
        verdict = "inconclusive" if stopped else "fail"
        say(kind="verdict", verdict=verdict, reasons=["1 test failed"], remarks=[], folder=folder,
            signed_by="a1b2 c3d4")
        sys.exit(130 if stopped else 1)
    elif words[0] == "compare":
        say(verdicts=["pass", "fail"], firmware=["0.6", "0.7"], revisions=["", ""],
            rigs=["desk", "desk"], outcomes=[[TESTS[1], "pass", "fail"]], only_before=[],
            only_after=[], gone=[], come=[], still=4, same=False,
            moved=[dict(test=TESTS[1], name="ramp", unit="s", before=5.0, after=7.2, noise=None,
                        low=None, high=6)])
        sys.exit(1)
    elif words[0] == "verify":
        say(signed_by="a1b2 c3d4", known=True, verdict="fail", made="2026-05-04T10:11:12Z")
"""
BENCH: tuple[str, str | None] = ("bench", None)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "says.py"
    script.write_text(textwrap.dedent(SAYS))
    monkeypatch.setattr(benching, "COMMAND", [sys.executable, "-S", "-E", str(script)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def about(app: LampioneApp) -> str:
    return str(app.screen.query_one("#about", Static).content)


def top(app: LampioneApp) -> str:
    return str(app.screen.query_one("#top", Static).content)


async def listed(app: LampioneApp, pilot: Pilot[None]) -> BenchView:
    await until(pilot, lambda: "4 tests, 3 of which the rig can run" in top(app))
    view = app.screen
    assert isinstance(view, BenchView)
    return view


async def begun(app: LampioneApp, pilot: Pilot[None]) -> None:
    await pilot.press("b")
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    await pilot.press("y")
    await until(pilot, lambda: isinstance(app.screen, BenchView))


def test_a_run_is_followed_compared_and_verified(bench: Path) -> None:
    for earlier in ("2026-01-01-000000",):
        (bench / "hil-reports" / earlier).mkdir(parents=True)
        (bench / "hil-reports" / earlier / "record.json").write_text("")

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await listed(app, pilot)
        assert "– lacks" in lines(app, "#tests")[3]
        await begun(app, pilot)
        await until(pilot, lambda: "release verdict: fail: 1 test failed" in top(app))
        assert "report.html" in top(app)
        (told,) = [parameters for op, parameters in given.asked if op == "deed"]
        assert told["action"] == "bench run"
        assert (told["detail"]["result"], told["detail"]["tests"]) == ("fail", 4)
        rows = lines(app, "#tests")
        assert "✓ pass" in rows[1]
        assert "✗ fail" in rows[2]
        assert "1 of 2" in rows[2]
        await pilot.press("down")
        await until(pilot, lambda: "not at most 6 s" in about(app))
        assert "✗ ramp" in about(app)
        await pilot.press("c")
        await until(pilot, lambda: "1 measurements moved" in top(app))
        assert "ramp: ramp 5 → 7.2 s (at most 6)" in about(app)
        await pilot.press("v")
        await until(pilot, lambda: "as it was signed on 2026-05-04 by a1b2 c3d4" in top(app))
        assert not view.work.doing

    drive(steps, (120, 34), first=BENCH, answers={"deed": None})


def test_a_run_is_stopped_in_good_order_and_quitting_asks(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_HANGS", "1")

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await listed(app, pilot)
        app.desk._works = Works()
        await begun(app, pilot)
        await until(pilot, lambda: "1 of 4 tests have run" in top(app))
        await pilot.press("b")
        await until(pilot, lambda: "a run goes on: x ends it" in said(app))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, BenchView))
        await pilot.press("x")
        await until(pilot, lambda: "the audit does not have this run" in top(app))
        assert "stopped, its boards are off; release verdict: inc" in top(app)
        await pilot.press("x")
        await until(pilot, lambda: "nothing runs" in said(app))

    drive(steps, (120, 34), first=BENCH)


def test_a_board_that_stays_on_is_said_whatever_the_verdict(
    bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_STAYS_ON", "1")

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await listed(app, pilot)
        await begun(app, pilot)
        await until(pilot, lambda: "not switched off: v1: no relay" in top(app))
        assert [p["detail"]["result"] for op, p in given.asked if op == "deed"] == ["fail"]

    drive(steps, (120, 34), first=BENCH, answers={"deed": None})


def test_the_doctor_and_a_rig_that_is_wrong(bench: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        await listed(app, pilot)
        await pilot.press("d")
        await until(pilot, lambda: "rig desk is not sound" in top(app))
        assert "✗ v2           reset: no boot: see RTS" in about(app)
        await pilot.press("c")
        await until(pilot, lambda: "run twice" in top(app))
        await pilot.press("v")
        await until(pilot, lambda: "there is no report yet" in top(app))
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"bad.toml", "enter")
        await until(pilot, lambda: "bad.toml:3: boards: a rig needs one" in top(app))
        await pilot.press("b")
        await until(pilot, lambda: "can run none" in said(app))

    drive(steps, (120, 34), first=BENCH)


def test_marked_tests_alone_are_run(bench: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await listed(app, pilot)
        started: list[Sequence[str]] = []
        follow = view.work._follow
        view.work._follow = lambda job, command: started.append(command) or follow(job, command)  # type: ignore[method-assign, func-returns-value]
        await pilot.press("space", "down", "space")
        await begun(app, pilot)
        await until(pilot, lambda: bool(started))
        assert started[0][started[0].index("-k") + 1] == "test_level or test_cut"

    drive(steps, first=BENCH)


def test_read_only_switches_no_board(bench: Path) -> None:
    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await listed(app, pilot)
        for key in ("b", "d"):
            await pilot.press(key)
            await until(pilot, lambda: "read-only" in said(app))
        assert app.screen is view

    drive(steps, read_only=True, first=BENCH)


def test_it_looks_like_this(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "REPORTS", Path("reports"))

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        view = await listed(app, pilot)
        await begun(app, pilot)
        await until(pilot, lambda: "release verdict" in top(app))
        view.work.folder = Path("hil-reports/2026-05-04-101112")
        await pilot.press("down")
        await until(pilot, lambda: "✗ ramp" in about(app))
        view._show()

    pictures("bench", steps, first=BENCH, answers={"deed": None})


@pytest.mark.soak
def test_the_short_suite_on_virtual_boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benching, "COMMAND", [sys.executable, "-m", "lampione"])

    def done(app: LampioneApp) -> bool:
        view = app.screen
        return isinstance(view, BenchView) and not view.work.doing

    async def patiently(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
        while not condition():  # pytest's own limit ends it
            await pilot.pause(0.1)

    async def steps(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
        app.desk.state = tmp_path / "state"
        app.desk._works = Works()
        app.go("bench")
        await patiently(pilot, lambda: done(app))
        view = app.screen
        assert isinstance(view, BenchView)
        assert len(view.work.tests) > 5
        await begun(app, pilot)
        await patiently(pilot, lambda: done(app))
        assert view.work.verdict is not None, view.work.said
        assert view.work.verdict["verdict"] in ("pass", "inconclusive")  # no doctor has looked
        assert all(run["outcome"] in ("pass", "skip") for t in view.work.tests for run in t.runs)

    drive(steps, (120, 34))
