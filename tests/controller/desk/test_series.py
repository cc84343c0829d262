"""Values over time: which answer is of what, gaps, what a column keeps, ticks, plots in braille."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.desk import chart, series
from lampione.desk.series import MEASURES, Series, Window
from lampione.statistics.values import NAMES

from tests.controller.nodes import NOW

DAY = 86400.0


@pytest.fixture(autouse=True, scope="module")
def _in_milan() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as zone:
        zone.setenv("TZ", "Europe/Rome")
        time.tzset()
        yield
    time.tzset()


def test_every_measure_is_rolled_up_and_of_a_message() -> None:
    assert set(MEASURES) <= set(NAMES)
    assert {series.message_of(name) for name in MEASURES} == {"report", "health"}


@pytest.mark.parametrize(
    ("length_s", "op", "by"),
    [
        (3600, "history", None),
        (3 * 3600, "history", None),
        (DAY, "statistics", "5min"),
        (7 * DAY, "statistics", "hour"),
        (300 * DAY, "statistics", "day"),
    ],
)
def test_longer_times_are_asked_for_by_wider_spans(
    length_s: float, op: str, by: str | None
) -> None:
    asked, parameters = series.question("a-1", "laeq", Window(NOW - length_s, NOW))
    assert asked == op
    assert parameters.get("by") == by
    assert (parameters["since"], parameters["until"]) == (NOW - length_s, NOW)


def _history(rows: list[list[Any]]) -> dict[str, Any]:
    fields, units = ["at", "laeq", "valid"], ["s", "dB", ""]
    return {"message": "Report", "fields": fields, "units": units, "rows": rows, "more": False}


def test_unknown_and_not_valid_values_are_gaps() -> None:
    rows: list[list[Any]] = [[60.0 * n, 50.0 + n, ["sound"]] for n in range(10)]
    rows[3][1] = None
    rows[4][2] = ["climate"]
    found = series.read(_history(rows), "laeq")
    assert [at for at, _ in found.points] == [60.0 * n for n in (0, 1, 2, 5, 6, 7, 8, 9)]
    assert [len(piece) for piece in found.pieces()] == [3, 5]
    assert (found.unit, found.each) == ("dB", "every report")
    assert series.read(_history([]), "laeq").pieces() == []


def test_means_stand_in_the_middle_of_their_span_and_counts_are_totals() -> None:
    answer = {
        "by": "hour", "what": "values",
        "fields": ["at", "node", "measure", "mean", "least", "greatest", "total", "unit", "valid"],
        "rows": [
            [3600.0 * n, "a-1", "vehicles_away", 2.5, 0, 9, 40 + n, "", 100] for n in (0, 1, 5)
        ],
    }  # fmt: skip
    found = series.read(answer, "vehicles_away")
    assert found.points == [(1800.0, 40.0), (5400.0, 41.0), (19800.0, 45.0)]
    assert [len(piece) for piece in found.pieces()] == [2, 1]
    assert found.each == "counted in an hour"
    means = series.read(answer, "lamp_power")
    assert [value for _, value in means.points] == [2.5, 2.5, 2.5]


_POINTS = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(-50, 150)), min_size=1, max_size=200
).map(sorted)


@given(_POINTS, st.floats(1, 300))
def test_a_column_keeps_its_extremes_and_ends(
    points: list[tuple[float, float]], column_s: float
) -> None:
    found = series.thinned(points, 0.0, column_s)
    assert found == [point for point in points if point in set(found)] or len(set(points)) < len(
        points
    )
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(int(point[0] // column_s), []).append(point)
    assert len(found) <= 4 * len(columns)
    for column in columns.values():
        values = [value for at, value in found if (at, value) in column]
        assert min(values) == min(value for _, value in column)
        assert max(values) == max(value for _, value in column)
        assert column[0] in found
        assert column[-1] in found


@given(st.integers(60, 3 * 366 * 86400), st.integers(1, 20), st.integers(0, 1_900_000_000))
def test_ticks_are_round_times_within(length_s: int, most: int, since: int) -> None:
    window = Window(since, since + length_s)
    found = series.ticks(window, most)
    assert all(window.since <= at <= window.until for at, _ in found)
    assert len(found) <= most + 1 or length_s > 365 * DAY
    assert [at for at, _ in found] == sorted({at for at, _ in found})


@given(st.floats(0.1, 10), st.floats(-3, 3), st.floats(0, 10))
def test_windows_do_not_reach_beyond_now(factor: float, share: float, ago: float) -> None:
    window = Window(NOW - 7200 - ago, NOW - ago)
    for other in (window.zoomed(factor, NOW), window.moved(share, NOW)):
        assert other.until <= NOW + 1e-3
        assert other.length_s > 0
    assert window.moved(share, NOW).length_s == pytest.approx(7200, rel=1e-6)


@given(_POINTS, st.integers(20, 200), st.integers(4, 50))
def test_a_chart_has_its_size_and_its_gaps(
    points: list[tuple[float, float]], columns: int, rows: int
) -> None:
    lines = chart.lines(Series(points, 60, "dB", ""), Window(0, 1000), columns, rows)
    assert len(lines) == rows
    assert all(len(line) <= columns for line in lines)
    assert any(0x2800 < ord(letter) < 0x2900 for line in lines for letter in line)


def test_a_chart_is_read_from_left_to_right() -> None:
    points = [(float(at), 50 + at / 100) for at in range(0, 400, 10)]
    points += [(float(at), 58.0) for at in range(800, 1001, 10)]
    lines = chart.lines(Series(points, 60, "dB", ""), Window(0, 1000), 60, 12)
    assert lines[0].strip().startswith("58.4 ┤")
    assert lines[9].strip().startswith("49.6 ┤")
    drawn = [line[9:] for line in lines[:10]]
    dots = [n for line in drawn for n, letter in enumerate(line) if letter not in " "]
    assert not any(22 <= n <= 39 for n in dots)  # nothing was told between 400 s and 800 s
    assert {0, 50} <= set(dots)
    assert lines[10].strip().startswith("└")
    assert "01:05" in lines[11]  # of 1 January 1970, in Milan
