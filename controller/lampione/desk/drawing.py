"""A map as letters: streets in braille, a letter a node, counts and names where there is room."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from lampione.desk.mapping import District, Sight, Spot, spots
from lampione.desk.present import Row
from lampione.desk.quantities import Band, Quantity, Seen

NAMES_MAX = 200  # with more nodes in sight their names would be all there is to read
STREET = "street"

Cell = tuple[str, str]
"""(letter, tone); tone `STREET` of streets, "name" of what is written beside a node."""


class Marks(NamedTuple):
    """The nodes of a district, judged."""

    quantity: Quantity
    places: list[int | None]  # of the band, by the district's order

    @property
    def urgency(self) -> Any:
        """What `spots` chooses by; what is not known comes last."""
        return np.array([-1 if place is None else place for place in self.places], np.int64)

    def band(self, n: int) -> Band:
        """Return a node's band."""
        return self.quantity.band(self.places[n])


def judged(
    district: District,
    quantity: Quantity,
    rows: Callable[[str], Row | None],
    now: float,
    severities: Mapping[str, str],
) -> Marks:
    """Return the band of every node of a district."""
    places: list[int | None] = []
    for name in district.names:
        row = rows(name)
        seen = None if row is None else Seen(row, now, severities.get(name))
        places.append(None if seen is None else quantity.judge(seen))
    return Marks(quantity, places)


def draw(
    district: District, sight: Sight, marks: Marks, streets: list[str], cursor: str | None = None
) -> list[list[Cell]]:
    """Return the lines of a map. The cursor's node has the tone `cursor`, whoever is beside it."""
    lines = [[(letter, STREET) for letter in line] for line in streets]
    found = spots(district, sight, marks.urgency)
    at_cursor = _cell_of(district, sight, cursor)
    taken = {(spot.column, spot.row) for spot in found}
    for spot in found:
        band = marks.band(spot.worst)
        here = (spot.column, spot.row) == at_cursor
        lines[spot.row][spot.column] = (band.letter, "cursor" if here else band.tone)
    for spot in found:
        if spot.nodes > 1:
            _write(lines, taken, spot, f"×{spot.nodes}")
    if sum(spot.nodes for spot in found) <= NAMES_MAX:
        first = sorted(found, key=lambda spot: (spot.column, spot.row) != at_cursor)
        for spot in first:
            if spot.nodes == 1:
                _write(lines, taken, spot, f" {district.names[spot.worst]}")
    return lines


def _cell_of(district: District, sight: Sight, name: str | None) -> tuple[int, int] | None:
    n = district.place(name)
    if n is None:
        return None
    column, row = sight.cells(district.at[n : n + 1])[0].tolist()
    return column, row


def _write(lines: list[list[Cell]], taken: set[tuple[int, int]], spot: Spot, text: str) -> None:
    """Write behind a node, or before it, where nothing else is written."""
    ways = ((spot.column + 1, text), (spot.column - len(text), f"{text.strip()} "))
    for start, shown in ways if text.startswith(" ") else ways[:1]:
        cells = [(start + n, spot.row) for n in range(len(text))]
        # A blank behind a name, so that two do not run into each other.
        around = [*cells, (start - 1, spot.row), (start + len(text), spot.row)]
        around.remove((spot.column, spot.row))
        if start < 0 or start + len(text) > len(lines[spot.row]) or not taken.isdisjoint(around):
            continue
        for (column, row), letter in zip(cells, shown, strict=True):
            lines[row][column] = (letter, "name")
        taken.update(cells)
        return
