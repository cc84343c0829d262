"""`lampione program check` and `show`: what they print, of which node, and how they end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lampione import seeds
from lampione.cli import program_map
from lampione.cli.errors import FAILED, OK, UNKNOWN_NODE, USAGE
from lampione.cli.run import run
from lampione.program import simulate
from lampione_light import civil
from lampione_light.program import CLOCK, SUNSET

from tests.controller.programs import EVENING, MILAN, NODE, TROMSO, config

STREET = """
[programs.evening]
rules = [{ plan = "weekend", weekdays = ["fri", "sat"] }]
[programs.evening.plans]
default = [
  { at = "sunset", percent = 100 },
  { at = "23:00", percent = 50, ramp_s = 600 },
  { at = "03:00", percent = 30 },
]
weekend = [{ at = "sunset", percent = 100 }, { at = "02:30", percent = 50 }]

[programs.wrong]
night = { source = "sun", on_min = 300, off_min = -300 }

[profiles.plain]
hardware = "esp32"
sensors = []
parts = { lamp = { pin = 4 } }
lamp = { rated_w = 60, min_percent = 10, start_delay_s = 60 }
program = "evening"

[profiles.counting]
hardware = "esp32"
sensors = ["radar"]
parts = { lamp = { pin = 4 }, radar = { uart = 1, tx = 16, rx = 17 } }
program = "evening"

[[sites]]
id = "south"
name = "Via Bari"
latitude = 41.1
longitude = 16.9

[[sites]]
id = "north"
name = "Viale Bolzano"
latitude = 46.5
longitude = 11.3

[[nodes]]
id = "bari-1"
site = "south"
profile = "plain"

[[nodes]]
id = "bolzano-1"
site = "north"
profile = "plain"

