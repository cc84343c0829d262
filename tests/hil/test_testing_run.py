"""Runs of small suites on virtual boards: outcomes, limits, interruptions, broken benches."""

import datetime
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.board import BenchError
from lampione_hil.testing import engine, record, report
from lampione_hil.testing.stand import Rig
from lampione_hil.testing.verdict import of_test

from tests.brokers import wait_until
from tests.full_disk import full_disk

SUITE = """
    import itertools, os, pathlib, pytest
    from lampione_hil.board import BenchError
    from parts import MAIN

    def test_counts_seconds(board, clock, measure):
        board.write_files({"/main.py": MAIN})
        board.power_on()
        clock.wait(lambda: "started" in board.console(), "its start", 2)
        clock.run_for(3)
        measure("seconds", board.pwm_duty(4), low=2, high=3, unit="s")
        measure("time", clock.now_s(), low=3, high=5.1, unit="s")

    def test_measures_outside(measure):
        assert not measure("a", 3, high=2)
        assert measure("b", 3, high=3)
        assert not measure("c", float("nan"))
        assert not measure("d", None, low=1)

    def test_waits_in_vain(board, clock):
        board.write_files({"/main.py": MAIN})
        board.power_on()
        clock.wait(lambda: False, "a miracle", 2)

    def test_breaks():
        assert "\\ud800" == "x"

    @pytest.mark.needs("pwm", "a tame lion")
    def test_needs_much(board):
        assert False

    @pytest.mark.needs(boards=2)
    def test_two_boards_have_one_time(node, clock):
        one, two = node(start=False), node(start=False)
        assert one.name != two.name
        assert one is not two

    @pytest.mark.parametrize("what", ["day"])
    def test_now_and_then(request, what):
        assert "turn1" not in request.node.nodeid

    @pytest.mark.flaky_known("the moon")
    def test_moon(request):
        assert "turn1" not in request.node.nodeid

    @pytest.mark.smoke
    @pytest.mark.clock("wall")
    def test_wall(board, clock):
        assert not clock.virtual
        assert not board.running
        assert board.list_files() == {}
        assert clock.run_for(0.1) >= 0.1

    def test_a_board_fails(rig, monkeypatch):
        rig.mark_broken("virtual-3", "virtual-3: its cable is out")
"""
PARTS = '''
    """A helper of the suite."""
    MAIN = b"""
    import machine, time
    lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=0)
    print("started")
    while True:
        time.sleep(1)
        lamp.duty_u16(lamp.duty_u16() + 1)
    """
'''


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of the suite above, twice each, below a project with settings of its own."""
    project = tmp_path_factory.mktemp("project")
    (project / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    (project / "conftest.py").write_text("raise SystemExit('the project was read')\n")
    suite = written(project / "suite", test_it=SUITE, parts=PARTS)
    order = engine.Order(suites=(suite,), count=2, workers=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", "--more-nonsense")
        going = engine.Run(order, project / "out")
        lines = list(going.follow())
    assert [line["kind"] for line in lines][:1] == ["begin"], going.log
    made = report.write(project / "out", project / "bench", order)
    assert (project / "out" / "report.html").stat().st_size > 5000
    assert (project / "out" / "junit.xml").read_text().count("<testcase") == 20
    assert json.loads((project / "out" / "record.json").read_text()) == made
    return made


def test(whole: dict[str, Any], name: str) -> dict[str, Any]:
    return next(t for t in whole["tests"] if t["test"].endswith(f"::{name}"))


test.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "outcomes", "why"),
    [
        ("test_counts_seconds", ["pass", "pass"], ""),
        ("test_breaks", ["fail", "fail"], "AssertionError: assert '\\ud800' == 'x'"),
        ("test_waits_in_vain", ["fail", "fail"], "a miracle not within 2 s"),
        ("test_needs_much", ["skip", "skip"], "no board of rig virtual has: a tame lion"),
        ("test_two_boards_have_one_time", ["pass", "pass"], ""),
        ("test_now_and_then[day]", ["fail", "pass"], "AssertionError"),
        ("test_moon", ["fail", "pass"], "AssertionError"),
        ("test_wall", ["pass", "pass"], ""),
    ],
)
def test_every_outcome_is_kept(
    whole: dict[str, Any], name: str, outcomes: list[str], why: str
) -> None:
    found = test(whole, name)
    assert [run["outcome"] for run in found["runs"]] == outcomes, found
    assert found["runs"][0]["why"].startswith(why)
    assert of_test(test(whole, "test_moon")) == "flaky"


def test_what_lies_outside_fails_a_test_at_its_end_all_of_it(whole: dict[str, Any]) -> None:
    run = test(whole, "test_measures_outside")["runs"][1]
    assert run["why"] == (
        "outside the limits: a = 3, not at most 2; c = none, not a number; d = none, not at least 1"
    )
    assert [(m["name"], m["ok"], m["value"]) for m in run["measurements"]] == [
        ("a", False, 3.0),
        ("b", True, 3.0),
        ("c", False, None),
        ("d", False, None),
    ]
    kept = test(whole, "test_counts_seconds")["runs"][0]
    assert [(m["name"], m["unit"], m["ok"]) for m in kept["measurements"]] == [
        ("seconds", "s", True),
        ("time", "s", True),
    ]
    assert kept["boards"][0][0].startswith("virtual-")
    assert kept["clock"] == "virtual"
    assert 3 <= kept["board_s"] <= 5.1


def test_a_console_comes_with_what_did_not_happen(whole: dict[str, Any]) -> None:
    details = test(whole, "test_waits_in_vain")["runs"][0]["details"]
    assert "ends with:\nstarted" in details


def test_the_verdict_says_everything(whole: dict[str, Any]) -> None:
    said = "\n".join(whole["verdict"]["reasons"])
    assert whole["verdict"]["verdict"] == "fail"
    for word in (
        "failed: ",
        "its cable is out",
        "no doctor has looked",
        "nobody signs",
        "test_moon",
    ):
        assert word in said, word
    assert whole["complete"]
    assert whole["versions"]["micropython"].startswith("MicroPython")
    assert len(whole["firmware"]["id"]) == 16


def run(suite: Path, out: Path, **order: Any) -> tuple[engine.Run, dict[str, Any]]:
    asked = engine.Order(suites=(suite,), **{"workers": 1, **order})
    going = engine.Run(asked, out)
    list(going.follow())
    return going, report.write(out, out / "bench", asked)


def test_a_broken_bench_fails_once_and_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = written(
        tmp_path / "suite",
        test_it="""
            import pytest
            @pytest.mark.parametrize("n", range(5))
            def test_it(board, n): ...
            def test_without(): ...
        """,
    )
    monkeypatch.setenv("LAMPIONE_MICROPYTHON", "/nowhere/micropython")
    _, made = run(suite, tmp_path / "out")
    outcomes = [of_test(test) for test in made["tests"]]
    assert outcomes == ["broken", "skip", "skip", "skip", "skip", "pass"]
    assert made["verdict"]["verdict"] == "inconclusive"
    assert "the bench is broken: " in made["verdict"]["reasons"][0]
    assert "no such program" in made["verdict"]["reasons"][0]
    assert made["tests"][1]["runs"][0]["why"].startswith("the bench is broken: ")


def test_a_suite_that_cannot_be_read(tmp_path: Path) -> None:
    suite = written(tmp_path / "suite", test_it="import lampione_nothing\n")
    going, made = run(suite, tmp_path / "out")
    assert going.code == 2
    assert made["verdict"]["verdict"] == "inconclusive"
    assert "No module named 'lampione_nothing'" in made["ended"]
    with pytest.raises(BenchError, match="no such suite"):
        engine.command(engine.Order(suites=(tmp_path / "none",)), tmp_path)


def test_what_would_run_and_what_is_left_out(tmp_path: Path) -> None:
    suite = written(tmp_path / "suite", test_it=SUITE, parts=PARTS)
    found = {t["test"]: t for t in engine.listed(engine.Order(suites=(suite,)), tmp_path / "list")}
    assert len(found) == 10
    much = found["test_it.py::test_needs_much"]
    assert much["needs"] == ["a tame lion", "pwm"]
    assert much["lacks"] == "no board of rig virtual has: a tame lion"
    assert found["test_it.py::test_moon"]["flaky"] == "the moon"
    wall = found["test_it.py::test_wall"]
    assert (wall["clock"], wall["smoke"], wall["lacks"]) == ("wall", True, "")
    (suite / "test_it.py").write_text(
        "import pytest\n@pytest.mark.smoke\ndef test_short(): ...\ndef test_long(): ...\n"
    )
    _, made = run(suite, tmp_path / "out", smoke=True)
    assert [of_test(test) for test in made["tests"]] == ["pass"]
    assert made["asked"]["left_out"] == ["test_it.py::test_long"]
    assert made["verdict"]["verdict"] == "inconclusive"


HANGS = """
    import os, pathlib
    from lampione_hil.virtual import VirtualBench

    def test_first(board): ...

    def test_hangs(_stand, board, clock):
        pathlib.Path("{pids}").write_text(f"{{os.getpid()}} {{_stand.bench.supervisor_pid}}")
        board.power_on()
        clock.wait(lambda: False, "a miracle", 1e9)

    def test_last(board): ...
