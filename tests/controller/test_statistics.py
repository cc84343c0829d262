"""Figures that people ask for, from a real store: frames in, folded, rows out."""

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from lampione import batch, statistics, values
from lampione.statistics import Question, StatisticsError
from lampione.store import Engine, Frame, TelemetryReader
from lampione.store.engine import open_engine
from lampione_protocol import codec, hour, schema

from tests.controller.rollup import plausible

ROME = ZoneInfo("Europe/Rome")
NODES = ("a-1", "b-2", "c-3")
BEGIN = int(datetime(2026, 3, 28, tzinfo=ROME).timestamp())
HOURS = 71  # the 28th, the 29th of 23 hours, the 30th


def encoded(fields: batch.Fields, columns: batch.Columns) -> list[bytes]:
    """Return the messages of columns."""
    rows = []
    for n in range(len(columns.sound)):
        said = []
        for name, kind, *_ in fields:
            value = None if kind == "x" else int(columns[name][n])
            unknown = 0 if kind == "c" else None
            said.append(unknown if value == batch.UNKNOWN else value)
        rows.append(codec.encode(fields, said))
    return rows


@pytest.fixture(scope="module")
def made() -> dict[int, tuple[np.ndarray, np.ndarray, batch.Columns]]:
    """Three days of three nodes, a report every ten minutes; c-3 has no sensors of air."""
    rng = np.random.default_rng(6)
    ids, at, reports = plausible.reports(rng, 3, HOURS * 60, BEGIN)
    kept = at % 600 == 0
    ids, at = ids[kept], at[kept]
    thinned = batch.Columns({name: column[kept] for name, column in reports.items()})
    thinned["duration_s"][:] = 510
    thinned["no2"][ids == 3] = thinned["o3"][ids == 3] = batch.UNKNOWN
    thinned["pm10"][ids == 3] = thinned["pm2_5"][ids == 3] = batch.UNKNOWN
    thinned.sound = reports.sound[kept]
    return {
        schema.REPORT: (ids, at, thinned),
        schema.HEALTH: plausible.health(rng, 3, HOURS * 4, BEGIN),
        schema.HOUR: plausible.hours(rng, 3, HOURS, BEGIN),
    }


def filled(engine: Engine, made: dict[int, Any]) -> TelemetryReader:
    """Return a reader of a store in which the messages are folded."""
    store = engine.writer()
    epochs = {}
    for name in NODES:
        node = store.add_node(name)
        epochs[node.id] = store.epoch_id(node.id, b"abcd", 1)
    store.commit()
    seq = 0
    for kind, (ids, at, columns) in made.items():
        bodies = encoded(values.FIELDS[kind], columns)
        frames = []
        for node_id, when, body in zip(ids.tolist(), at.tolist(), bodies, strict=True):
            frames.append(Frame(epochs[node_id], seq, kind, when + 2.0, when, body))
            seq += 1
        store.frames(frames)
        store.commit()
    folder = engine.folder()
    folder.fold(BEGIN + HOURS * 3600 + 60)
    folder.close()
    store.close()
    return engine.reader()


@pytest.fixture(scope="module")
def reader(
    tmp_path_factory: pytest.TempPathFactory, made: dict[int, Any]
) -> Iterator[TelemetryReader]:
    found = filled(open_engine(tmp_path_factory.mktemp("statistics") / "x.db"), made)
    yield found
    found.close()


def ask(reader: TelemetryReader, **question: Any) -> list[dict[str, Any]]:
    """Return the answer's rows by field."""
    given = {"since": BEGIN, "until": BEGIN + HOURS * 3600, "by": "day", "what": "values"}
    found = statistics.answer(reader, Question(**{**given, **question}))
    assert len(found["fields"]) == len(found["units"])
    assert all(len(row) == len(found["fields"]) for row in found["rows"])
    return [dict(zip(found["fields"], row, strict=True)) for row in found["rows"]]


def of_day(at: np.ndarray, day: int) -> np.ndarray:
    """Say which times are of a day of March 2026 in Rome, one at a time."""
    return np.array([datetime.fromtimestamp(t, ROME).day == day for t in at.tolist()])


def test_values_by_civil_day(reader: TelemetryReader, made: dict[int, Any]) -> None:
    ids, at, columns = made[schema.REPORT]
    rows = ask(reader, measures=("pm10", "temperature", "vehicles_toward"), nodes=("a-1",))
    assert [row["measure"] for row in rows[:3]] == ["pm10", "temperature", "vehicles_toward"]
    assert len(rows) == 9
    for row in rows:
        day = datetime.fromtimestamp(row["at"], ROME)
        assert (day.hour, row["node"]) == (0, "a-1")
        mine = (ids == 1) & of_day(at, day.day)
        steps = columns[row["measure"]][mine]
        scale = {"pm10": 2, "temperature": 10, "vehicles_toward": 1}[row["measure"]]
        assert row["mean"] == pytest.approx(steps.mean() / scale, abs=0.06)
        assert row["greatest"] == steps.max() / scale
        assert row["least"] == steps.min() / scale
        assert row["valid"] == 85.0
        assert row["total"] == (steps.sum() if row["measure"] == "vehicles_toward" else None)
        assert (
            row["unit"]
            == {"pm10": "µg/m³", "temperature": "°C", "vehicles_toward": ""}[row["measure"]]
        )


