"""`lampione flash` as whoever flashes on a bench sees it."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione.cli.output import Printer
from lampione.cli.progress import Progress
from lampione_hil.virtual import offered

from tests.controller.test_cli import lampione
from tests.hil import esp_images


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Three boards; the third has no cable."""
    os.environ[offered.VARIABLE] = str(tmp_path_factory.mktemp("boards") / "b")
    try:
        done = lampione("board", "start", "--detach", "--blank", "--world", "none", "--count", "3")
        assert done.returncode == 0, done.stderr
        assert lampione("board", "unplug", "virtual-3").returncode == 0
        yield ["virtual-1", "virtual-2"]
        lampione("board", "stop")
    finally:
        del os.environ[offered.VARIABLE]


def last(text: str) -> dict[str, dict[str, Any]]:
    """Return the last JSON object of each board."""
    return {row["board"]: row for row in map(json.loads, text.splitlines())}


def test_all_at_once_then_nothing_to_do(boards: list[str]) -> None:
    done = lampione("flash", "--all", "--json")
    assert done.returncode == 0, done.stderr
    found = last(done.stdout)
    assert sorted(found) == boards
    assert all(
        row["ok"] and row["written"] and row["firmware"] == "0.1.0" for row in found.values()
    )
    again = lampione("flash", "--all")
    assert again.returncode == 0
    assert again.stdout.count("nothing to change") == 2
    assert "2 of 2 boards done\n" in again.stdout
    dry = lampione("flash", "virtual-2", "--dry-run")
    assert "nothing was written" in dry.stdout


def test_one_that_fails_stops_no_other(boards: list[str]) -> None:
    number = offered.find("virtual-1").serial_number
    done = lampione("flash", number[:7], "virtual-3", "--json")
    assert done.returncode == 1
    found = last(done.stdout)
    assert found["virtual-1"]["ok"]
    assert not found["virtual-3"]["ok"]
    assert "not connected: there is virtual-1" in found["virtual-3"]["says"]
    words = lampione("flash", "virtual-1", "virtual-3")
    assert "1 of 2 boards done. " in words.stdout
    assert words.stdout.rstrip().endswith("right, then type: lampione flash virtual-3")


def test_what_is_asked_must_be_clear(boards: list[str], tmp_path: Path) -> None:
    for arguments, code, text in (
        ([], 2, r"there is virtual-1 \("),
        (["--all", "virtual-1"], 2, "--all is every board"),
        (["--erase", "virtual-1"], 2, "--erase goes with --micropython"),
        (["--micropython", str(tmp_path / "none.bin"), "virtual-1"], 1, "No such file"),
        (["--micropython", __file__, "virtual-1"], 1, "not an image for an ESP32"),
        (["--port"], 2, "expected one argument"),
        (["--no-rom", "virtual-1"], 2, "--no-rom goes with --micropython"),
    ):
        done = lampione("flash", *arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert done.stderr.count("\n") == 1
        assert text.split(" \\(")[0] in done.stderr


def test_what_an_image_would_bring_is_said(boards: list[str], tmp_path: Path) -> None:
    stock = str(esp_images.write(tmp_path / "stock.bin"))
    dry = ("flash", "virtual-1", "--dry-run", "--erase", "--micropython")
    words = lampione(*dry, stock).stdout
    assert "romfs 0x1e0000 (128 KiB), files from 0x200000\n" in words
    assert "would install MicroPython v1.29.0, then the firmware" in words
    found = last(lampione(*dry, stock, "--json").stdout)["virtual-1"]
    assert found["ok"]
    assert found["partitions"][-1]["label"] == "romfs"
    plain = lampione(*dry, stock, "--no-rom").stdout
    assert "factory 0x10000 (1984 KiB, 39 KiB used), files from 0x200000; no ROM" in plain
    ota = lampione(*dry, str(esp_images.write(tmp_path / "ota.bin", esp_images.OTA))).stdout
    assert "; no ROM partition: its table has places for several applications (OTA)" in ota


@pytest.mark.soak  # pyserial takes 0.1 s for each change of a time-out, and esptool changes many
def test_a_bare_chip_comes_to_code_in_its_flash(boards: list[str], tmp_path: Path) -> None:
    done = lampione("board", "start", "--detach", "--bare", "--world", "none", "--name", "bare")
    assert done.returncode == 0, done.stderr
    stock = str(esp_images.write(tmp_path / "stock.bin"))
    found = last(
        lampione("flash", "bare-1", "--micropython", stock, "--json", timeout_s=300).stdout
    )
    assert (found["bare-1"]["ok"], found["bare-1"]["slot"]) == (True, "/rom/lib")


def test_no_board_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(offered.VARIABLE, str(tmp_path / "empty"))
    done = lampione("flash", "--all")
    assert done.returncode == 1
    assert "no board is connected: look at cable and power" in done.stderr


def test_a_port_that_is_no_board(boards: list[str]) -> None:
    done = lampione("flash", "--port", "/dev/nothing-here")
    assert done.returncode == 1
    assert "failed  /dev/nothing-here: no board there: there is " in done.stdout
    assert "virtual-1" in done.stdout


def test_ctrl_c_says_how_boards_are_left(boards: list[str]) -> None:
    host, slave = pty.openpty()  # nobody answers there
    command = [sys.executable, "-m", "lampione", "flash", "--port", os.ttyname(slave)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "connecting" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        assert process.wait(20) == 130
    os.close(slave)
    os.close(host)
    assert "stopped; it runs what it ran before" in said


class Terminal:
    """A stream that is a terminal, and what it has shown."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_a_line_a_board_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "5")
    terminal = Terminal()
    names = [f"board-{n}" for n in range(9)]
    with Progress(Printer(as_json=False, stream=terminal), names) as progress:  # type: ignore[arg-type]
        for name in names:
            progress.tell(name, "sending 100 kB", 0.5)
        shown = terminal.text.rpartition("\x1b[J")[2]
        assert shown.count("\n") == 3, "no more than the terminal has"
        assert "board-0  ██████████░░░░░░░░░░  50 %  sending 100 kB" in shown
        assert "and 7 more" in shown
        progress.end("board-0", "runs\x1b[2J", good=True)
    assert "board-0  \x1b[32mok    \x1b[0m  runs·[2J\n" in terminal.text
    assert terminal.text.endswith("\x1b[J")

    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    with Progress(Printer(as_json=False, stream=terminal), ["lodi-periphery-1"]) as progress:  # type: ignore[arg-type]
        progress.tell("lodi-periphery-1", "sending 100 kB", 0.5)
    assert terminal.text.startswith("lodi-periphery-1   50 %  sending 100 kB\n")
