"""Streets of a file that anybody may have written."""

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.desk import streets
from lampione.desk.mapping import Origin
from lampione.desk.streets import StreetsError

LINE = {"type": "LineString", "coordinates": [[9.19, 45.45], [9.2, 45.46, 120], [9.21, 45.46]]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "features", "geometry", "coordinates", "geometries"]), inner
        )
    ),
    max_leaves=12,
)
_TYPES = st.sampled_from(
    ["LineString", "MultiLineString", "Polygon", "MultiPolygon", "Feature", "FeatureCollection"]
)
_POSITION = st.tuples(
    st.floats(-180, 180, allow_nan=False), st.floats(-90, 90, allow_nan=False)
).map(list)


def _parse(what: Any) -> list[list[float]]:
    found: list[list[float]] = streets.parse(json.dumps(what).encode()).tolist()
    return found


def test_lines_areas_and_collections_are_segments() -> None:
    square = [[0, 0], [1, 0], [1, 1], [0, 0]]
    document = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": "Viale Bligny"}, "geometry": LINE},
            {"type": "Feature", "geometry": None},
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}},
            {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [square]}},
            {
                "type": "Feature",
                "geometry": {"type": "GeometryCollection", "geometries": [LINE]},
            },
            {"type": "MultiPolygon", "coordinates": [[square], [square]]},
        ],
    }
    found = _parse(document)
    assert len(found) == 2 + 3 + 2 + 6
    assert found[0] == [9.19, 45.45, 9.2, 45.46]
    assert found[2] == [0, 0, 1, 0]


@given(st.lists(st.lists(_POSITION, min_size=2, max_size=6), max_size=5))
def test_what_is_written_is_read(lines: list[list[list[float]]]) -> None:
    found = _parse({"type": "MultiLineString", "coordinates": lines})
    assert found == [a + b for line in lines for a, b in pairwise(line)]
    Origin(45.0, 9.0).segments(np.array(found).reshape(-1, 4))


@given(st.binary(max_size=200) | st.builds(lambda what: json.dumps(what).encode(), JSON))
def test_whatever_comes_is_read_or_refused(text: bytes) -> None:
    with suppress(StreetsError):
        assert streets.parse(text).shape[1] == 4


@given(_TYPES, JSON)
def test_whatever_stands_in_a_geometry_is_read_or_refused(kind: str, inner: Any) -> None:
    text = json.dumps({"type": kind, "coordinates": inner, "features": inner, "geometry": inner})
    with suppress(StreetsError):
        assert streets.parse(text.encode()).shape[1] == 4


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "the document: not an object"),
        ('{"type":"Topology"}', "the document: 'Topology' is no type of GeoJSON"),
        ('{"type":"FeatureCollection"}', "features: not a list"),
        (
            '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":'
            '{"type":"LineString","coordinates":[[9,45],[9,"45"]]}}]}',
            "features[0].geometry[1] coordinates: not [longitude, latitude] in degrees",
        ),
        (
            '{"type":"LineString","coordinates":[[9,45]]}',
            "coordinates: a line has two positions or more",
        ),
        (
            '{"type":"LineString","coordinates":[[9,45],[NaN,45]]}',
            "[1] coordinates: not [longitude, latitude] in degrees",
        ),
        (
            '{"type":"LineString","coordinates":[[9,45],[1' + "0" * 400 + ",45]]}",
            "[1] coordinates: not [longitude, latitude] in degrees",
        ),
        (
            '{"type":"LineString","coordinates":[[514000,5034000],[514001,5034000]]}',
            "[0] coordinates: not [longitude, latitude] in degrees",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(document: str, message: str) -> None:
    with pytest.raises(StreetsError) as caught:
        streets.parse(document.encode())
    assert str(caught.value) == message


def test_nesting_and_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    nested: Any = LINE
    for _ in range(20):
        nested = {"type": "GeometryCollection", "geometries": [nested]}
    with pytest.raises(StreetsError, match="nested too deep"):
        _parse(nested)
    monkeypatch.setattr(streets, "POSITIONS_MAX", 5)
    with pytest.raises(StreetsError, match="more than 5 positions"):
        _parse({"type": "MultiLineString", "coordinates": [LINE["coordinates"]] * 2})
    monkeypatch.setattr(streets, "BYTES_MAX", 10)
    with pytest.raises(StreetsError, match="leave out what is not of the district"):
        _parse(LINE)


def test_a_file_is_read_and_one_that_is_not_there_has_no_streets(tmp_path: Path) -> None:
    file = tmp_path / "streets.geojson"
    assert len(streets.read(file)) == 0
    file.write_text(json.dumps(LINE))
    assert len(streets.read(file)) == 2
    file.write_text("no")
    with pytest.raises(StreetsError, match=r"^streets\.geojson: not JSON$"):
        streets.read(file)
    with pytest.raises(StreetsError, match="cannot be read"):
        streets.read(tmp_path)