def test_the_whole_city_by_hour(reader: TelemetryReader, made: dict[int, Any]) -> None:
    ids, at, columns = made[schema.REPORT]
    rows = ask(reader, by="hour", together=True, measures=("pm10", "laeq"), until=BEGIN + 86400)
    assert len(rows) == 48
    assert {row["node"] for row in rows} == {"all together"}
    first = {row["measure"]: row for row in rows if row["at"] == BEGIN}
    mine = at < BEGIN + 3600
    assert first["pm10"]["mean"] == pytest.approx(
        columns["pm10"][mine & (ids < 3)].mean() / 2, abs=0.01
    )
    assert first["pm10"]["valid"] == 85.0  # of the two that measure it
    energy = (10 ** (columns["laeq"][mine] / 100)).mean()
    assert first["laeq"]["mean"] == pytest.approx(10 * math.log10(energy), abs=0.06)


@pytest.mark.parametrize("periods", ["eu", "it"])
def test_noise_day_by_day(reader: TelemetryReader, made: dict[int, Any], periods: Any) -> None:
    ids, at, columns = made[schema.REPORT]
    day_h, evening_h, night_h = {"eu": (7, 19, 23), "it": (6, 20, 22)}[periods]
    rows = ask(reader, what="noise", periods=periods, nodes=("b-2",))
    assert [datetime.fromtimestamp(row["at"], ROME).day for row in rows] == [28, 29, 30]
    for row, hours in zip(rows, (24, 23, 24), strict=True):
        mine = (ids == 2) & of_day(at, datetime.fromtimestamp(row["at"], ROME).day)
        clock = np.array([datetime.fromtimestamp(t, ROME).hour for t in at[mine].tolist()])
        levels = columns["laeq"][mine] / 10
        parts = {
            "lday": (clock >= day_h) & (clock < evening_h),
            "levening": (clock >= evening_h) & (clock < night_h),
            "lnight": (clock < day_h) | (clock >= night_h),
        }
        exact = {n: 10 * math.log10((10 ** (levels[p] / 10)).mean()) for n, p in parts.items()}
        for name, level in exact.items():
            assert row[name] == pytest.approx(level, abs=0.06)
        d, e = evening_h - day_h, night_h - evening_h
        n = hours - d - e
        lden = 10 * math.log10(
            (
                d * 10 ** (exact["lday"] / 10)
                + e * 10 ** (exact["levening"] / 10 + 0.5)
                + n * 10 ** (exact["lnight"] / 10 + 1)
            )
            / hours
        )
        assert row["lden"] == pytest.approx(lden, abs=0.06)
        assert (row["valid"], row["valid_day"], row["valid_night"]) == (85, 85, 85)
        assert row["l10"] > row["l50"] > row["l90"]
    together = ask(reader, what="noise", periods=periods, together=True)
    assert [row["valid"] for row in together] == [85, 85, 85]


def test_noise_beside_the_limits_of_a_class(reader: TelemetryReader) -> None:
    for row in ask(reader, what="noise", periods="it", immission_class="II"):
        assert row["over_night"] == pytest.approx(row["lnight"] - 45, abs=0.11)
        low, high = sorted((row["lday"], row["levening"]))
        assert low - 55.1 <= row["over_day"] <= high - 54.9


def test_levels_exceeded_by_hour(reader: TelemetryReader, made: dict[int, Any]) -> None:
    ids, at, columns = made[schema.HOUR]
    row = ask(reader, what="noise", by="hour", nodes=("a-1",))[5]
    mine = (ids == 1) & (at == row["at"]) & (columns["part"] < hour.FIRST_SPEED_PART)
    bins = np.stack([columns[f"bin_{n}"][mine] for n in range(12)], axis=1).ravel()
    edges = np.repeat(np.arange(24, 24 + 96), bins)
    assert row["l50"] == pytest.approx(np.median(edges) + 0.5, abs=0.6)
    assert row["l10"] == pytest.approx(np.percentile(edges, 90) + 0.5, abs=0.6)


def test_air_by_hour_and_day(reader: TelemetryReader, made: dict[int, Any]) -> None:
    ids, at, columns = made[schema.REPORT]
    rows = ask(reader, what="air", by="hour", until=BEGIN + 86400)
    assert len(rows) == 48  # c-3 has none
    first = next(row for row in rows if row["node"] == "b-2" and row["at"] == BEGIN)
    mine = (ids == 2) & (at < BEGIN + 3600)
    assert first["no2"] == pytest.approx(columns["no2"][mine].mean() * 1.9125, abs=0.06)
    assert first["index"] in ("good", "fair", "moderate", "poor")
    assert first["of"] in ("pm2_5", "pm10", "no2", "o3")
    days = ask(reader, what="air", nodes=("b-2",))
    assert len(days) == 3
    assert days[0]["valid_pm10"] == 100
    assert days[0]["o3_8h"] >= days[0]["o3"]


