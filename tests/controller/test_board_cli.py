"""`lampione board`: virtual boards that any tool can use, and that nobody leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial
from lampione_hil.board import BenchError
from lampione_hil.virtual import offered

from tests.controller.test_cli import lampione


@pytest.fixture(autouse=True)
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "boards"
    monkeypatch.setenv(offered.VARIABLE, str(folder))
    yield folder
    lampione("board", "stop")
    assert not folder.exists() or not list(folder.iterdir())


def rows(*arguments: str) -> list[dict[str, Any]]:
    done = lampione("board", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def start(*arguments: str) -> list[dict[str, Any]]:
    return rows("start", "--detach", "--world", "none", "--blank", *arguments)


def until(test: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not test():
        assert time.monotonic() < end


def mpremote(port: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_three_boards_that_tools_find_and_reach(boards: Path) -> None:
    started = start("--count", "3", "--name", "post")
    assert [row["name"] for row in started] == ["post-1", "post-2", "post-3"]
    assert len({row["serial_number"] for row in started}) == 3
    assert [offered.Offered(**row) for row in started] == offered.offered()
    asked = "import machine; print(machine.unique_id().hex())"
    assert mpremote(started[1]["port"], "exec", asked).strip() == started[1]["serial_number"]
    assert mpremote(started[2]["rfc2217"], "exec", asked).strip() == started[2]["serial_number"]
    again = start("--name", "post")
    assert [row["name"] for row in again] == ["post-4"], "names that are taken are left alone"
    assert rows("stop", "post-2", "post-2") == [{"name": "post-2", "stopped": True}]
    assert [row["name"] for row in rows("list")] == ["post-1", "post-3", "post-4"]
    rows("stop")
    assert rows("list") == []
    assert lampione("board", "list").returncode == 1


def test_power_reset_cable_and_a_cut(boards: Path) -> None:
    (one,) = start()
    name = one["name"]
    boots = rows("list")[0]
    assert boots["on"] is True
    assert rows("power", name, "off")[0]["on"] is False
    assert rows("power", name, "on")[0]["boots"] == 2
    assert rows("reset", one["serial_number"])[0]["boots"] == 3
    with serial.Serial(one["port"], timeout=5) as port:
        unplugged = rows("unplug", name)[0]
        assert (unplugged["port"], unplugged["rfc2217"], unplugged["on"]) == ("", "", False)
        with pytest.raises(serial.SerialException):
            port.read(1)
    refused = lampione("board", "power", name, "on")
    assert refused.returncode == 1
    assert refused.stderr == f"lampione: {name}: its cable is out\n"
    plugged = rows("plug", name)[0]
    assert plugged["on"] is True
    rows("cut", name, "--write", "3")
    with serial.Serial(plugged["port"]) as port:
        port.write(b"open('f', 'w').write('x' * 9000)\r")
        until(lambda: not offered.ask(one["pid"], "state", name)["on"])
    rows("power", name, "on")
    assert mpremote(plugged["port"], "eval", "6*7") == "42\n"


def test_a_bare_chip(boards: Path) -> None:
    (one,) = rows("start", "--detach", "--world", "none", "--bare")
    with serial.Serial(one["port"], timeout=10) as port:
        rows("reset", one["name"])
        assert port.read_until(b"invalid header: 0xffffffff\r\n").endswith(b"0xffffffff\r\n")


def test_a_board_with_a_rom_partition(boards: Path) -> None:
    (one,) = rows("start", "--detach", "--world", "none", "--blank", "--rom")
    code = "import vfs; print(len(memoryview(vfs.rom_ioctl(2, 0))))"
    assert mpremote(one["port"], "exec", code) == "131072\n"


def test_whatever_happens_to_the_owner_nothing_stays(boards: Path) -> None:
    (one,) = start()
    pid = one["pid"]
    assert mpremote(one["port"], "eval", "6*7") == "42\n"
    board = next(p for p in boards.glob("*.bench"))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(one["port"]).exists())  # the port goes with its owner
    assert board.exists()
    assert offered.offered() == []
    assert not list(boards.iterdir())
    with pytest.raises(BenchError, match="start one"):
        offered.find(one["name"])


def test_ctrl_c_ends_what_runs_in_the_foreground(boards: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-m", "lampione", "board", "start", "--blank", "--world", "none"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    while "Ctrl-C" not in owner.stdout.readline():
        pass
    (board,) = offered.offered()
    assert board.pid == owner.pid
    owner.send_signal(signal.SIGINT)
    assert owner.wait(10) == 130
    owner.stdout.close()
    assert not list(boards.iterdir())


def test_mistakes_in_one_line(boards: Path, tmp_path: Path) -> None:
    for arguments, code, text in (
        (("power", "post-9", "on"), 1, "no virtual board 'post-9' runs: start one with"),
        (("start", "--name", "a/b"), 2, "use letters, digits"),
        (("start", "--flash-bytes", "70000"), 2, "not a multiple of 4096"),
        (("start", "--blank", "--bare"), 2, "not allowed with"),
        (("start", "--rom", "--bare"), 2, "what esptool writes to a --bare chip says"),
        (("start", "--count", "0"), 2, "whole numbers from 1 to"),
        (("start", "--flash-bytes", "32768", "--detach"), 1, "No space left"),
    ):
        done = lampione("board", *arguments)
        assert done.returncode == code, arguments
        assert text in done.stderr
        assert done.stderr.count("\n") == 1
        assert offered.offered() == []


def test_a_folder_of_others_is_refused(boards: Path) -> None:
    boards.mkdir(mode=0o755)
    done = lampione("board", "start", "--blank")
    assert done.returncode == 1
    assert "is not yours alone: choose another folder with LAMPIONE_BOARDS" in done.stderr