"""


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[engine.Run, int, int]]:
    """A run that waits for ever; the processes of its test and of its bench."""
    pids = tmp_path / "pids"
    suite = written(tmp_path / "suite", test_it=HANGS.format(pids=pids))
    order = engine.Order(suites=(suite,), workers=2)
    going = engine.Run(order, tmp_path / "out")
    try:
        wait_until("the hanging test", lambda: pids.exists() and len(pids.read_text().split()) == 2)
        first, second = map(int, pids.read_text().split())
        yield going, first, second
    finally:
        going.close()


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_an_interrupted_run_switches_off_and_says_so(
    hanging: tuple[engine.Run, int, int], tmp_path: Path
) -> None:
    going, worker, bench = hanging
    going.interrupt()
    list(going.follow())
    assert going.code == 2
    wait_until("the bench's end", lambda: gone(bench) and gone(worker))
    made = report.write(tmp_path / "out", tmp_path / "bench", engine.Order())
    assert not made["complete"]
    assert "interrupted" in made["ended"]
    assert made["verdict"]["verdict"] == "inconclusive"


def test_a_run_ends_when_its_command_is_killed(tmp_path: Path) -> None:
    suite = written(tmp_path / "suite", test_it=HANGS.format(pids=tmp_path / "pids"))
    out = tmp_path / "out"
    began = subprocess.Popen(
        [sys.executable, "-m", "lampione", "hil", "run", str(suite), "--out", str(out), "-n", "1",
         "--no-audit"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        pids = tmp_path / "pids"
        wait_until("the hanging test", lambda: pids.exists() and len(pids.read_text().split()) == 2)
        (out / "record.json").write_text("of a run before")
    finally:
        began.kill()
        began.wait()
    # The next one waits for its end, and takes nothing of it for its own.
    again = engine.Run(engine.Order(suites=(suite,), keyword="first"), out)
    both = [int(pid) for pid in pids.read_text().split()]
    wait_until("the killed run's end", lambda: all(map(gone, both)))
    assert [line["tests"] for line in again.follow() if line["kind"] == "collected"] == [
        ["test_it.py::test_first"]
    ]
    assert not (out / "record.json").exists()


def test_two_runs_never_write_one_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = written(tmp_path / "suite", test_it="def test_short(): ...")
    monkeypatch.setattr(engine, "KILLED_S", 0.1)
    first = engine.Run(engine.Order(suites=(suite,)), tmp_path / "out")
    with pytest.raises(BenchError, match="another run writes its report there"):
        engine.Run(engine.Order(suites=(suite,)), tmp_path / "out")
    assert {line["kind"] for line in first.follow()} >= {"test", "end"}


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    suite = written(tmp_path / "suite", test_it="def test_short(): ...")
    asked = engine.Order(suites=(suite,))
    list(engine.Run(asked, tmp_path / "out").follow())
    with full_disk(1000), pytest.raises(OSError, match=r"out/record\.json"):
        report.write(tmp_path / "out", tmp_path / "bench", asked)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "pytest.log", "results.jsonl"
    ]  # fmt: skip


def test_a_killed_worker_is_the_benchs_fault_and_the_rest_runs(
    hanging: tuple[engine.Run, int, int], tmp_path: Path
) -> None:
    going, worker, bench = hanging
    os.kill(worker, signal.SIGKILL)
    list(going.follow())
    wait_until("the bench's end", lambda: gone(bench))
    made = report.write(tmp_path / "out", tmp_path / "bench", engine.Order())
    assert [of_test(test) for test in made["tests"]] == ["pass", "broken", "pass"]
    assert "the bench broke under test_hangs" in made["verdict"]["reasons"][0]


def test_two_runs_never_hold_one_board(tmp_path: Path) -> None:
    """A lock is for all processes, and goes with the one that held it."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from lampione_hil.testing.locks import Lock
        lock = Lock(Path(sys.argv[1]), "a0b1")
        print(lock.take("a test"), lock.holder, flush=True)
        sys.stdin.read()
    """)
    from lampione_hil.testing.locks import Lock

    mine = Lock(tmp_path, "a0b1")
    assert mine.take("this test")
    assert not mine.take("this test, again")

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with start() as other:
        assert other.stdout is not None
        assert other.stdout.readline() == f"False process {os.getpid()} (this test)\n"
        other.kill()
    mine.release()
    with start() as other:
        assert other.stdout is not None
        assert other.stdout.readline().startswith("True ")
        assert not mine.take("this test")
        assert str(other.pid) in mine.holder
        other.kill()
    assert mine.take("it was killed")
    mine.release()


def test_a_results_file_that_a_kill_cut_off(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"kind": "deselected", "tests": []}\n{"kind": "te')
    lines = record.lines(tmp_path / "results.jsonl")
    assert len(lines) == 1
    made = record.build(
        lines, suites=[], part=False, doctor=None, key=None, now=datetime.datetime.now(datetime.UTC)
    )
    assert made["ended"] == "it was killed"
    assert made["verdict"]["verdict"] == "inconclusive"


def test_broken_boards_are_left_alone(tmp_path: Path) -> None:
    from lampione_hil.testing import rig

    bench = Rig(rig.virtual(2), tmp_path)
    bench.mark_broken("virtual-1", "virtual-1: its cable is out")
    assert bench.lacks(["pwm"]) == ""
    assert bench.hold(frozenset({"pwm"}), "a test").name == "virtual-2"
    assert bench.lacks([], 2) == "the bench is broken: virtual-1: its cable is out"
    assert bench.lacks([], 3) == "the test needs 3 boards, rig virtual has 2"


def test_a_pulled_cable_is_the_benchs_fault(tmp_path: Path) -> None:
    from lampione_hil.real.errors import BoardSilentError, CablePulledError
    from lampione_hil.testing import rig
    from lampione_hil.testing.stand import Stand

    bench = Rig(rig.virtual(2), tmp_path)
    stand = Stand(bench, "a test", [], "virtual")
    stand.taken = [(bench.file.boards[0], None)]
    assert not stand.blame(BoardSilentError("it says nothing"))
    assert not stand.blame(None)
    assert bench.broken() == {}
    assert stand.blame(CablePulledError("the cable is out: plug it in"))
    assert bench.broken() == {"virtual-1": "virtual-1: the cable is out: plug it in"}
