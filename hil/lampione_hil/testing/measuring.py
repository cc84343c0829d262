"""Measurements with limits, first-class: kept in order, even those that are within."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One value against its limits. `at_s`: the board's time, from the test's beginning."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    ok: bool
    at_s: float

    def as_json(self) -> dict[str, Any]:
        """Return it as a record keeps it."""
        return asdict(self)

    def __str__(self) -> str:
        value = "none" if self.value is None else f"{self.value:g}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} = {value}{unit}, not {limits(self.low, self.high)}{unit}"


def limits(low: float | None, high: float | None) -> str:
    """Write limits: "1 to 2", "exactly 1", "at least 1", "at most 2", "a number"."""
    if low is not None and low == high:
        return f"exactly {low:g}"
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "a number" if high is None else f"at most {high:g}"


class Measure:
    """The fixture `measure`. What lies outside fails the test at its end, all of it named."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.taken: list[Measurement] = []
        self._now_s = now_s

    def __call__(
        self,
        name: str,
        value: float | None,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
    ) -> bool:
        """Record `value`; return whether it lies within its limits, both included.

        None, NaN and infinities never do. Raises ValueError for limits that nothing can meet.
        """
        for limit in (low, high):
            if limit is not None and not math.isfinite(limit):
                raise ValueError(f"{name}: a limit is a number, or left out")
        if low is not None and high is not None and low > high:
            raise ValueError(f"{name}: nothing lies within {low:g} to {high:g}")
        number = None if value is None else float(value)
        if number is not None and not math.isfinite(number):
            number = None
        ok = number is not None and (low is None or number >= low)
        ok = ok and (high is None or (number is not None and number <= high))
        self.taken.append(Measurement(name, number, low, high, unit, ok, round(self._now_s(), 6)))
        return ok

    @property
    def outside(self) -> list[Measurement]:
        """Those that did not lie within their limits."""
        return [m for m in self.taken if not m.ok]
