"""Maps without a screen: dots, projection, clipping, which letter holds whom."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.desk import braille, drawing, node_sheet, quantities
from lampione.desk.mapping import (
    APART_M,
    EARTH_M,
    SCALE_MAX,
    SCALE_MIN,
    District,
    Origin,
    Sight,
    spots,
)
from lampione.desk.quantities import BY_KEY, QUANTITIES, Seen
from lampione_protocol.names import SENSOR_STATES

from tests.controller.nodes import NOW, node
from tests.controller.tui.still import placed

_FLAT = st.floats(-1e4, 1e4, allow_nan=False).map(lambda x: round(x, 3))
_SEGMENT = st.tuples(_FLAT, _FLAT, _FLAT, _FLAT)
_LATITUDE = st.floats(-85, 85, allow_nan=False)
_LONGITUDE = st.floats(-180, 180, allow_nan=False)


def _dots(lines: list[str]) -> set[tuple[int, int]]:
    """Read braille as the Unicode standard draws it: dots 1-3 and 7 left, 4-6 and 8 right."""
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    return {
        (2 * column + x, 4 * row + y)
        for row, line in enumerate(lines)
        for column, letter in enumerate(line)
        for bit, (x, y) in enumerate(places)
        if letter != " " and (ord(letter) - 0x2800) >> bit & 1
    }


@given(st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11))))
def test_letters_hold_the_dots(dots: set[tuple[int, int]]) -> None:
    raster = braille.blank(6, 3)
    for x, y in dots:
        raster[y, x] = True
    lines = braille.letters(raster)
    assert [len(line) for line in lines] == [6, 6, 6]
    assert _dots(lines) == dots


@given(_SEGMENT, st.integers(1, 40), st.integers(1, 40))
def test_what_is_clipped_lies_within_and_on_the_line(
    segment: tuple[float, float, float, float], width: int, height: int
) -> None:
    found = braille.clipped(np.array([segment]), width, height)
    x0, y0, x1, y1 = segment
    length = math.hypot(x1 - x0, y1 - y0)
    for x, y in found.reshape(-1, 2):
        assert 0 <= x <= width
        assert 0 <= y <= height
        off = abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / length if length else 0
        assert off < 1e-6 * max(1.0, length)
    # No point of the segment that is well within is left out.
    for part in np.linspace(0, 1, 33):
        x, y = x0 + (x1 - x0) * part, y0 + (y1 - y0) * part
        if 0 < x < width and 0 < y < height:
            assert len(found) == 1
            ends = found[0].reshape(2, 2)
            assert (ends.min(0) - 1e-6 <= (x, y)).all()
            assert (ends.max(0) + 1e-6 >= (x, y)).all()


@given(st.tuples(*[st.integers(0, 19), st.integers(0, 15)] * 2))
def test_a_line_has_no_gaps_and_keeps_to_its_way(ends: tuple[int, ...]) -> None:
    x0, y0, x1, y1 = ends
    dots = braille.blank(10, 4)
    braille.draw(dots, np.array([ends], np.float64))
    found = {(int(x), int(y)) for y, x in np.argwhere(dots)}
    assert {(x0, y0), (x1, y1)} <= found
    assert len(found) == max(abs(x1 - x0), abs(y1 - y0)) + 1
    for x, y in found:
        # Half a dot along the shorter side.
        off = abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0))
        assert 2 * off <= max(abs(x1 - x0), abs(y1 - y0), 1)
    left = {(x0, y0)}
    reached = set(left)
    while left:
        x, y = left.pop()
        beside = {(x + i, y + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & found - reached
        left |= beside
        reached |= beside
    assert reached == found


@given(st.lists(_SEGMENT, max_size=20))
def test_lines_from_anywhere_are_drawn_or_left_out(
    segments: list[tuple[float, float, float, float]],
) -> None:
    dots = braille.blank(5, 3)
    braille.draw(dots, np.array(segments, np.float64).reshape(-1, 4))
    assert dots.shape == (12, 10)


def _haversine_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    (lat_a, lon_a), (lat_b, lon_b) = (tuple(map(math.radians, one)) for one in (a, b))
    h = math.sin((lat_b - lat_a) / 2) ** 2
    h += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(h))


@given(_LATITUDE, _LONGITUDE, st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_metres_are_those_of_a_sphere(
    latitude: float, longitude: float, north: float, east: float
) -> None:
    there = (latitude + north, (longitude + east + 180) % 360 - 180)
    found = Origin(latitude, longitude).metres(np.array([there[0]]), np.array([there[1]]))[0]
    assert math.hypot(*found) == pytest.approx(
        _haversine_m((latitude, longitude), there), rel=0.02, abs=0.1
    )
    if abs(east) > 1e-9:
        assert math.copysign(1, found[0]) == math.copysign(1, east)


@given(st.lists(st.tuples(_LATITUDE, _LONGITUDE), min_size=1, max_size=30),
       st.integers(1, 200), st.integers(1, 60))  # fmt: skip
def test_everybody_fits_once(positions: list[tuple[float, float]], columns: int, rows: int) -> None:
    # Of a district, not of the world: scales end at 20 km a dot.
    latitude, longitude = positions[0]
    sites = {
        f"n{n:02}": placed("x", latitude + a / 1000, (longitude + b / 1000 + 180) % 360 - 180)
        for n, (a, b) in enumerate(positions)
    }
    district = District(sites, list(sites))
    sight = Sight.of(district.at, columns, rows)
    cells = sight.cells(district.at)
    assert (cells >= 0).all()
    assert (cells < (columns, rows)).all()
    marks = drawing.Marks(BY_KEY["state"], [0] * len(district.names))
    found = spots(district, sight, marks.urgency)
    assert sum(spot.nodes for spot in found) == len(sites)
    assert len({(spot.column, spot.row) for spot in found}) == len(found)


@given(st.floats(0.01, 100), st.floats(-50, 50), st.floats(-50, 50))
def test_a_sight_moves_and_zooms_about_its_middle(
    factor: float, columns: float, rows: float
) -> None:
    sight = Sight(100.0, -50.0, 2.0, 40, 20)
    middle = np.array([[100.0, -50.0]])
    near = sight.zoomed(factor)
    assert SCALE_MIN <= near.scale <= SCALE_MAX
    assert near.dots(middle).tolist() == sight.dots(middle).tolist() == [[40.0, 40.0]]
    moved = sight.moved(columns, rows).dots(middle)[0]
    assert moved == pytest.approx([40 - 2 * columns, 40 - 4 * rows], abs=1e-6)


@given(st.floats(SCALE_MIN, SCALE_MAX), st.integers(4, 60))
def test_a_bar_is_a_round_length(scale: float, letters: int) -> None:
    count, text = Sight(0, 0, scale, 80, 20).bar(letters)
    number, unit = text.split()
    length_m = float(number) * {"m": 1, "km": 1000}[unit]
    assert 1 <= count <= letters
    assert count == pytest.approx(length_m / scale / 2, abs=0.51) or count == 1
    assert f"{length_m:e}"[0] in "125"


def test_neighbours_of_one_site_stand_apart_and_who_has_no_place_is_named() -> None:
    sites = {
        "a-1": placed("A", 45.0, 9.0), "a-2": placed("A", 45.0, 9.0), "a-3": placed("A", 45.0, 9.0),
        "b-1": placed("B", 45.001, 9.0), "c-1": placed("C"),
    }  # fmt: skip
    district = District(sites, ["a-1", "a-2", "a-3", "b-1", "c-1", "stranger"])
    assert district.names == ["a-1", "a-2", "a-3", "b-1"]
    assert district.without == ["c-1", "stranger"]
    assert np.diff(district.at[:3, 0]).tolist() == pytest.approx([APART_M, APART_M])
    assert np.ptp(district.at[:3, 1]) == 0
    assert district.at[:3, 0].mean() == pytest.approx(district.at[3, 0], abs=1e-6)
    assert district.place("a-2") == 1
    assert district.place("c-1") is None


def test_a_district_on_the_date_line_is_small() -> None:
    sites = {"e": placed("E", -16.8, 179.99), "w": placed("W", -16.8, -179.99)}
    assert np.ptp(District(sites, list(sites)).at[:, 0]) == pytest.approx(2129, rel=0.01)


def test_a_map_is_letters_counts_and_names() -> None:
    sites = {
        "a-1": placed("A", 45.0, 9.0), "a-2": placed("A", 45.0, 9.0), "b-1": placed("B", 45.01, 9.0)
    }  # fmt: skip
    rows = {
        "a-1": node("a-1", laeq=52.0), "a-2": node("a-2", laeq=76.0),
        "b-1": node("b-1", laeq=80.0, at=NOW - 999),
    }  # fmt: skip
    district = District(sites, list(rows))
    marks = drawing.judged(district, BY_KEY["laeq"], rows.get, NOW, {})
    sight = Sight.of(district.at, 21, 8)
    lines = drawing.draw(district, sight, marks, [" " * 21] * 8, "b-1")
    text = ["".join(letter for letter, _ in line).rstrip() for line in lines]
    assert [line.strip() for line in text if line] == ["? b-1", "g×2"]  # stale is not known
    tones = {tone for line in lines for letter, tone in line if letter != " "}
    assert tones == {"cursor", "name", "bad"}
    near = Sight.of(district.at[:2], 40, 8)
    both = drawing.draw(district, near, marks, [" " * 40] * 8)
    shown = ["".join(letter for letter, _ in line).rstrip() for line in both]
    assert any("a-1 b" in line and "g a-2" in line for line in shown)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.key)
def test_a_legend_is_read_without_colour(quantity: quantities.Quantity) -> None:
    letters = [band.letter for band in (*quantity.bands, quantities.UNKNOWN)]
    assert len(set(letters)) == len(letters)
    assert all(len(letter) == 1 for letter in letters)
    assert all(band.word or band.range for band in quantity.bands)
    never = Seen(node("n", at=None, state="never"), NOW, None)
    place = quantity.judge(never)
    assert quantity.band(place).word in ("not known", "never", "none")
    assert quantity.told(never) in ("–", "never", "none")


@pytest.mark.parametrize(
    ("key", "report", "letter", "told"),
    [
        ("level", {"lamp_level": 0}, "o", "0 %"),
        ("level", {"lamp_level": 100}, "d", "100 %"),
        ("laeq", {"laeq": 49.9}, "a", "49.9 dB"),
        ("laeq", {"laeq": 75.0}, "g", "75.0 dB"),
        ("laeq", {"laeq": 75.0, "valid": ["radar"]}, "?", "–"),
        ("air", {"pm2_5": 15.0}, "b", "fair (pm2_5 15 µg/m³)"),
        ("air", {"pm2_5": 4.0, "no2": 60}, "e", "very poor (pm2_5 4, no2 115 µg/m³)"),
        ("traffic", {"vehicles_toward": 1, "vehicles_away": 0}, "c", "720 vehicles/h"),
        ("traffic", {"vehicles_toward": 0, "vehicles_away": 0}, "o", "0 vehicles/h"),
        ("power", {"lamp_power": 0.5}, "o", "0.5 W"),
    ],
)
def test_what_letter_a_value_has(key: str, report: dict[str, Any], letter: str, told: str) -> None:
    seen = Seen(node("n", **report), NOW, None)
    quantity = BY_KEY[key]
    assert quantity.band(quantity.judge(seen)).letter == letter
    assert quantity.told(seen) == told


def test_the_worst_alarm_of_a_node_counts_and_one_of_many_is_everybodys() -> None:
    alarms = [
        {"active": True, "severity": "minor", "node": "a", "members": []},
        {"active": True, "severity": "critical", "node": "a", "members": []},
        {"active": False, "severity": "critical", "node": "b", "members": []},
        {"active": True, "severity": "major", "node": None, "members": ["c", "d"]},
    ]
    found = quantities.severities(alarms)
    assert found == {"a": "critical", "c": "major", "d": "major"}
    quantity = BY_KEY["alarms"]
    assert quantity.band(quantity.judge(Seen(node("a"), NOW, found["a"]))).letter == "C"


def test_advice_fits_a_terminal_of_80_columns() -> None:
    assert set(node_sheet.ADVICE) == set(SENSOR_STATES) - {"ok"}
    assert max(map(len, node_sheet.ADVICE.values())) <= 60
