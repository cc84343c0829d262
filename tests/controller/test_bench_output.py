"""Bench commands whose output goes nowhere any more: boards come to a step's end, one line says it.

Two real (virtual) boards, the commands as processes of their own.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione import seeds
from lampione.provision import ca
from lampione.provision.queue import Queue
from lampione.provision.rows import load
from lampione_hil.virtual import offered

from tests.controller.test_cli import lampione


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        for name, place in (
            (offered.VARIABLE, "b"), (ca.VARIABLE, "ca"), ("LAMPIONE_STATE", "s")
        ):  # fmt: skip
            patch.setenv(name, str(folder / place))
        done = lampione("board", "start", "--detach", "--blank", "--world", "none", "--count", "2")
        assert done.returncode == 0, done.stderr
        yield folder
        lampione("board", "stop")


def first_line_of(*arguments: str) -> tuple[str, int, str]:
    """Run a command as in `| head -1`; return that line, the exit code, the complaints."""
    command = [sys.executable, "-m", "lampione", *arguments, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        return line, process.wait(60), said


def test_flash_stops_in_good_order(folder: Path) -> None:
    line, code, said = first_line_of("flash", "--all")
    assert line.startswith('{"board": "virtual-')
    assert (code, said) == (141, "")
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "lampione", "flash", "--all"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "lampione: <stdout>: No space left on device\n")
    assert "2 of 2 boards done" in lampione("flash", "--all").stdout


def test_provision_stops_in_good_order_and_goes_on(folder: Path) -> None:
    path = folder / "two.csv"
    path.write_text("node,board\nbligny-1,virtual-1\nsarfatti-1,virtual-2\n")
    arguments = ["provision", "--list", str(path), "--no-sign-off", "--no-wifi"]
    arguments += ["--broker", "mqtt://10.0.0.5"]
    line, code, said = first_line_of(*arguments)
    assert '"step": "who it is"' in line
    assert (code, said) == (141, "")
    states = {entry.node: entry.state for entry in Queue(load(path, seeds.load()), path).entries()}
    assert "failed" not in states.values()  # nothing is wrong with these boards
    done = lampione(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 2 are done" in done.stdout


def test_a_list_whose_state_cannot_be_kept(folder: Path) -> None:
    path = folder / "kept.csv"
    path.write_text("node,board\numbria-1,virtual-1\nlazio-1,virtual-2\n")
    inside = folder / "kept.state.json.new" / "x"
    inside.mkdir(parents=True)  # in the way of the state
    arguments = ["provision", "--list", str(path), "--no-sign-off", "--no-wifi", "--replace"]
    arguments += ["--broker", "mqtt://10.0.0.5"]
    done = lampione(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"lampione: {path.with_suffix('.state.json')}.new: Is a directory"
    )
    assert done.stderr.endswith("then run this again\n")
    assert done.stderr.count("\n") == 1
    assert "stopped: run this again to go on" in done.stdout
    inside.rmdir()
    inside.parent.rmdir()
    done = lampione(*arguments)
    assert (done.returncode, "all 2 are done" in done.stdout) == (0, True), done.stdout
