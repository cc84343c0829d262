"""Files: columns in units, quality beside, whole or not there; bounded memory."""

import csv
import gc
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import values
from lampione.export import ExportError, csvw
from lampione.export.rows import MESSAGES, Column, Filled, Rows, Wanted, columns
from lampione.export.run import Meter, places_of, write_tables
from lampione.export.text import CsvWriter, JsonWriter
from lampione.export.whole_file import whole
from lampione.export.words import MEANINGS

from tests.controller.export.stored import (
    NODES,
    START,
    Said,
    body,
    engine_of,
    fill,
    folded,
    hour_of_two,
    reading_of,
    report,
)


def written(
    tmp_path: Path, said: list[Said], message: str = "report", fields: list[str] | None = None,
    forms: tuple[str, ...] = ("csv", "jsonl", "parquet"), nodes: list[str] | None = None,
) -> dict[str, Path]:  # fmt: skip
    reading = reading_of(engine_of(tmp_path, said))
    wanted = Wanted(message, START - 3600, START + 7200, nodes, fields)
    places = places_of(forms, tmp_path / "out")
    meter = Meter(list(reading.names), wanted.since, wanted.until, lambda *_: None)
    write_tables(
        reading.rows(wanted), columns(message, fields), places, {"title": "Lampposts"}, meter
    )
    return {place.form: place.path for place in places if place.path is not None}


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def json_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_row_has_time_place_values_in_units_and_quality(tmp_path: Path) -> None:
    files = written(tmp_path, hour_of_two())
    rows = json_rows(files["jsonl"])
    assert len(rows) == 120
    assert [row["node"] for row in rows] == [NODES[0]] * 60 + [NODES[1]] * 60
    first = rows[0]
    assert first["at"] == "2026-09-21T14:14:00Z"
    assert first["site"] == "Viale Bligny"
    assert (first["latitude"], first["longitude"]) == (45.4498, 9.1915)
    assert first["position_approximate"] is True
    assert (first["pm2_5"], first["temperature"], first["laeq"]) == (8.0, -3.2, 50.0)
    assert (first["lamp_reason"], first["lamp_power"], first["faults"]) == ("program", 47.5, "")
    assert (first["clock"], first["valid_sound"], first["correction_set"]) == ("ntp", True, 3)
    assert rows[-1]["correction_set"] == 4
    assert "start" not in first
    assert "spare" not in first


def test_every_form_says_the_same(tmp_path: Path) -> None:
    said = hour_of_two()
    said.append(("bligny-1", "report", START + 3600, report(START + 3600, pm10=None, valid=[])))
    files = written(tmp_path, said)
    rows = json_rows(files["jsonl"])
    table = pyarrow.parquet.read_table(files["parquet"])
    for mine, other in zip(rows, table.to_pylist(), strict=True):
        assert other.pop("at").strftime("%Y-%m-%dT%H:%M:%SZ") == mine["at"]
        assert other == {k: v for k, v in mine.items() if k != "at"}
    assert rows[60]["pm10"] is None
    assert rows[60]["valid_particulates"] is False
    for mine, cells in zip(rows, csv_rows(files["csv"]), strict=True):
        for name, value in mine.items():
            cell = cells[name]
            if value is None:
                assert cell == ""
            elif isinstance(value, bool):
                assert cell == str(value).lower()
            elif isinstance(value, float | int):
                assert float(cell) == pytest.approx(value)
            else:
                assert cell == value


def test_duckdb_reads_parquet(tmp_path: Path) -> None:
    files = written(tmp_path, hour_of_two())
    relation = duckdb.sql(
        f'SELECT node, count(*), round(avg(laeq), 2), min("at")::VARCHAR FROM '
        f"'{files['parquet']}' "
        "GROUP BY node ORDER BY node"
    )
    assert relation is not None
    found = relation.fetchall()
    assert [row[:3] for row in found] == [("bligny-1", 60, 52.95), ("caldara-1", 60, 53.95)]


