"""Memory over a long time: whether what is free at equal points falls."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Trend(NamedTuple):
    """What was free: medians of the first and the last quarter, the least, in the unit given."""

    first: float
    last: float
    least: float

    def leak(self, allowed: float) -> bool:
        """Whether more than `allowed` was lost from the first quarter to the last."""
        return self.first - self.last > allowed


def trend(free: Sequence[float]) -> Trend:
    """Return how free memory went: `free` at equal points, after a collection each.

    A collector that takes a number on the stack for a pointer now and then keeps garbage until the
    next time; medians do not see that. Raises ValueError for fewer than eight points.
    """
    if len(free) < 8:
        raise ValueError(f"{len(free)} points are too few to tell a trend")
    quarter = -(-len(free) // 4)
    return Trend(statistics.median(free[:quarter]), statistics.median(free[-quarter:]), min(free))
