"""The suites as a user runs them: the short one, from the command line, on virtual boards."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from lampione_hil.firmware import CompileError, host_march
from lampione_hil.interpreter import NoInterpreterError, command

INCONCLUSIVE = 5
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _boards() -> None:
    try:
        command()
        host_march()
    except (NoInterpreterError, CompileError) as error:
        pytest.skip(str(error))


def test_the_short_suite_passes_from_the_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "lampione", "hil", "run", "--smoke"),
            *("--out", str(tmp_path / "out"), "-n", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        cwd=tmp_path,
    )
    # A part of the suites is never a release: no failure, and "inconclusive".
    assert done.returncode == INCONCLUSIVE, done.stdout[-3000:] + done.stderr[-2000:]
    text = (tmp_path / "out" / "record.json").read_text(encoding="utf-8")
    assert json.loads(text)
    assert "test_override_ends" in text
    assert "test_identity" in text
    assert {"junit.xml", "report.html"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_every_test_says_what_it_needs() -> None:
    for path in (ROOT / "hil" / "suites").glob("test_*.py"):
        for found in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(found, ast.FunctionDef) and found.name.startswith("test_"):
                marks = [ast.unparse(mark) for mark in found.decorator_list]
                assert any("mark.needs(" in mark for mark in marks), f"{path.name}: {found.name}"
                assert ast.get_docstring(found), f"{path.name}: {found.name} says nothing"
