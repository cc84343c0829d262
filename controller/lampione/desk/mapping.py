"""A district on a flat map: positions in metres, what of it is seen, which node is where.

Local and equirectangular: east and north of the district's middle. Over a city's 30 km that bends
by less than what a letter on a terminal is wide.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione.desk import braille
from lampione.desk.braille import HIGH, WIDE, Floats

EARTH_M = 6_371_008.8  # mean radius
APART_M = 12.0  # what neighbours at one position are drawn apart
SCALE_MIN, SCALE_MAX = 0.05, 20_000.0  # metres a dot
_MARGIN = 1.15  # so that what fits does not stick to the edge
_LEAST_M = 60.0  # a district of one lamp is seen with its street


class Origin(NamedTuple):
    """The middle of a map, degrees."""

    latitude: float
    longitude: float

    def metres(self, latitude: Floats, longitude: Floats) -> Floats:
        """Return (east, north) in metres, a row a position."""
        east = (longitude - self.longitude + 180) % 360 - 180  # the short way round
        a_degree = math.radians(1) * EARTH_M
        shrunk = max(math.cos(math.radians(self.latitude)), 1e-3)
        found: Floats = np.stack(
            (east * (a_degree * shrunk), (latitude - self.latitude) * a_degree), -1
        )
        return found

    def segments(self, degrees: Floats) -> Floats:
        """Return segments of `streets` in metres, but for what spans half the world."""
        if not len(degrees):
            return degrees
        ends = [self.metres(degrees[:, n + 1], degrees[:, n]) for n in (0, 2)]
        near = np.abs(ends[1] - ends[0]).max(1) < EARTH_M
        found: Floats = np.concatenate(ends, 1)[near]
        return found


class District:
    """Nodes with positions.

    Attributes:
        names: in order.
        at: (east, north) in metres, a row a name; those at one position set apart along a line.
        degrees: (latitude, longitude), as they were given.
        without: names of nodes that have no position.

    Args:
        sites: `api.Placed` by node.
        nodes: names of all nodes.
    """

    def __init__(self, sites: Mapping[str, Any], nodes: Sequence[str]) -> None:
        self.names: list[str] = []
        self.without: list[str] = []
        degrees = []
        for name in sorted(nodes):
            place = sites.get(name)
            position = None if place is None else (place["latitude"], place["longitude"])
            if position is None or not all(map(_is_degrees, position)):
                self.without.append(name)
            else:
                self.names.append(name)
                degrees.append(position)
        self.degrees: Floats = np.array(degrees, np.float64).reshape(-1, 2)
        self.origin = _middle(self.degrees)
        self.at = self.origin.metres(self.degrees[:, 0], self.degrees[:, 1])
        self._set_apart()
        self._places = {name: n for n, name in enumerate(self.names)}

    def place(self, name: str | None) -> int | None:
        """Return a node's place in the order, None for one without a position."""
        return None if name is None else self._places.get(name)

    def _set_apart(self) -> None:
        _, which, counts = np.unique(self.degrees, axis=0, return_inverse=True, return_counts=True)
        which = which.reshape(-1)
        order = np.argsort(which, kind="stable")
        nth = np.empty(len(which), np.int64)
        nth[order] = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        self.at[:, 0] += (nth - (counts[which] - 1) / 2) * APART_M


def _is_degrees(found: Any) -> bool:
    return isinstance(found, int | float) and math.isfinite(found)


def _middle(degrees: Floats) -> Origin:
    """Return the middle of positions; east and west of the date line are neighbours."""
    if not len(degrees):
        return Origin(0.0, 0.0)
    first = float(degrees[0, 1])
    east = (degrees[:, 1] - first + 180) % 360 - 180
    longitude = first + (float(east.min()) + float(east.max())) / 2
    latitude = (float(degrees[:, 0].min()) + float(degrees[:, 0].max())) / 2
    return Origin(latitude, (longitude + 180) % 360 - 180)


