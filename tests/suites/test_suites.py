"""The suites as a user runs them: the short one, from the command line, on virtual boards."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lampione_hil.firmware import CompileError, host_march
from lampione_hil.interpreter import NoInterpreterError, command

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
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    record = json.loads((tmp_path / "out" / "record.json").read_text(encoding="utf-8"))
    text = json.dumps(record)
    assert "test_override_ends" in text
    assert "test_identity" in text
    assert {"junit.xml", "report.html"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_every_test_says_what_it_needs() -> None:
    for path in (ROOT / "hil" / "suites").glob("test_*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for at, line in enumerate(lines):
            if line.startswith("def test_"):
                above = lines[at - 1 : max(at - 8, 0) : -1]
                marks = "\n".join(above).split("\n\n")[0]
                assert "pytest.mark.needs(" in marks, f"{path.name}: {line}"
