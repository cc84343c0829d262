"""`lampione serve` with its own broker, and a screen that outlives its controller."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione.core.client import Client
from lampione.demo.processes import free_port
from lampione.desk.desk import Desk
from lampione.desk.feed import CoreFeed
from lampione.tui.app import LampioneApp
from lampione.tui.bars import Header
from lampione.tui.grid import Grid

from tests.brokers import wait_until
from tests.controller.test_cli import lampione
from tests.controller.tui.still import lines, until


class Serve:
    """A controller in a process of its own."""

    def __init__(self, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lampione", "--state", str(state), "serve", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline() or "{}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "s"
    assert lampione("--state", str(folder), "keys", "new", "--all").returncode == 0
    started = lampione("--state", str(folder), "broker", "start", "--port", str(free_port()))
    assert started.returncode == 0, started.stderr
    yield folder
    lampione("--state", str(folder), "broker", "stop")


def test_serve_needs_keys_and_a_broker_that_can_be(tmp_path: Path) -> None:
    done = lampione("--state", str(tmp_path / "s"), "serve", "--broker", "mqtt://127.0.0.1:1")
    assert done.returncode == 1
    assert "lampione keys new --all" in done.stderr
    assert done.stderr.count("\n") == 1
    done = lampione("--state", str(tmp_path / "s"), "serve")
    assert done.returncode == 1
    status = lampione("--state", str(tmp_path / "s"), "broker", "status")
    assert "no broker of ours runs" in status.stdout + status.stderr
    done = lampione("--state", str(tmp_path / "s"), "serve", "--broker", "http://x")
    assert done.returncode == 2
    assert "mqtt://host:port" in done.stderr
    done = lampione("--state", str(tmp_path / "s"), "serve", "--broker", "mqtt://u:secret@b")
    assert done.returncode == 2
    assert "LAMPIONE_BROKER_PASSWORD" in done.stderr
    assert "secret" not in done.stderr
    done = lampione(
        *("--state", str(tmp_path / "s"), "serve"), environment={"LAMPIONE_BROKER": "http://y"}
    )
    assert "mqtt://host:port" in done.stderr


def test_its_own_broker_comes_back_when_it_was_killed(state: Path) -> None:
    serve = Serve(state)
    try:
        before = json.loads(lampione("--state", str(state), "broker", "status", "--json").stdout)
        os.kill(before["pid"], signal.SIGKILL)
        with Client.open(state) as core:

            def connects() -> int:
                link = core.call("status")["broker"]
                return int(link["connects"]) if link["connected"] else 0

            wait_until("a second connection", lambda: connects() >= 2, 40)
        after = json.loads(lampione("--state", str(state), "broker", "status", "--json").stdout)
        assert after["url"] == before["url"]
        assert after["pid"] != before["pid"]
    finally:
        assert serve.end() == 0


def test_two_terminals_never_fight_over_a_folder(state: Path) -> None:
    serve = Serve(state)
    try:
        assert serve.ready["broker"].startswith("mqtt://127.0.0.1:")
        second = lampione("--state", str(state), "serve")
        assert second.returncode == 1
        assert f"(process {serve.process.pid})" in second.stderr
        assert second.stderr.count("\n") == 1
    finally:
        assert serve.end(signal.SIGINT) == 0
    # The broker outlives the controller, and the next one adopts it.
    broker = json.loads(lampione("--state", str(state), "broker", "--json").stdout)
    again = Serve(state)
    try:
        assert again.ready["broker"] == broker["url"]
    finally:
        again.end()


def test_the_screen_outlives_its_controller(state: Path) -> None:
    first = Serve(state)
    servers = [first]

    async def steps() -> None:
        app = LampioneApp(Desk(CoreFeed(state)))
        async with app.run_test(size=(120, 20)) as pilot:

            def head() -> str:
                return lines(app, Header)[0]

            await until(pilot, lambda: "● connected" in head() and "11 nodes" in head())
            assert lines(app, Grid)[0].split()[:3] == ["beatrice-deste-1", "Viale", "Beatrice"]
            await pilot.press("enter")
            await until(pilot, lambda: app.screen.query("Sheet").__len__() == 1)
            await pilot.press("escape")
            servers[-1].end(signal.SIGKILL)
            await until(pilot, lambda: "○" in head() and "connected" not in head())
            assert len(app.desk.fleet) == 11
            servers.append(await asyncio.to_thread(Serve, state))
            await until(pilot, lambda: "● connected" in head())

    try:
        asyncio.run(steps())
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.end()


def test_without_a_terminal_the_screen_says_so(state: Path) -> None:
    done = lampione("--state", str(state))
    assert done.returncode == 2
    assert "no terminal" in done.stderr
