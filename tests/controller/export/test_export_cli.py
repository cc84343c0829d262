"""`lampione export` and `lampione http` as people run them."""

import argparse
import builtins
import csv
import io
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lampione.cli import export_arguments
from lampione.cli.run import run
from lampione.export import whole_file
from lampione.export.dcat import LICENCES

from tests.controller.export.stored import START, engine_of, folded, hour_of_two
from tests.controller.export.test_ngsi import Broker, broker

__all__ = ["broker"]
SPAN = ("--since", "2026-09-21T14:00Z", "--until", "2026-09-22")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("state")
    folded(engine_of(folder, hour_of_two()))
    return folder


Export = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def export(state: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Export:
    def ran(*arguments: object) -> tuple[int, bytes, str]:
        code = run(["export", *map(str, arguments), "--state", str(state)])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return ran


def test_csv_comes_down_a_pipe(export: Export) -> None:
    code, out, err = export(*SPAN, "--fields", "laeq")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
    assert len(rows) == 120
    assert rows[0]["laeq"] == "50"


def test_several_forms_and_a_description(export: Export, tmp_path: Path) -> None:
    code, out, _ = export(
        *SPAN, "--format", "csv,parquet,jsonl,ngsi-ld", "--output", tmp_path / "day", "--json",
        "--publisher", "Comune di Milano", "--publisher-code", "c_f205",
        "--licence", "cc-by-4.0", "--url", "https://dati.example/lampposts", "--language", "it",
    )  # fmt: skip
    assert code == 0
    summary = json.loads(out)
    names = ["day.csv", "day.parquet", "day.jsonl", "day.jsonld", "day.dcat.jsonld"]
    assert [Path(f).name for f in summary["files"]] == names
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*names, "day.csv-metadata.json"])
    assert len(json.loads((tmp_path / "day.jsonld").read_text())) == 362
    found = json.loads((tmp_path / "day.dcat.jsonld").read_text())
    # What DCAT-AP_IT asks for of a data set and of its files.
    assert found["@type"] == ["dcatapit:Dataset", "dcat:Dataset"]
    assert found.keys() >= {
        "dct:identifier", "dct:title", "dct:description", "dct:modified", "dcat:theme",
        "dct:rightsHolder", "dct:accrualPeriodicity", "dcat:distribution", "dct:publisher",
        "dct:temporal", "dct:spatial",
    }  # fmt: skip
    assert found["dct:title"] == {
        "@value": "Lampioni di Milan, Porta Romana / Vettabbia: misure", "@language": "it",
    }  # fmt: skip
    assert "veicoli" in found["dct:description"]["@value"]
    themes = [theme["@id"].rsplit("/")[-1] for theme in found["dcat:theme"]]
    assert themes == ["ENVI", "TRAN"]
    assert found["dct:publisher"]["dct:identifier"] == "c_f205"
    assert found["dct:accrualPeriodicity"]["@id"].endswith("/frequency/DAILY")
    for file in found["dcat:distribution"]:
        path = tmp_path / file["dcat:downloadURL"]["@id"].rsplit("/")[-1]
        assert file["dcat:accessURL"]["@id"].startswith("https://dati.example/lampposts/day.")
        assert file["dcat:byteSize"]["@value"] == str(path.stat().st_size)
        assert file["spdx:checksum"]["spdx:checksumValue"]["@value"] == whole_file.sha256(path)
        assert file["dct:license"]["@id"] == LICENCES["cc-by-4.0"].url
        assert "@id" in file["dct:format"]


def test_the_form_is_told_by_the_name(export: Export, tmp_path: Path) -> None:
    code, out, _ = export(*SPAN, "--output", tmp_path / "a.parquet", "--sites", "Viale Bligny")
    assert (code, out.decode()) == (0, f"60 rows in {tmp_path / 'a.parquet'}\n")
    assert (tmp_path / "a.parquet").read_bytes()[:4] == b"PAR1"


def test_parquet_comes_down_a_pipe(export: Export) -> None:
    code, out, _ = export(*SPAN, "--format", "parquet")
    assert (code, out[:4], out[-4:]) == (0, b"PAR1", b"PAR1")


def test_roll_ups_by_the_hour(export: Export) -> None:
    code, out, err = export(*SPAN, "--by", "hour", "--fields", "laeq", "--format", "jsonl")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["at"] for row in rows] == ["2026-09-21T14:00:00Z"] * 2 + [
        "2026-09-21T15:00:00Z"
    ] * 2
    code, _, err = export(*SPAN, "--by", "day", "--fields", "lamp_reason")
    assert (code, "has no roll-up" in err) == (1, True)


def test_the_summary_does_not_mix_with_the_data(export: Export) -> None:
    code, out, err = export(*SPAN, "--json", "--nodes", "caldara-1")
    assert code == 0
    assert len(out.splitlines()) == 61
    assert json.loads(err)["rows"] == 60


