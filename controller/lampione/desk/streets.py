"""Streets of a GeoJSON file (RFC 7946): lines and edges of areas, as segments in degrees.

The file comes from elsewhere: whatever it says is checked and bounded.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lampione.desk.braille import Floats

BYTES_MAX = 32 << 20
POSITIONS_MAX = 1_000_000
_NESTED_MAX = 16  # of GeometryCollections
_LINES = {"LineString": 0, "MultiLineString": 1, "Polygon": 1, "MultiPolygon": 2}
_NO_LINES = frozenset(("Point", "MultiPoint"))

NONE: Floats = np.empty((0, 4))


class StreetsError(ValueError):
    """The streets cannot be drawn; the text names the file and the place in it."""


def read(path: Path) -> Floats:
    """Return the segments of a file, see `parse`; none where there is no file.

    Raises StreetsError.
    """
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return NONE
    except OSError as error:
        raise StreetsError(f"{path.name}: cannot be read: {error.strerror}") from None
    try:
        return parse(text)
    except StreetsError as error:
        raise StreetsError(f"{path.name}: {error}") from None


def parse(text: bytes) -> Floats:
    """Return segments (longitude, latitude, longitude, latitude), degrees. Raises StreetsError."""
    if len(text) > BYTES_MAX:
        raise StreetsError(f"more than {BYTES_MAX >> 20} MB: leave out what is not of the district")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise StreetsError("not JSON") from None
    reader = _Reader()
    reader.take(document, "", 0)
    return np.concatenate(reader.found) if reader.found else NONE


class _Reader:
    def __init__(self) -> None:
        self.found: list[Floats] = []
        self._positions = 0

    def take(self, what: Any, place: str, depth: int) -> None:
        """Take a FeatureCollection, a Feature or a geometry."""
        if not isinstance(what, dict):
            raise StreetsError(f"{place or 'the document'}: not an object")
        if depth > _NESTED_MAX:
            raise StreetsError(f"{place}: nested too deep")
        kind = what.get("type")
        if kind == "FeatureCollection":
            for n, one in enumerate(_list(what, "features", place)):
                self.take(one, f"{place}features[{n}]", depth + 1)
        elif kind == "Feature":
            if what.get("geometry") is not None:
                self.take(what["geometry"], _under(place, "geometry"), depth + 1)
        elif kind == "GeometryCollection":
            for n, one in enumerate(_list(what, "geometries", place)):
                self.take(one, _under(place, f"geometries[{n}]"), depth + 1)
        elif isinstance(kind, str) and kind in _LINES:
            for line, where in _lines(what.get("coordinates"), _LINES[kind], place):
                self._line(line, where)
        elif not isinstance(kind, str) or kind not in _NO_LINES:
            raise StreetsError(f"{place or 'the document'}: {kind!r} is no type of GeoJSON")

    def _line(self, line: list[Any], place: str) -> None:
        self._positions += len(line)
        if self._positions > POSITIONS_MAX:
            raise StreetsError(f"more than {POSITIONS_MAX} positions")
        if len(line) < 2:
            raise StreetsError(f"{_said(place)}: a line has two positions or more")
        points = np.array([_position(one, f"{place}[{n}]") for n, one in enumerate(line)])
        self.found.append(np.concatenate((points[:-1], points[1:]), 1))


def _said(place: str) -> str:
    return f"{place} coordinates".strip()


def _under(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _list(what: dict[str, Any], key: str, place: str) -> list[Any]:
    found = what.get(key)
    if not isinstance(found, list):
        raise StreetsError(f"{_under(place, key)}: not a list")
    return found


def _lines(found: Any, depth: int, place: str) -> Iterator[tuple[list[Any], str]]:
    if not isinstance(found, list):
        raise StreetsError(f"{_said(place)}: not a list")
    if depth == 0:
        yield found, place
    else:
        for n, one in enumerate(found):
            yield from _lines(one, depth - 1, f"{place}[{n}]")


def _position(found: Any, place: str) -> tuple[float, float]:
    """Return (longitude, latitude); an altitude behind them is left out."""
    if isinstance(found, list) and len(found) >= 2:
        longitude, latitude = (_degrees(one) for one in found[:2])
        if abs(longitude) <= 180 and abs(latitude) <= 90:
            return longitude, latitude
    raise StreetsError(f"{_said(place)}: not [longitude, latitude] in degrees")


def _degrees(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return math.inf
    return float(found) if -360 < found < 360 else math.inf
