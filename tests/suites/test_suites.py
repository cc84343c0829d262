"""The suites as a user runs them: the short one, from the command line, on virtual boards."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import virtual_bench

INCONCLUSIVE = 5
ROOT = Path(__file__).parents[2]

boards = virtual_bench.boards


def hil(
    tmp_path: Path, *arguments: str, timeout_s: float = 170
) -> "subprocess.CompletedProcess[str]":
    """Run `lampione hil ...` in a folder of its own, with a bench of its own."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    return subprocess.run(
        [sys.executable, "-m", "lampione", "hil", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": cache},
    )


def test_the_short_suite_passes_from_the_command_line(tmp_path: Path) -> None:
    done = hil(tmp_path, "run", "--smoke", "--out", str(tmp_path / "out"), "-n", "1")
    # A part of the suites is never a release: no failure, and "inconclusive".
    assert done.returncode == INCONCLUSIVE, done.stdout[-3000:] + done.stderr[-2000:]
    text = (tmp_path / "out" / "record.json").read_text(encoding="utf-8")
    assert json.loads(text)
    assert "test_override_ends" in text
    assert "test_identity" in text
    assert {"junit.xml", "report.html"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_the_long_ones_pass(tmp_path: Path) -> None:
    """Hours of a node's life that no other test here lives through; `make soak` has the whole."""
    words = "test_outbox or test_radio or test_drift or test_many_reports or test_program"
    done = hil(tmp_path, "run", "-k", words, "-n", "1")
    assert done.returncode == INCONCLUSIVE, done.stdout[-3000:] + done.stderr[-2000:]
    assert "test_long_outage" in done.stdout


@pytest.mark.soak
def test_the_whole_is_a_release(tmp_path: Path) -> None:
    looked = hil(tmp_path, "doctor", timeout_s=600)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    done = hil(tmp_path, "run", timeout_s=7200)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "release verdict: pass" in done.stdout


def test_every_test_says_what_it_needs() -> None:
    for path in (ROOT / "hil" / "suites").glob("test_*.py"):
        for found in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(found, ast.FunctionDef) and found.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in found.decorator_list]
                assert any("mark.needs(" in mark for mark in marks), f"{path.name}: {found.name}"
                assert ast.get_docstring(found), f"{path.name}: {found.name} says nothing"