def test_limits_of_the_year_so_far(reader: TelemetryReader) -> None:
    rows = ask(reader, what="limits", by="year")
    assert {row["node"] for row in rows} == {"a-1", "b-2"}
    assert len(rows) == 16
    assert {row["verdict"] for row in rows} <= {"too few data", "over"}
    year = next(row for row in rows if (row["pollutant"], row["over"]) == ("pm10", "year"))
    assert (year["limit"], year["permitted"]) == (20, 0)
    so_far = (BEGIN + HOURS * 3600 - datetime(2026, 1, 1, tzinfo=ROME).timestamp()) / 3600
    assert year["valid"] == pytest.approx(100 * HOURS / so_far, abs=0.06)


def test_traffic(reader: TelemetryReader, made: dict[int, Any]) -> None:
    ids, _, columns = made[schema.REPORT]
    rows = ask(reader, what="traffic", nodes=("a-1",))
    assert sum(row["toward"] for row in rows) == columns["vehicles_toward"][ids == 1].sum()
    assert all(40 < row["v85"] < 65 and not row["too_few"] for row in rows)
    hours = ask(reader, what="traffic", by="hour", nodes=("a-1",))
    assert all(row["too_few"] == (row["measured"] < 100) for row in hours)
    assert any(row["too_few"] for row in hours)


def test_energy_by_month(reader: TelemetryReader, made: dict[int, Any]) -> None:
    ids, _, columns = made[schema.HEALTH]
    rows = ask(reader, what="energy", by="month")
    assert [row["node"] for row in rows] == list(NODES)
    for n, row in enumerate(rows, 1):
        assert row["energy"] == pytest.approx(np.ptp(columns["energy"][ids == n]) / 100)
        assert row["burn_hours"] == np.ptp(columns["burn_hours"][ids == n])
        assert row["resets"] == 0
    (city,) = ask(reader, what="energy", by="month", together=True)
    assert city["energy"] == pytest.approx(sum(row["energy"] for row in rows))
    assert city["nodes"] == 3
    # Of a day, what the counter had before it counts too.
    second = ask(reader, what="energy", nodes=("a-1",), since=BEGIN + 86400)[0]
    assert second["energy"] == pytest.approx(23 * 0.06, abs=0.011)


def test_nothing_is_known(reader: TelemetryReader) -> None:
    for what in statistics.WHATS:
        assert ask(reader, what=what, by="year", since=1, until=2) == []
        assert ask(reader, what=what, by="year", nodes=("nobody",)) == []


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"what": "weather"}, "there is values, noise"),
        ({"until": BEGIN}, "ends before it begins"),
        ({"since": -1}, "no time of any record"),
        ({"since": 0, "by": "5min"}, "by 5min that is too long a time"),
        ({"measures": ("colour",)}, "'colour' is no measure: ambient_light"),
        ({"what": "limits"}, "ask by year"),
        ({"what": "limits", "by": "year", "together": True}, "each by itself"),
        ({"what": "air", "by": "5min"}, "made of hours"),
        ({"zone": "Europe/Atlantis"}, "not a time zone"),
        ({"zone": "Asia/Kolkata"}, "not whole hours ahead"),
        ({"what": "noise", "periods": "us"}, "periods are eu or it"),
        ({"what": "noise", "immission_class": "IV"}, "Italian periods"),
        ({"what": "noise", "periods": "it", "immission_class": "X"}, "classes are I, II"),
    ],
)
def test_what_cannot_be_answered_is_said(
    reader: TelemetryReader, question: dict[str, Any], says: str
) -> None:
    with pytest.raises(StatisticsError, match=says):
        ask(reader, **question)


def test_too_many_rows(reader: TelemetryReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lampione.statistics.ask.ROWS_MAX", 200)
    with pytest.raises(StatisticsError, match="71 times 3 is more than 200 rows"):
        ask(reader, by="hour")
    assert len(ask(reader, by="hour", together=True, measures=("laeq",))) == HOURS


def test_postgresql_gives_the_same_figures(
    reader: TelemetryReader, made: dict[int, Any], postgres_url: str
) -> None:
    other = filled(open_engine(postgres_url), made)
    for what in statistics.WHATS:
        question = {"what": what, "by": "year" if what == "limits" else "day"}
        assert ask(other, **question) == ask(reader, **question)
    other.close()


def test_pieces_make_the_same_figures(
    reader: TelemetryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A city's year does not fit in memory at once."""
    questions = [
        {"what": what, "by": "month" if what != "limits" else "year", "together": together}
        for what in statistics.WHATS
        for together in (False, True)
        if not (what == "limits" and together)
    ]
    whole = [ask(reader, **question) for question in questions]
    monkeypatch.setattr("lampione.statistics.gather._CELLS", 200)
    assert [ask(reader, **question) for question in questions] == whole


def test_the_state_folder_says_the_zone(tmp_path: Path) -> None:
    from lampione.core.zone import fleet_zone

    assert fleet_zone(tmp_path) == "Europe/Rome"
    (tmp_path / "fleet.toml").write_text('[fleet]\ntime_zone = "Europe/Athens"\n')
    assert fleet_zone(tmp_path) == "Europe/Athens"
