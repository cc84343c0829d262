"""Time since the start: milliseconds, and microseconds beyond them."""

from time import ticks_diff, ticks_us


class Clock:
    """Counts on while it is asked at least every nine minutes, as `tick` sees to."""

    def __init__(self):
        self._last = ticks_us()
        self._ms = self._us = 0

    def tick(self):
        """Take in the time that has passed."""
        now = ticks_us()
        us = self._us + ticks_diff(now, self._last)
        self._last = now
        self._ms = self._ms + us // 1000 & 0x3FFFFFFF
        self._us = us % 1000

    def now(self):
        """Return (ms, µs) of this instant."""
        return self.at(ticks_us())

    def at(self, ticks):
        """Return (ms, µs) of an instant that ticks_us showed not long ago."""
        self.tick()
        us = self._us - ticks_diff(self._last, ticks)
        return max(0, self._ms + us // 1000), us % 1000
