"""The demo, whole: real firmware, real broker, real store; and what it leaves behind: nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione import seeds
from lampione.broker import LocalBroker
from lampione.desk.desk import Desk
from lampione.desk.feed import CoreFeed
from lampione.tui.app import LampioneApp
from lampione_hil import firmware, interpreter

from tests.controller.test_cli import lampione

pytestmark = [
    pytest.mark.serial,
    pytest.mark.xdist_group("desk"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find children"),
]


@pytest.fixture(scope="module", autouse=True)
def _boards_can_run() -> None:
    try:
        interpreter.command()
        firmware.host_march()
    except (interpreter.NoInterpreterError, firmware.CompileError) as error:
        pytest.skip(str(error))


def children(pid: int) -> set[int]:
    """Return the processes below `pid`, itself too."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            rest = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(rest[1])
    found = {pid}
    while True:
        more = {p for p, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def command_line(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return []
    return [word.rpartition("/")[2] for word in text.split("\0")]


def alive(pids: set[int]) -> set[int]:
    def lives(pid: int) -> bool:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] != "Z"

    return {pid for pid in pids if lives(pid)}


def wait(condition: Callable[[], Any], what: str, timeout_s: float = 30) -> Any:
    end = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, what
        time.sleep(0.05)


class Demo:
    """A demo under way, its progress read as it comes."""

    def __init__(self, *arguments: str, stdout: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lampione", "demo", "--headless", *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told += line

    def wait_told(self, text: str) -> None:
        wait(lambda: text in self.told or self.process.poll() is not None, text)
        assert text in self.told, self.told


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of noise: quicker than computing streets."""
    path = tmp_path_factory.mktemp("sound") / "noise.wav"
    draw = random.Random(1)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(draw.randrange(-9000, 9000).to_bytes(2, "little", signed=True)
                                  for _ in range(8000)))  # fmt: skip
    return path


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> Iterator[Path]:
    """A demo whose every node has reported; killed at the end, after which nothing may live."""
    folder = tmp_path_factory.mktemp("demo")
    demo = Demo("--state", str(folder), "--interval", "2", "--replay", str(recording))
    try:
        demo.wait_told("boards are on")
        wait(lambda: nodes(folder) and all(r["report"] for r in nodes(folder)), "no reports")
        yield folder
    finally:
        pids = children(demo.process.pid)
        demo.process.kill()
        demo.process.wait()
        left = alive(pids)
        for _ in range(200):
            left = alive(pids)
            if not left:
                break
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert len(pids) > 14  # eleven boards, their bench, guard, controller, demo
    assert not left


def nodes(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(x)
        for x in lampione("--state", str(folder), "nodes", "--json").stdout.splitlines()
    ]


def run(state: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return lampione("--state", str(state), *arguments)


def test_every_lamppost_of_milan_reports_and_nothing_is_missing(
    recording: Path, tmp_path: Path
) -> None:
    done = lampione(
        *("demo", "--headless", "--for", "6s", "--interval", "2", "--json"),
        *("--replay", str(recording), "--spl", "75", "--dump", str(tmp_path / "dump")),
        # The user's own broker has nothing to do with the demo.
        environment={"LAMPIONE_BROKER": "mqtt://127.0.0.1:1", "LAMPIONE_BROKER_PASSWORD": "x"},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    summary = last["summary"]
    assert summary["good"] is True
    assert (summary["nodes"], summary["reported"]) == (11, 11)
    assert summary["missing"] == summary["lost"] == summary["refused"] == 0
    assert summary["stored"] >= 22
    assert {row["site"] for row in rows} >= {"Viale Bligny", "Piazzale Corvetto"}
    # White noise to 4 kHz loses little to the A-weighting.
    assert {round(row["report"]["laeq"]) for row in rows[-11:]} <= {74, 75, 76}
    for node in seeds.load().running:
        assert (tmp_path / "dump" / f"{node.id}.s32").stat().st_size > 4 * 48_000 * 4
    folder = Path(done.stderr.partition("export LAMPIONE_STATE=")[2].split()[0])
    assert not folder.exists()


def test_ctrl_c_ends_it_with_the_verdict(recording: Path, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        arguments = ("--json", "--interval", "2", "--replay", str(recording))
        demo = Demo("--state", str(tmp_path / "s"), *arguments, stdout=out.fileno())
        try:
            demo.wait_told("lampione nodes")
            demo.process.send_signal(signal.SIGINT)
            assert demo.process.wait(60) == 130, demo.told
        finally:
            demo.process.kill()
            demo.process.wait()
    summary = json.loads((tmp_path / "out").read_text().splitlines()[-1])["summary"]
    assert summary["nodes"] == 11
    assert "Traceback" not in demo.told


def test_the_fleet_is_listed(state: Path) -> None:
    table = run(state, "nodes").stdout
    assert len(table.splitlines()) == 12
    assert "● online" in table
    assert "\x1b" not in table
    row = next(r for r in nodes(state) if r["node"] == "bligny-1")
    assert row["site"] == "Viale Bligny"
    assert 30 < row["report"]["laeq"] < 100
    assert 0 <= row["report"]["no2"] < 100
    quiet = next(r for r in nodes(state) if r["node"] == "umbria-1")
    assert quiet["report"]["vehicles_away"] is None  # it has no radar


def test_one_node_is_shown(state: Path) -> None:
    told = run(state, "show", "bligny-1").stdout
    assert "Viale Bligny" in told
    assert any(line.split()[:1] == ["laeq"] and line.endswith("dB") for line in told.splitlines())
    detail = json.loads(run(state, "show", "bligny-1", "--json").stdout)
    assert detail["report"]["temperature"] is not None
    for command in (["show", "nobody"], ["history", "nobody"], ["send", "nobody", "read"]):
        done = run(state, *command)
        assert done.returncode == 4
        assert done.stderr.count("\n") == 1
        assert "nobody" in done.stderr


def test_a_command_moves_the_lamp_and_resume_ends_it(state: Path) -> None:
    done = run(state, "send", "bligny-1", "level", "40", "--for", "10m", "--json")
    assert done.returncode == 0, done.stderr
    states = [json.loads(line) for line in done.stdout.splitlines()]
    assert states[-1]["state"] == "done"

    def lamp() -> Any:
        report = next(r for r in nodes(state) if r["node"] == "bligny-1")["report"]
        return report["lamp_level"], report["lamp_reason"]

    wait(lambda: lamp() == (40, "override"), "the lamp did not move")
    done = run(state, "send", "bligny-1", "resume")
    assert done.returncode == 0, done.stderr
    assert "bligny-1: resume done" in done.stdout
    wait(lambda: lamp()[1] != "override", "the override did not end")


@pytest.mark.parametrize("order", ["read", "identify --for 1s", "time", "hello", "reboot"])
def test_every_other_command_is_obeyed(state: Path, order: str) -> None:
    done = run(state, "send", "umbria-1", *order.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"umbria-1: {order.split()[0]} done")


def test_history_and_gaps_and_watch(state: Path) -> None:
    done = run(state, "history", "lazio-1", "--since", "10m", "--fields", "laeq", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    assert set(rows[0]) == {"at", "laeq"}
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert "laeq dB" in run(state, "history", "lazio-1").stdout.splitlines()[0]
    assert run(state, "gaps").returncode == 0
    for line in run(state, "gaps", "--json").stdout.splitlines():
        assert json.loads(line)["lost"] == []
    watched = run(state, "watch", "lazio-1", "umbria-1", "--for", "3s", "--json")
    assert watched.returncode == 0
    names = [json.loads(line)["node"] for line in watched.stdout.splitlines()]
    assert {"lazio-1", "umbria-1"} == set(names)
    assert len(names) >= 3


def test_the_screen_attaches_to_it(state: Path) -> None:
    import asyncio

    async def steps() -> None:
        app = LampioneApp(Desk(CoreFeed(state)))
        async with app.run_test(size=(80, 24)) as pilot:
            for _ in range(200):
                if len(app.desk.fleet) == 11 and app.desk.status and app.desk.link is None:
                    break
                await pilot.pause(0.05)
            assert len(app.desk.fleet) == 11
            before = app.desk.fleet.at(0)["report_at"]
            for _ in range(200):
                if app.desk.fleet.at(0)["report_at"] != before:
                    break
                await pilot.pause(0.05)
            assert app.desk.fleet.at(0)["report_at"] > before
            assert app.desk.status is not None
            assert app.desk.status["counters"]["stored"] > 0

    asyncio.run(steps())


def test_two_demos_do_not_share_a_folder(state: Path) -> None:
    done = lampione("demo", "--headless", "--for", "1s", "--state", str(state))
    assert done.returncode == 1
    assert "choose another --state" in done.stderr
    assert done.stderr.count("\n") == 1
    assert nodes(state)


def test_two_demos_begin_in_one_folder_at_once(recording: Path, tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "s"), "--interval", "1", "--for", "3s")
    demos = [Demo(*arguments, "--replay", str(recording)) for _ in range(2)]
    try:
        codes = [demo.process.wait(60) for demo in demos]
        assert sorted(codes) == [0, 1], [demo.told for demo in demos]
        told = demos[codes.index(1)].told
        assert "a demo runs in" in told
        assert told.count("\n") == 1
    finally:
        for demo in demos:
            demo.process.kill()
            demo.process.wait()


@pytest.mark.parametrize("part", ["nats.conf", "lampione_hil.virtual.supervisor", "serve"])
def test_a_part_that_dies_ends_the_demo_and_is_named(
    part: str, recording: Path, tmp_path: Path
) -> None:
    demo = Demo("--state", str(tmp_path / "s"), "--replay", str(recording))
    try:
        demo.wait_told("boards are on")
        pids = children(demo.process.pid)
        broker = LocalBroker(tmp_path / "s" / "broker").status()
        assert broker is not None
        pids.add(broker.pid)
        found = [pid for pid in pids if part in command_line(pid)]
        assert len(found) >= 1, part
        os.kill(min(found), signal.SIGKILL)
        assert demo.process.wait(40) == 1
        wait(lambda: not alive(pids), "something lives on")
        last = demo.told.splitlines()[-1]
        name = {"nats.conf": "the broker", "serve": "the controller"}.get(part, "the boards")
        assert last.startswith(f"lampione: {name}")
        assert "has ended" in last
        assert "Traceback" not in demo.told
    finally:
        demo.process.kill()
        demo.process.wait()


@pytest.mark.parametrize("moment", ["starting the controller", "boards are on"])
def test_ctrl_c_leaves_nothing(moment: str) -> None:
    demo = Demo()
    try:
        demo.wait_told(moment)
        pids = children(demo.process.pid)
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(30) == 130
        wait(lambda: not alive(pids), "something lives on")
        assert "Traceback" not in demo.told
    finally:
        demo.process.kill()
        demo.process.wait()


def test_no_micropython_is_one_line() -> None:
    done = lampione(
        "demo", "--headless", "--for", "1s", environment={"LAMPIONE_MICROPYTHON": "nowhere"}
    )
    assert done.returncode == 1
    assert "LAMPIONE_MICROPYTHON=nowhere" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spl", "60"], "--spl says how loud --replay is"),
        (["--replay", "nowhere.wav"], "nowhere.wav: there is no such file"),
    ],
)
def test_demo_options_that_do_not_fit(arguments: list[str], message: str) -> None:
    done = lampione("demo", "--headless", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
