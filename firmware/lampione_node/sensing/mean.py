"""The mean of an interval, if enough of it was measured."""

from time import ticks_diff, ticks_ms


class Mean:
    """Collects a quantity that is measured every `period_ms`; integers of one unit.

    Args:
        period_ms: how often a value is due.
        share: the least share of the due values that makes a mean, in percent.
    """

    def __init__(self, period_ms: int, share: int = 75):
        self._period_ms = period_ms
        self._share = share
        self._sum = self._count = 0
        self._last = None
        self._last_ms = 0

    def add(self, value: int) -> None:
        """Take a value that may be believed."""
        self._sum += value
        self._count += 1
        self._last = value
        self._last_ms = ticks_ms()

    def take(self, duration_ms: int) -> "int | None":
        """Return the rounded mean of the values since the last call, or None; begin anew.

        `duration_ms`: how long that was. An interval shorter than two periods has the last value,
        unless it is older than three.
        """
        count = self._count
        total = self._sum
        self._sum = self._count = 0
        if self._last is None:
            return None
        if ticks_diff(ticks_ms(), self._last_ms) > 3 * self._period_ms:
            self._last = None
        if duration_ms < 2 * self._period_ms:
            return self._last
        if count * self._period_ms * 100 < self._share * duration_ms:
            return None
        return (2 * total + count) // (2 * count)
