"""The checks of `make check` see what they look for."""

import json
import subprocess
from pathlib import Path

import pytest

from tools import check, compile_firmware, firmware_types, tracked_files


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.py", 'PATH = "/ho' + 'me/someone/x"', "a.py:1: absolute path"),
        ("a.md", "fine\nsee /wo" + "rk/main/x", "a.md:2: absolute path"),
        ("a.toml", "x = 'https://files.python" + "hosted.org/packages/1.whl'", "registry"),
        ("a.mpy", "M", "made, not kept"),
        ("a.txt", "a\0b", "binary"),
        ("a.txt", "x" * 1_000_001, "1000001 bytes"),
    ],
)
def test_forbidden_contents(name: str, text: str, said: str) -> None:
    (wrong,) = tracked_files.problems_of(name, text.encode())
    assert said in wrong


def test_plain_contents() -> None:
    text = "relative/home/x, https://example.org/work/flow, /etc/hosts, ~/.config"
    assert tracked_files.problems_of("a.md", text.encode()) == []


def test_only_tracked_files_count(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "kept.mpy").write_text("M")
    (tmp_path / "other.mpy").write_text("M")
    subprocess.run(["git", "add", "kept.mpy"], cwd=tmp_path, check=True)
    assert [w.split(":")[0] for w in tracked_files.check(tmp_path)] == ["kept.mpy"]


def test_what_does_not_compile_is_named(tmp_path: Path) -> None:
    good = tmp_path / "good.py"
    good.write_text("x = 1\n")
    bad = tmp_path / "bad.py"
    bad.write_text("def f(:\n")
    (wrong,) = compile_firmware.compile_all([good, bad])
    assert "bad.py" in wrong
    assert "SyntaxError" in wrong
    names = {p.name for p in compile_firmware.sources()}
    assert {"schema.py", "main.py", "uplink.py", "tones.py"} <= names


def test_firmware_types_know_micropython(tmp_path: Path) -> None:
    """The stubs are read: what MicroPython lacks is an error, what only it has is none."""
    typings = firmware_types.ROOT / ".venv" / "typings"
    if not typings.exists():
        pytest.skip("no stubs: make setup")
    config = firmware_types.CONFIG.read_text()
    settings = json.loads("\n".join(s for s in config.split("\n") if "//" not in s))
    settings |= {"include": ["."], "extraPaths": []}
    settings |= {"typeshedPath": str(typings), "stubPath": str(typings)}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    (tmp_path / "node.py").write_text(
        "import time\n"
        "import machine\n"
        "time.sleep_ms(5)\n"
        "machine.Pin(1).value(1)\n"
        "time.perf_counter_ns()\n"
        "machine.Pin(1).valve(1)\n"
        "def f() -> int:\n"
        "    return 'x'\n"
    )
    files, errors = firmware_types.diagnostics(tmp_path / "pyrightconfig.json")
    assert files == 1
    lines = [d["range"]["start"]["line"] + 1 for d in firmware_types.believed(errors)]
    assert lines == [5, 6, 8]


def test_a_failing_step_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    outcome = check.run(check.Step("no", ["sh", "-c", "echo why; exit 3"]))
    assert (outcome.code, outcome.output) == (3, "why")
    assert len({s.name for s in check.STEPS}) == len(check.STEPS)
