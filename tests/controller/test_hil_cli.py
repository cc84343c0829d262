"""`lampione hil`: what its commands print, and their exit codes."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione.cli import hil, run
from lampione.room.deeds import Tell
from lampione_hil.testing.signing import BenchKey

from tests.hil.records import measured, ran, record

SUITE = '''
import pytest

@pytest.mark.smoke
def test_short(board, measure):
    """A board is there."""
    measure("seven", 7, low=6.5, high=7.5, unit="V")

@pytest.mark.needs("a tame lion")
def test_lion(board): ...
'''


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a small suite."""
    monkeypatch.setenv("LAMPIONE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_it.py").write_text(SUITE)
    (tmp_path / "rig.toml").write_text(
        'name = "small"\n[[boards]]\nname = "one"\nkind = "virtual"\n'
    )
    return tmp_path


def lampione(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run.run(["hil", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_is_told_to_the_audit_once(
    bench: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def telling(options: Any) -> Iterator[Tell]:
        def tell(action: str, node: str | None = None, **detail: Any) -> None:
            told.append({"action": action, "node": node, **detail})

        yield tell

    monkeypatch.setattr(hil, "telling", telling)
    for more in ((), ("--no-audit",)):
        lampione(capsys, "run", "suite", "--rig", "rig.toml", "-k", "lion", "--out", "r", *more)
    assert [(t["action"], t["rig"], t["tests"], t["report"]) for t in told] == [
        ("bench run", "small", 1, "r")
    ]
    assert told[0]["result"] in ("pass", "inconclusive")


def test_from_a_fresh_bench_to_a_verdict(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = ("--rig", "rig.toml")
    code, out, _ = lampione(capsys, "list", "suite", *rig)
    assert code == 0
    assert out.splitlines() == [
        "test_it.py",
        "  test_short  [smoke]",
        "  test_lion  [a tame lion]  – skipped: no board of rig small has: a tame lion",
        "2 tests; rig small can run 1",
    ]
    code, out, _ = lampione(capsys, "run", "suite", *rig, "--out", "first")
    assert code == 5
    lines = out.splitlines()
    assert lines[0] == "rig small: one"
    assert re.fullmatch(r"firmware [0-9a-f]{16}, revision [0-9a-f]{12}\+?", lines[1])
    assert re.fullmatch(r"pass +[0-9.]+ s  one          test_it.py::test_short", lines[2])
    assert "release verdict: inconclusive" in lines
    assert "  nobody signs: this bench has no key; run `lampione hil doctor`" in lines
    assert lines[-1] == "report: first/report.html"

    code, out, _ = lampione(capsys, "doctor", *rig, "--json")
    assert code == 0
    *checks, end = rows(out)
    assert [(c["name"], c["ok"]) for c in checks] == [
        ("power cuts", True),
        ("reset resets", True),
        ("clock passes", True),
        ("flash tears", True),
    ]
    assert end["sound"]

    code, out, _ = lampione(capsys, "run", "suite", *rig, "--out", "second", "--json")
    assert code == 0
    *tests, verdict = rows(out)
    assert [test["outcome"] for test in tests] == ["pass", "skip"]
    assert verdict["verdict"] == "pass"
    assert verdict["signed_by"] == end["key"]
    assert (bench / "second" / "report.html").exists()

    code, out, _ = lampione(capsys, "verify", "second")
    assert code == 0
    assert out.startswith("as it was signed on ")
    assert end["key"] in out
    assert "is that the bench that you know?" not in out, "it is this one"
    code, out, _ = lampione(capsys, "compare", "first", "second")
    assert code == 1, "another verdict"
    assert "verdict   inconclusive → pass" in out


def kept(folder: Path, made: dict[str, Any], key: BenchKey) -> Path:
    folder.mkdir()
    about = {"verdict": "pass", "reasons": [], "remarks": []}
    (folder / "record.json").write_text(json.dumps(key.sign({**made, "verdict": about})))
    return folder


def test_compare_says_what_moved(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = BenchKey.make(bench / "elsewhere")

    def run_of(*values: float) -> dict[str, Any]:
        each = [[measured("lamp", value, 9, 11)] for value in values]
        return ran("test_lamp", *("pass" for _ in values), measurements=each)

    a = kept(bench / "a", record(run_of(10.0, 10.01, 9.99)), key)
    kept(bench / "b", record(run_of(10.5, 10.51, 10.49), ran("test_new", "pass")), key)
    assert lampione(capsys, "compare", "a", "a")[:2] == (
        0,
        "verdict   pass\nfirmware  ffffffffffffffff\nrevision  0123456789ab\nrig       bench-1\n\n"
        "nothing moved\n",
    )
    code, out, _ = lampione(capsys, "compare", "a", "b")
    assert code == 1
    assert "test_lamp: lamp 10 → 10.5 V (noise 0.07; limits 9 to 11)" in out
    assert "tests that came:\n  test_it.py::test_new" in out
    code, out, _ = lampione(capsys, "compare", "a", "b", "--json")
    assert (code, rows(out)[0]["same"], len(rows(out)[0]["moved"])) == (1, False, 1)

    code, out, _ = lampione(capsys, "verify", "a", "--key", key.fingerprint)
    assert (code, "is that the bench" in out) == (0, False)
    assert "\nfirmware ffffffffffffffff, revision 0123456789ab, on rig bench-1\n" in out
    code, out, _ = lampione(capsys, "verify", "a")
    assert (code, "is that the bench that you know?" in out) == (0, True)
    code, _, said = lampione(capsys, "verify", "a", "--key", "0000 0000")
    assert (code, "and not by 0000 0000" in said) == (1, True)
    text = (a / "record.json").read_text()
    (a / "record.json").write_text(text.replace("10.01", "10.02"))
    code, _, said = lampione(capsys, "verify", "a")
    assert (code, said) == (
        1,
        "lampione: a: it was changed after it was signed: it proves nothing\n",
    )

    wrong = f'"value": 1{"0" * 400}'
    (a / "record.json").write_text(text.replace('"value": 10.0,', f"{wrong},"))
    for arguments in (["compare", "a", "b"], ["verify", "a"]):
        code, _, said = lampione(capsys, *arguments)
        assert "record.json is no record: tests.0.runs.0.measurements.0.value: input" in said
        assert said.count("\n") == 1
    steering = {**record(run_of(10.0)), "made": "\x1b[2J\x1b[31mx"}
    code, out, _ = lampione(capsys, "verify", str(kept(bench / "c", steering, key)))
    assert code == 0
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--rig", "none.toml"], "none.toml: No such file or directory: name a rig file"),
        (["run", "nowhere"], "nowhere: no such suite"),
        (["run", "suite", "-k", "and and"], "-k 'and and': at column 1: expected not"),
        (["run", "suite", "--firmware", "."], "has no main.py"),
        (["run", "--count", "0"], "'0' is not a number from 1 to 1000"),
        (["run", "broken"], "test_it.py: E"),
        (["verify", "none"], "none: No such file or directory"),
        (["compare", "rig.toml", "rig.toml"], "rig.toml is no record"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_mistakes_in_one_line(
    bench: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (bench / "broken").mkdir()
    (bench / "broken" / "test_it.py").write_text("import lampione_nothing\n")
    code, _, told = lampione(capsys, *arguments)
    assert code in (1, 2)
    assert said in told or "No module named 'lampione_nothing'" in told
    assert told.count("\n") == 1
    assert code == (1 if arguments[:1] == ["verify"] else 2)
    assert not (bench / "state").exists() or not list((bench / "state").iterdir())


def test_a_key_that_others_can_read_is_not_used(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    BenchKey.make(bench / "state" / "bench")
    (bench / "state" / "bench" / "bench.key").chmod(0o644)
    code, _, said = lampione(capsys, "run", "suite", "--rig", "rig.toml")
    assert code == 1
    assert "can be read by others: chmod 600" in said


def test_what_a_killed_run_has_left_on_is_switched_off(
    bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench / "suite" / "test_it.py").write_text(
        "import os, signal\ndef test_it():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (bench / "real.toml").write_text(
        'name = "real"\n[[boards]]\nname = "one"\nport = "/dev/null"\n'
        f'power = {{ kind = "command", on = "touch {bench}/on", off = "touch {bench}/off" }}\n'
    )
    code, out, _ = lampione(capsys, "run", "suite", "--rig", "real.toml", "--out", "out")
    assert code == 5
    assert "  the run did not come to its end: it was killed; 1 of its tests did not run\n" in out
    assert (bench / "off").exists()
    assert not (bench / "on").exists()