def test_units_and_meanings_are_metadata(tmp_path: Path) -> None:
    files = written(tmp_path, hour_of_two())
    parquet = pyarrow.parquet.read_schema(files["parquet"])
    assert parquet.metadata[b"title"] == b"Lampposts"
    assert parquet.field("laeq").metadata[b"unit"] == b"dB"
    assert b"A-weighted" in parquet.field("laeq").metadata[b"description"]
    beside = json.loads((tmp_path / f"out.csv{csvw.SUFFIX}").read_text())
    assert beside["url"] == "out.csv"
    named = {column["name"]: column for column in beside["tableSchema"]["columns"]}
    assert list(named) == list(csv_rows(files["csv"])[0])
    assert named["pm2_5"]["schema:unitText"] == "µg/m³"
    assert named["at"]["datatype"]["base"] == "dateTime"


@pytest.mark.parametrize("message", MESSAGES)
def test_every_column_has_a_meaning(message: str) -> None:
    found = columns(message)
    assert all(column.meaning for column in found)
    name = message.capitalize()
    fields = {f[0] for f in values.FIELDS[values.TYPES[message]]}
    assert MEANINGS[name].keys() <= fields
    assert len({column.name for column in found}) == len(found)


def test_folded_and_fresh_rows_are_one_table(tmp_path: Path) -> None:
    said = hour_of_two()
    (tmp_path / "fresh").mkdir()
    fresh = written(tmp_path / "fresh", said, forms=("jsonl",))["jsonl"].read_text()
    engine = folded(engine_of(tmp_path, said[:80]))
    fill(engine, said[80:], first=81)
    rows = [
        row
        for piece in reading_of(engine).rows(Wanted("report", START, START + 7200))
        for row in _objects(piece)
    ]
    assert rows == [json.loads(line) for line in fresh.splitlines()]


def test_fields_and_nodes_are_chosen(tmp_path: Path) -> None:
    files = written(tmp_path, hour_of_two(), fields=["laeq", "no2"], nodes=["caldara-1"])
    rows = json_rows(files["jsonl"])
    assert len(rows) == 60
    assert list(rows[0]) == [
        "at", "node", "site", "latitude", "longitude", "position_approximate",
        "laeq", "no2", "clock", "valid_no2", "valid_sound", "correction_set",
    ]  # fmt: skip


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(ExportError, match="has no field 'loudness'"):
        columns("report", ["loudness"])


def test_health_and_events_are_given_too(tmp_path: Path) -> None:
    said: list[Said] = [
        ("bligny-1", "health", START, body("health", time=START, clock="ntp", energy=990, tilt=1.5,
                                           state_no2="warming")),
        ("bligny-1", "event", START, body("event", time=START, clock="ntp", code="impact",
                                          severity="warning", argument=1200)),
    ]  # fmt: skip
    (tmp_path / "a").mkdir()
    (row,) = json_rows(written(tmp_path / "a", said, "health")["jsonl"])
    assert (row["energy"], row["tilt"], row["state_no2"]) == (990, 1.5, "warming")
    (tmp_path / "b").mkdir()
    (row,) = json_rows(written(tmp_path / "b", said, "event")["jsonl"])
    assert (row["code"], row["severity"], row["argument"]) == ("impact", "warning", 1200)


def test_a_node_without_a_place_and_without_the_time(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [])
    fill(engine, [("nowhere-1", "report", START, report(START, clock="unset"))], untimed=True)
    reading = reading_of(engine)
    (rows,) = reading.rows(Wanted("report", START, START + 600))
    out = io.BytesIO()
    JsonWriter(out, []).write(rows)
    row = json.loads(out.getvalue())
    assert (row["site"], row["latitude"], row["position_approximate"]) == (None, None, None)
    assert row["clock"] == "unset"
    assert row["at"] == "2026-09-21T14:15:01Z"  # its arrival
    assert row["correction_set"] is None