class Sight(NamedTuple):
    """What of a map is seen: its middle in metres, metres a dot, letters across and down."""

    east: float
    north: float
    scale: float
    columns: int
    rows: int

    @classmethod
    def of(cls, at: Floats, columns: int, rows: int) -> "Sight":
        """Return the sight that holds all positions."""
        columns, rows = max(columns, 1), max(rows, 1)
        if not len(at):
            return cls(0.0, 0.0, 1.0, columns, rows)
        low, high = at.min(0), at.max(0)
        middle = (low + high) / 2
        east_m, north_m = np.maximum(high - low, _LEAST_M) * _MARGIN
        scale = max(east_m / (columns * WIDE), north_m / (rows * HIGH))
        return cls(float(middle[0]), float(middle[1]), _bounded(float(scale)), columns, rows)

    def zoomed(self, factor: float) -> "Sight":
        """Return it nearer (factor below 1) or from farther."""
        return self._replace(scale=_bounded(self.scale * factor))

    def moved(self, columns: float, rows: float) -> "Sight":
        """Return it so many letters further to the right and down."""
        return self._replace(
            east=self.east + columns * WIDE * self.scale,
            north=self.north - rows * HIGH * self.scale,
        )

    def sized(self, columns: int, rows: int) -> "Sight":
        """Return it with another room around the same middle."""
        return self._replace(columns=max(columns, 1), rows=max(rows, 1))

    def holding(self, at: Floats) -> "Sight":
        """Return it moved so that a position is seen: its middle goes there where it was not."""
        (column, row) = self.cells(at[None, :])[0]
        if 1 <= column < self.columns - 1 and 1 <= row < self.rows - 1:
            return self
        return self._replace(east=float(at[0]), north=float(at[1]))

    def dots(self, at: Floats) -> Floats:
        """Return positions in dots from the top left."""
        middle = np.array([self.columns * WIDE, self.rows * HIGH]) / 2
        found: Floats = (at - np.array([self.east, self.north])) / np.array([1, -1]) / self.scale
        return found + middle

    def cells(self, at: Floats) -> NDArray[np.int64]:
        """Return (column, row) of the letter that holds each position; outside, too."""
        far = float(1 << 31)
        cells: NDArray[np.int64] = np.clip(
            np.floor(self.dots(at) / np.array([WIDE, HIGH])), -far, far
        ).astype(np.int64)
        return cells

    def streets(self, segments: Floats) -> list[str]:
        """Return lines of braille of segments in metres."""
        dots = braille.blank(self.columns, self.rows)
        if len(segments):
            braille.draw(dots, self.dots(segments.reshape(-1, 2)).reshape(-1, 4) - 0.5)
        return braille.letters(dots)

    def bar(self, letters: int) -> tuple[int, str]:
        """Return (letters, length) of the longest bar of a round length in so many letters."""
        most = letters * WIDE * self.scale
        length = 10.0 ** math.floor(math.log10(most))
        length = next(length * n for n in (5, 2, 1) if length * n <= most)
        text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
        return max(1, round(length / (WIDE * self.scale))), text


def _bounded(scale: float) -> float:
    return min(max(scale, SCALE_MIN), SCALE_MAX)


class Spot(NamedTuple):
    """A letter with so many nodes in it; `worst` is the place of the most urgent of them."""

    column: int
    row: int
    worst: int
    nodes: int


def spots(district: District, sight: Sight, urgency: NDArray[np.int64]) -> list[Spot]:
    """Return the letters that hold nodes, from the top left.

    urgency: of each node of the district; of those in one letter the greatest is the worst.
    """
    if not district.names:
        return []
    cells = sight.cells(district.at)
    seen = ((cells >= 0) & (cells < np.array([sight.columns, sight.rows]))).all(1)
    which = np.flatnonzero(seen)
    place = cells[which, 1] * sight.columns + cells[which, 0]
    order = np.lexsort((which, -urgency[which], place))
    _, first, counts = np.unique(place[order], return_index=True, return_counts=True)
    worst = which[order[first]]
    return [
        Spot(int(cells[n, 0]), int(cells[n, 1]), int(n), int(count))
        for n, count in zip(worst, counts, strict=True)
    ]
