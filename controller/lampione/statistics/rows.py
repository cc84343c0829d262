"""Rows of an answer: numbers as people read them, None for what is not known."""

import math
from typing import Any, NamedTuple

from lampione.api import Json

Row = list[Json] | None
"""[start, node, ...]; None: nothing to say."""


class Table(NamedTuple):
    """What the columns of an answer are."""

    fields: tuple[str, ...]
    units: tuple[str, ...]
    notes: tuple[str, ...] = ()


def table(columns: dict[str, str], *notes: str) -> Table:
    """Return a table of {field: unit}, behind the start and the node."""
    return Table(("at", "node", *columns), ("s", "", *columns.values()), notes)


def rounded(value: Any, digits: int = 1) -> float | int | None:
    """Return a number as it is worth to be read, None for NaN."""
    found = float(value)
    if math.isnan(found):
        return None
    return round(found, digits) if digits else round(found)


def percent(share: Any) -> float | int | None:
    """Return a share in percent, 100 at most."""
    return rounded(min(float(share), 1.0) * 100)