[[nodes]]
id = "bolzano-2"
site = "north"
profile = "counting"
"""


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAMPIONE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "fleet.toml"
    path.write_text('[fleet]\nname = "Two streets"\nshard = "two"\n' + STREET)
    return path


def told(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = OK, stderr: str = ""
) -> str:
    assert run(["program", *map(str, arguments)]) == code
    found = capsys.readouterr()
    assert stderr in found.err
    assert bool(found.err) == bool(stderr)
    return found.out


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_check_says_place_what_nights_and_what_to_do(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, "check", "evening", "--fleet", fleet, "--year", "2026")
    assert text.startswith("program evening, 2026: Viale Bolzano (plain), Viale Bolzano (counting)")
    assert text[text.rindex("note  ") :].splitlines() == [
        "note     plan weekend step 1: 02:30, 50 %",
        "           02:30 is there twice when summer time ends: it comes at the first",
        "           night of 24 Oct",
        "           to do: keep out of the hour between 02:00 and 03:00, where it matters",
        "",
        "0 errors, 0 warnings, 2 notes",
    ]
    assert max(map(len, text.splitlines())) <= 80


def test_errors_make_the_exit_code(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "check", "--fleet", fleet, "--year", "2026", code=FAILED)
    assert "its minutes leave nothing of the night" in text
    assert "program wrong, 2026: Via Bari (plain), as if there; no node uses it" in text
    assert "1 error, " in text
    found = objects(told(capsys, "check", "--fleet", fleet, "--json", code=FAILED))
    error = next(f for f in found if f["severity"] == "error")
    assert error["program"] == "wrong"
    assert error["kind"] == "no-light"
    assert all(len(night) == 10 for night in error["nights"])


def test_the_shipped_programs_have_no_errors_and_no_warnings(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = objects(told(capsys, "check", "--fleet", seeds.shipped(), "--year", "2026", "--json"))
    assert {f["severity"] for f in found} <= {"note"}


def test_what_only_one_profile_has(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.write_text(
        fleet.read_text().replace(
            "[programs.evening.plans]",
            "traffic = { service_vph = 500, below_half_percent = 75, below_quarter_percent = 50 }\n"
            "[programs.evening.plans]",
        )
    )
    text = told(capsys, "check", "evening", "--fleet", fleet)
    assert "traffic (profile plain)" in text
    found = objects(told(capsys, "check", "evening", "--fleet", fleet, "--json"))
    assert {(f["kind"], f["profile"]) for f in found} >= {("no-radar", "plain")}
    assert ("clock-change", None) in {(f["kind"], f["profile"]) for f in found}
    # With a radar the year ends with what an empty street would take.
    shown = told(capsys, "show", "--node", "bolzano-2", "--fleet", fleet)
    assert "with next to no traffic at any time: " in shown
    last = objects(told(capsys, "show", "--node", "bolzano-2", "--fleet", fleet, "--json"))[-1]
    assert last["kind"] == "year without traffic"
    assert last["kwh"] is None


def test_show_draws_every_night_within_the_terminal(
    fleet: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (80, 120, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        text = told(capsys, "show", "--fleet", fleet, "--year", "2026", "--rows", "night")
        lines = text.splitlines()
        assert max(map(len, lines)) <= width
        nights = [line for line in lines if line[:2].strip().isdigit() and line[2:6] == "    "]
        assert len(nights) == 365
        assert [line[:13] for line in nights if "+1 h" in line] == ["28    ·····S·"]
        assert "\x1b" not in text
    assert lines[-1].startswith("2026: lit ")
    assert "kWh; full-on " in lines[-1]
    assert [line.split()[0] for line in lines[-15:-2]] == [*program_map.MONTHS, "2026"]


def test_show_by_week_says_which_nights_a_row_stands_for(
    fleet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, "show", "--fleet", fleet, "--year", "2026")
    assert "program evening, node bari-1, Via Bari, 2026" in text
    assert "plans: default 261 nights, weekend 104 nights" in text
    letters = [line[6:13] for line in text.splitlines() if line[:2].strip().isdigit()]
    letters = [found for found in letters if set(found) <= set("MTWFS·")]
    assert sum(len(found.replace("·", "")) for found in letters) == 365


def test_json_of_a_year(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(told(capsys, "show", "--fleet", fleet, "--year", "2028", "--json"))
    nights = [f for f in found if f["kind"] == "night"]
    months = [f for f in found if f["kind"] == "month"]
    (year,) = [f for f in found if f["kind"] == "year"]
    assert (len(nights), len(months), year["nights"]) == (366, 12, 366)
    assert nights[0]["night"] == "2028-01-01"
    assert nights[0]["on"] < nights[0]["off"]
    assert nights[0]["levels"][0] == [nights[0]["on"], 100]
    assert {n["clock_change_h"] for n in nights} == {-1, 0, 1}
    assert year["kwh"] == pytest.approx(sum(m["kwh"] for m in months), abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("check", "none-such"), USAGE, "no program 'none-such' (there are: evening, wrong)"),
        (("show", "--site", "Via Roma"), USAGE, "no site 'Via Roma'"),
        (("show", "--node", "x"), UNKNOWN_NODE, "no node 'x'"),
        (("show", "--year", "1999"), USAGE, "'1999' is not a year"),
    ],
)
def test_mistakes_end_with_a_line(
    fleet: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    assert told(capsys, *arguments, "--fleet", fleet, code=code, stderr=message) == ""


def test_sites_by_name_and_id(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("north", "viale bolzano"):
        text = told(capsys, "show", "--site", name, "--fleet", fleet)
        assert "node bolzano-1, Viale Bolzano" in text


def test_a_fleet_without_programs(fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = fleet.read_text()
    begin, end = text.index("[programs.evening]"), text.index("[profiles.plain]")
    fleet.write_text((text[:begin] + text[end:]).replace('program = "evening"', ""))
    assert "no program" in told(capsys, "check", "--fleet", fleet)
    assert "program none" in told(capsys, "show", "--fleet", fleet)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_plain_output_of_a_real_process(fleet: Path, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lampione", "program", "show", "--fleet", str(fleet)],
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "COLUMNS": "80"},
    )
    text = done.stdout.decode(encoding)
    assert ("8888888" in text) == (encoding == "ascii")
    assert ("███████" in text) == (encoding == "utf-8")
    assert done.stderr == b""


def row_of(year: simulate.Year, count: int, day: int) -> program_map.Row:
    month = civil.date_of(day)[1]
    drawn = dict(program_map.rows(year, count, each=True, ascii_only=True))
    row: program_map.Row = drawn[month][civil.date_of(day)[2] - 1]
    return row


def text_of(row: program_map.Row) -> str:
    return "".join(cells.text for cells in row.cells)


def test_cells_lie_on_the_wall_clock() -> None:
    blob = config(MILAN, {0: [(SUNSET, 0, 100, 0), (CLOCK, 0, 50, 0), (CLOCK, 240, 25, 0)]})
    year = simulate.year(blob, NODE, 2026)
    for day in (civil.day_of(2026, 1, 10), civil.day_of(2026, 6, 10)):
        text = text_of(row_of(year, 2, day))
        assert len(text) == 48
        assert text[23:25] == "84"  # midnight
        assert text[31:33] == "42"  # four o'clock
    spring = row_of(year, 2, civil.day_of(2026, 3, 28))
    assert text_of(spring)[23:33] == "84444--442"
    assert spring.after.endswith("+1 h")
    autumn = row_of(year, 2, civil.day_of(2026, 10, 24))
    assert text_of(autumn)[23:33] == "8444444442"
    assert autumn.after.endswith("-1 h")


def test_shades() -> None:
    assert [program_map.shade(x) for x in (0, 1, 1250, 1251, 8750, 8751, 10000)] == [
        0, 1, 1, 2, 7, 8, 8,
    ]  # fmt: skip
    assert [program_map.per_hour(n) for n in (40, 79, 80, 128, 200, 400)] == [1, 2, 2, 4, 6, 6]


def test_a_polar_year_is_drawn() -> None:
    year = simulate.year(config(TROMSO, {0: EVENING}), NODE, 2026)
    assert text_of(row_of(year, 2, civil.day_of(2026, 6, 21))).strip() == ""
    assert " " not in text_of(row_of(year, 2, civil.day_of(2026, 12, 21)))
