"""One line of the table."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A figure; where there is something to compare with, its name and the ratio of the two."""

    name: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None
    goal: str = ""

    def as_json(self) -> dict[str, Any]:
        row = asdict(self)
        del row["goal"]
        return row


Rows = Iterator[Row]