def test_entities_go_to_a_broker(export: Export, broker: Broker, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-token")
    token.chmod(0o600)
    code, out, err = export(
        *SPAN, "--push", broker.url, "--token-file", token, "--latest", "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["entities"] == 8
    assert broker.headers[0]["Authorization"] == "Bearer secret-token"
    broker.answers = [(403, b"not you", {})]
    code, out, err = export(*SPAN, "--push", broker.url, "--token-file", token)
    assert code == 1
    assert "answers 403: not you" in err
    assert "secret-token" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--since", "2026-09-02", "--until", "2026-09-01"], 2, "--since is not before --until"),
        (["--format", "csv,parquet"], 2, "several forms need an --output file"),
        (["--format", "xls"], 2, "'xls' is no form"),
        (["--fields", "laeq,"], 2, "names with commas"),
        (["--fields", "loudness"], 1, "has no field 'loudness'"),
        (["--nodes", "nowhere-9"], 4, "there is no node 'nowhere-9'"),
        (["--sites", "Via Nowhere"], 4, "the fleet has no site"),
        (["--since", "yesterday"], 2, "is no time"),
        (["--publisher", "me", "--output", "x.csv"], 2, "both --publisher and --licence"),
        (["--publisher", "me", "--licence", "mine", "--output", "x.csv"], 1, "is no licence"),
        (["--publisher", "me", "--licence", "cc0-1.0"], 2, "give --output"),
        (["--push", "http://x", "--format", "csv"], 2, "--push takes --format ngsi-ld"),
        (["--push", "tcp://x"], 1, "URL is http://host:port"),
        (["--token-file", "x"], 2, "go with --push"),
        (["--latest"], 2, "--latest goes with"),
        (["health", "--format", "ngsi-ld"], 2, "made of reports"),
        (["--format", "ngsi-ld", "--fields", "laeq"], 2, "fields of its own"),
        (["--output", "/nowhere/at/all.csv"], 1, "there is no such folder"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    export: Export,
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, out, err = export(*arguments)
    assert (found, out) == (code, b"")
    assert says in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_named(export: Export, tmp_path: Path) -> None:
    code, _, err = export(*SPAN, "--output", tmp_path / "none" / "day.csv")
    assert (code, err) == (1, f"lampione: {tmp_path / 'none'}: there is no such folder\n")


def test_without_a_store_it_says_where_to_look(tmp_path: Path, capsys: Any) -> None:
    assert run(["export", "--state", str(tmp_path)]) == 1
    assert "no store is in" in capsys.readouterr().err


def test_without_pyarrow_it_says_what_to_install(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = export(*SPAN, "--format", "csv,parquet", "--output", tmp_path / "day")
    assert code == 1
    assert "pip install 'lampione[parquet]'" in err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_no_half_file(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lampione.export import run as running

    def interrupted(*_: Any) -> None:
        assert len(list(tmp_path.iterdir())) == 1  # beside its place
        raise KeyboardInterrupt

    monkeypatch.setattr(running.Meter, "done", interrupted)
    code, _, _ = export(*SPAN, "--output", tmp_path / "day.csv")
    assert code == 130
    assert not list(tmp_path.iterdir())


def test_nor_does_a_timer_that_waits_no_longer(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lampione.export import run as running

    monkeypatch.setattr(running.Meter, "done", lambda *_: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        export(*SPAN, "--output", tmp_path / "day.csv")
    assert ended.value.code == 143
    assert not list(tmp_path.iterdir())


def test_the_second_of_two_to_one_file_is_refused(export: Export, tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    with whole_file.whole(path) as first:
        first.write(b"the first")
        code, out, err = export(*SPAN, "--output", path)
        assert (code, out, err.count("\n")) == (1, b"", 1)
        assert "another export writes it now: wait for that one, or name another file" in err
    assert path.read_text() == "the first"
    assert export(*SPAN, "--output", path)[0] == 0


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_and_wiped(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lampione.cli.export._DRAW_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert export(*SPAN, "--output", tmp_path / "day.csv")[0] == 0
    drawn = terminal.getvalue().split("\r")
    assert drawn[-1] == "\x1b[K"
    shares = [int(text.split(" %")[0]) for text in drawn if "rows/s" in text]
    assert shares == sorted(shares)
    assert shares[-1] > 50
    assert "120 rows" in drawn[-2]


def test_times_are_ages_or_dates() -> None:
    assert export_arguments.moment("2026-09-21T14:14:00Z") == START
    assert export_arguments.moment("2026-09-21T16:14:00+02:00") == START
    assert export_arguments.moment("2026-09-21T14:14:00") == START
    assert export_arguments.moment("2h") == pytest.approx(
        export_arguments.moment("1h") - 3600, abs=9
    )
    for wrong in ("", "soon", "2026-13-01", "0001-01-01T00:00:00+23:59x", "99999d"):
        with pytest.raises(argparse.ArgumentTypeError):
            export_arguments.moment(wrong)


def test_the_server_runs_as_its_own_process(state: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lampione", "http", "--port", "0", "--json", "--state", str(state)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with urllib.request.urlopen(ready["url"] + "/v1.1/Things", timeout=10) as answer:
            assert len(json.loads(answer.read())["value"]) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