def test_correction_sets_follow_the_last_health_before(tmp_path: Path) -> None:
    said: list[Said] = []
    for n in range(150):  # over more than one piece
        at = START + 60 * n
        said.append(("bligny-1", "report", at, report(at)))
        if n % 10 == 5:
            said.append(("bligny-1", "health", at, body("health", time=at, correction_set=n // 10)))
    rows = [
        row
        for piece in reading_of(engine_of(tmp_path, said)).rows(
            Wanted("report", START, START + 86400)
        )
        for row in _objects(piece)
    ]
    assert [row["correction_set"] for row in rows] == [
        None if n < 5 else (n - 5) // 10 for n in range(150)
    ]


def test_a_health_behind_the_last_report_is_left_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Said] = [("bligny-1", "report", START, report(START))]
    said.append(("bligny-1", "health", START + 60, body("health", time=START + 60)))
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    list(reading_of(engine_of(tmp_path, said)).rows(Wanted("report", START, START + 86400)))
    gc.collect()
    assert [str(of.exc_value) for of in ignored] == []


def _objects(piece: Rows) -> list[dict[str, Any]]:
    out = io.BytesIO()
    JsonWriter(out, []).write(piece)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole(path) as file:  # noqa: PT012
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["data.csv"]
    with whole(path) as file:
        file.write(b"after")
    assert path.read_text() == "after"


def test_two_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with whole(path) as file:
        file.write(b"the first")
        with (
            pytest.raises(ExportError, match=r"data\.csv: another export writes it now"),
            whole(path),
        ):
            pass
        with whole(tmp_path / "other.csv") as other:
            other.write(b"x")
    assert path.read_text() == "the first"
    with whole(path) as file:
        file.write(b"then")
    assert path.read_text() == "then"


def test_what_a_kill_left_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    script = (
        "import sys; from pathlib import Path; from lampione.export.whole_file import whole\n"
        "with whole(Path(sys.argv[1])) as f: f.write(b'x' * 99999); print(flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(ExportError), whole(path):
            pass
        child.kill()
    assert [p.name for p in tmp_path.iterdir()] == [".data.csv.part"]
    with whole(path) as file:
        file.write(b"after")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("data.csv", "after")]


_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


@given(
    st.lists(
        st.tuples(
            _TEXT,
            st.one_of(st.none(), st.integers(-(10**9), 10**9)),
            st.one_of(st.none(), st.floats(-1e6, 1e6)),
            st.one_of(st.none(), st.booleans()),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_stands_in_a_row_is_read_back(rows: list[tuple[Any, ...]]) -> None:
    heads = [
        Column("word", "text", "", ""),
        Column("count", "whole", "", ""),
        Column("level", "real", "dB", ""),
        Column("good", "truth", "", ""),
    ]
    words = sorted({row[0] for row in rows})
    every = np.ones(len(rows), np.bool_)

    def number(n: int, kind: Any) -> Filled:
        known = np.array([row[n] is not None for row in rows], np.bool_)
        return Filled(heads[n], np.array([row[n] or 0 for row in rows], kind), known)

    piece = Rows(
        len(rows),
        [
            Filled(heads[0], np.array([words.index(row[0]) for row in rows]), every, words),
            number(1, np.int64),
            number(2, np.float64),
            number(3, np.bool_),
        ],
        0,
        0,
    )
    out = io.BytesIO()
    JsonWriter(out, heads).write(piece)
    for line, row in zip(out.getvalue().decode().split("\n")[:-1], rows, strict=True):
        found = json.loads(line)
        assert (found["word"], found["count"], found["good"]) == (row[0], row[1], row[3])
        assert found["level"] == (None if row[2] is None else pytest.approx(row[2], abs=1e-6))
    out = io.BytesIO()
    writer = CsvWriter(out, heads)
    writer.write(piece)
    read = list(csv.reader(io.StringIO(out.getvalue().decode(), newline="")))
    assert read[0] == ["word", "count", "level", "good"]
    assert [line[0] for line in read[1:]] == [row[0] for row in rows]
    assert [line[1] for line in read[1:]] == ["" if row[1] is None else str(row[1]) for row in rows]
