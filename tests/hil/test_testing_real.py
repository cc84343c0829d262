"""`lampione hil run` on a real board's back end, over rfc2217:// to a virtual board."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione_hil.testing.signing import read
from lampione_hil.virtual import offered

SUITE = '''
MAIN = b"""
import time
print("it runs")
time.sleep(1000)
"""

def test_starts(board, clock, measure):
    assert board.list_files() == {}
    board.write_files({"/main.py": MAIN})
    board.power_on()
    clock.wait(lambda: "it runs" in board.console(), "its start", 20)
    assert measure("started after", clock.now_s(), low=0, high=60, unit="s")
'''


def lampione(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lampione", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A virtual board that is offered to any tool."""
    monkeypatch.setenv(offered.VARIABLE, str(tmp_path / "boards"))
    monkeypatch.setenv("LAMPIONE_STATE", str(tmp_path / "state"))
    done = lampione("board", "start", "--detach", "--world", "none", "--json")
    assert done.returncode == 0, done.stderr
    try:
        yield json.loads(done.stdout.splitlines()[0])
    finally:
        lampione("board", "stop")


def test_the_serial_path_of_real_boards(board: dict[str, Any], tmp_path: Path) -> None:
    power = shlex.join([sys.executable, "-m", "lampione", "board", "power", board["name"]])
    rig = tmp_path / "rig.toml"
    rig.write_text(
        f'name = "bench-2"\n[[boards]]\nname = "left"\nport = "{board["rfc2217"]}"\n'
        f'power = {{ kind = "command", on = "{power} on", off = "{power} off", off_s = 0.1 }}\n'
    )
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_it.py").write_text(SUITE)
    out = tmp_path / "out"
    done = lampione("hil", "run", str(suite), "--rig", str(rig), "--out", str(out))
    assert done.returncode == 5, done.stdout + done.stderr
    (test,) = read(out)["tests"]
    (run,) = test["runs"]
    assert run["outcome"] == "pass", run
    assert run["boards"] == [["left", board["rfc2217"], "real"]]
    assert run["clock"] == "wall"
    assert re.fullmatch(r"MicroPython [^;,]+", read(out)["versions"]["micropython"])
    (listed,) = map(json.loads, lampione("board", "list", "--json").stdout.splitlines())
    assert listed["on"] is False, "it was left on"
