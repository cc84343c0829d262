"""Where a node stands, for the app that leads there: a geo: URI and its QR code."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import segno

from lampione.api import Placed

_DIGITS = 6  # of a degree: 11 cm
QUIET = 4  # modules around a code, ISO/IEC 18004


class NowhereError(Exception):
    """Nobody knows where a node stands; the text says what to do."""


class Where(NamedTuple):
    """Where a node stands.

    approximate: the fleet's file says that the position is no more than that.
    uri: RFC 5870.
    """

    node: str
    site: str
    latitude: float
    longitude: float
    approximate: bool
    uri: str

    def words(self) -> list[str]:
        """Return it in lines."""
        mark = "approximately " if self.approximate else ""
        return [
            f"{self.node}, {self.site}",
            f"{mark}{_degrees(self.latitude)}, {_degrees(self.longitude)}",
            self.uri,
        ]


def find(places: Mapping[str, Placed], node: str) -> Where:
    """Return where a node stands. Raises KeyError for one that is not there, NowhereError."""
    place = places[node]
    latitude, longitude = place["latitude"], place["longitude"]
    if latitude is None or longitude is None:
        raise NowhereError(
            f"nobody knows where {node} stands: give {place['name']} latitude and longitude in "
            "the fleet's file"
        )
    uri = geo_uri(latitude, longitude)
    return Where(node, place["name"], latitude, longitude, place["approximate"], uri)


def geo_uri(latitude: float, longitude: float) -> str:
    """Return a position in WGS-84 as a URI. Raises NowhereError for what is no position."""
    if not (
        math.isfinite(latitude)
        and math.isfinite(longitude)
        and -90 <= latitude <= 90
        and -180 <= longitude <= 180
    ):
        raise NowhereError(f"{latitude}, {longitude} is no position on earth")
    if abs(latitude) == 90:
        longitude = 0.0  # RFC 5870, 3.4.2: at a pole it means nothing
    return f"geo:{_degrees(latitude)},{_degrees(longitude)}"


def _degrees(value: float) -> str:
    text = f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def code(text: str) -> list[list[bool]]:
    """Return the modules of a QR code with its quiet margin, row by row; True: dark."""
    matrix = [[bool(module) for module in row] for row in segno.make(text, micro=False).matrix]
    side = len(matrix) + 2 * QUIET
    empty = [[False] * side for _ in range(QUIET)]
    margin = [False] * QUIET
    return [*empty, *([*margin, *row, *margin] for row in matrix), *empty]


def drawn(modules: list[list[bool]], *, ink_dark: bool) -> list[str]:
    """Return a code in half blocks, two rows a line.

    Args:
        ink_dark: what is printed is darker than its ground: dark modules are printed. Else the
            light ones are, so that the code comes out the right way round on a dark ground.
    """
    rows = [*modules, [False] * len(modules[0])] if len(modules) % 2 else modules
    blocks = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return [
        "".join(
            blocks[(above is ink_dark, below is ink_dark)]
            for above, below in zip(rows[at], rows[at + 1], strict=True)
        )
        for at in range(0, len(rows), 2)
    ]
