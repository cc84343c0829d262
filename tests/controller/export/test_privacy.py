"""Fewer than three vehicles: no speed, in no form. Of sound only levels. No step finer than stored.

The wire keeps speeds back already; here stand reports that do not, as an old or a foreign node's.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from lampione.export.metrics import Scrape
from lampione.export.ngsi import Entities
from lampione.export.rows import MESSAGES, Reading, Wanted, columns
from lampione.export.run import Meter, Place, write_tables
from lampione.export.text import JsonWriter
from lampione.export.things.service import Things

from tests.controller.export.stored import (
    START,
    Said,
    body,
    catalogue_of,
    engine_of,
    reading_of,
    report,
)

FEW = [(2, 0), (1, 1), (0, 0), (None, 3), (3, None)]
ENOUGH = [(2, 1), (0, 3), (50, 60)]
NODE = "bligny-1"


_made: dict[tuple[int | None, int | None], Reading] = {}


def stored(tmp_path: Path, toward: int | None, away: int | None) -> Reading:
    """Return what reads a store of these counts; one store for all forms."""
    if (toward, away) not in _made:
        _made[toward, away] = _stored(tmp_path, toward, away)
    return _made[toward, away]


def _stored(tmp_path: Path, toward: int | None, away: int | None) -> Reading:
    counts: dict[str, Any] = {"vehicles_toward": toward, "vehicles_away": away}
    hour: dict[str, Any] = {"start": START, "part": 8, "v85": 51, "occupancy": 9, "clock": "ntp"}
    said: list[Said] = [
        (NODE, "report", START, report(START, speed_mean=41, speed_max=59, **counts)),
        (NODE, "hour", START, body("hour", **hour, **counts, bin_3=1, bin_4=1)),
    ]
    return reading_of(engine_of(tmp_path, said))


def _table(reading: Reading, path: Path, form: str, fields: list[str] | None) -> list[str]:
    wanted = Wanted("report", START, START + 60, None, fields)
    meter = Meter([1], START, START + 60, lambda *_: None)
    place = Place(form, path / f"table.{form}")
    assert place.path is not None
    write_tables(reading.rows(wanted), columns("report", fields), [place], {}, meter)
    if form == "parquet":
        return [str(row) for row in pyarrow.parquet.read_table(place.path).to_pylist()]
    return place.path.read_text().splitlines()


def csv_text(reading: Reading, path: Path) -> str:
    return _table(reading, path, "csv", None)[1]


def csv_of_speeds_alone(reading: Reading, path: Path) -> str:
    return _table(reading, path, "csv", ["speed_mean", "speed_max"])[1]


def json_text(reading: Reading, path: Path) -> str:
    return _table(reading, path, "jsonl", None)[0]


def parquet_text(reading: Reading, path: Path) -> str:
    return _table(reading, path, "parquet", None)[0]


def ngsi_text(reading: Reading, path: Path) -> str:
    reader = reading.reader()
    found = list(Entities(reading, latest=False).of(reader, Wanted("report", START, START + 60)))
    reader.close()
    return json.dumps([entity for entity, _, _ in found])


def things_text(reading: Reading, path: Path) -> str:
    reader = reading.reader()
    found = Things(reading, catalogue_of(reading), reader, "http://x").answer(
        "/Observations", "$top=1000"
    )
    speeds = [o for o in found["value"] if ":speed_" in o["@iot.id"]]
    reader.close()
    return json.dumps([o["result"] for o in speeds])


def metrics_text(reading: Reading, path: Path) -> str:
    reader = reading.reader()
    text = "".join(Scrape(reading, reader, None, 900, START + 61).lines())
    reader.close()
    return "\n".join(line for line in text.split("\n") if "speed" in line)


FORMS: dict[str, tuple[Callable[[Reading, Path], str], tuple[str, ...]]] = {
    # form: (how it is made, what gives the speeds away)
    "csv": (csv_text, (",41,", ",59,")),
    "csv of the speeds alone": (csv_of_speeds_alone, (",41,", ",59,")),
    "jsonl": (json_text, ('"speed_mean": 41', '"speed_max": 59')),
    "parquet": (parquet_text, ("'speed_mean': 41", "'speed_max': 59")),
    "ngsi-ld": (ngsi_text, ('"averageVehicleSpeed"',)),
    "things": (things_text, ("41", "59")),
    "metrics": (metrics_text, ("speed_mean", "speed_max")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("toward", "away"), FEW)
def test_no_form_tells_the_speed_of_few(
    tmp_path: Path, form: str, toward: int | None, away: int | None
) -> None:
    make, signs = FORMS[form]
    text = make(stored(tmp_path, toward, away), tmp_path)
    assert not any(sign in text for sign in signs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("toward", "away"), ENOUGH)
def test_every_form_tells_that_of_enough(tmp_path: Path, form: str, toward: int, away: int) -> None:
    make, signs = FORMS[form]
    text = make(stored(tmp_path, toward, away), tmp_path)
    assert all(sign in text for sign in signs)


def test_a_fleet_may_ask_for_more_vehicles(tmp_path: Path) -> None:
    reading = _stored(tmp_path, 2, 1)
    reading.places.least_vehicles = 4
    assert '"speed_mean": null' in json_text(reading, tmp_path)


@pytest.mark.parametrize(("toward", "away"), [*FEW, *ENOUGH])
def test_an_hours_speeds_are_kept_back_too(
    tmp_path: Path, toward: int | None, away: int | None
) -> None:
    reading = stored(tmp_path, toward, away)
    (piece,) = reading.rows(Wanted("hour", START, START + 60))
    out = io.BytesIO()
    JsonWriter(out, []).write(piece)
    row = json.loads(out.getvalue())
    told = (toward, away) in ENOUGH
    assert row["v85"] == (51 if told else None)
    assert row["occupancy"] == (9 if told else None)
    assert row["bin_3"] == (1 if told else None)


def test_of_sound_only_levels_are_given() -> None:
    sound = {
        column.name: column.unit
        for message in MESSAGES
        for column in columns(message)
        if "sound" in column.meaning and column.name.startswith(("l", "sound"))
    }
    assert sound.pop("sound_valid") == "%"
    assert set(sound.values()) == {"dB"}
    assert all(column.kind != "text" or column.unit == "" for column in columns("report"))


def test_no_step_is_finer_than_what_is_stored(tmp_path: Path) -> None:
    reading = stored(tmp_path, 5, 5)
    (piece,) = reading.rows(Wanted("report", START, START + 60))
    assert piece.size == 1
    assert sum(1 for _ in json.loads(ngsi_text(reading, tmp_path))) == 4
