"""The node's clock: seconds since 2020-01-01 UTC, how far to trust them, and time since boot."""

import time
from time import ticks_diff, ticks_ms

from micropython import const

from .rare import rare

# Quality of the time, rising.
UNSET = const(0)
HOLDOVER = const(1)  # set once, but more than a day ago: 20 ppm of crystal are 2 s a day
NTP = const(2)
CONTROLLER = const(3)

_HOLD_S = const(86_400)
# NTP is not authenticated: a step above this needs the controller's word.
_STEP_S = const(60)
# Earlier than this (2026-01-01) nobody had this firmware: a time before it is no time.
_PLAUSIBLE_S = const(189_388_800)
# Protocol time in the epoch of this port's time.time(): 1970 on unix, 2000 on ESP32.
EPOCH_S = 1_577_836_800 if time.gmtime(0)[0] == 1970 else 631_152_000


class Clock:
    """Counts seconds and knows their quality.

    poll() or any other method must be called at least every six days, since the ticks wrap
    after twelve. `rtc` is a machine.RTC: it is set along, and its time is taken as HOLDOVER
    when it was kept over a reset (after power-on it says 2000).
    """

    def __init__(self, rtc=None):
        self._rtc = rtc
        self._ticks_ms = ticks_ms()
        self._s = self._ms = 0
        self._offset_s = self._offset_ms = 0
        self._set_s = 0
        self._quality = UNSET
        if rtc:
            year, month, day, _, hour, minute, second, _ = rtc.datetime()
            if 2026 <= year < 2054:
                # Days to the first of the month, exact from 1901 to 2099.
                days = 365 * (year - 2020) + (year - 2017) // 4 + 275 * month // 9 - 31 + day
                if month > 2:
                    days -= 1 if year % 4 == 0 else 2
                self._take(days * 86_400 + hour * 3600 + minute * 60 + second, 0, HOLDOVER)

    def poll(self) -> None:
        """Take in the ticks that have passed."""
        now = ticks_ms()
        self._ms += ticks_diff(now, self._ticks_ms)
        self._ticks_ms = now
        self._s += self._ms // 1000
        self._ms %= 1000

    def uptime_s(self) -> int:
        """Return whole seconds since boot; never goes back."""
        self.poll()
        return self._s

    def now(self) -> int:
        """Return whole seconds since 2020-01-01 UTC; since boot when quality() is UNSET."""
        self.poll()
        return self._s + self._offset_s + (self._ms + self._offset_ms >= 1000)

    def quality(self) -> int:
        """Return UNSET, HOLDOVER, NTP or CONTROLLER."""
        if self._quality > HOLDOVER and self.uptime_s() - self._set_s > _HOLD_S:
            self._quality = HOLDOVER
        return self._quality

    @rare
    def set(self, l_seconds: int, ms: int, quality: int) -> bool:
        """Set the time to `l_seconds` since 2020-01-01 UTC and `ms` (0 to 999).

        Returns False, and changes nothing, when it is not plausible, or when NTP would step a
        clock that is set by more than a minute, or a controller's time of less than a day ago.
        """
        if l_seconds < _PLAUSIBLE_S:
            return False
        if quality == NTP:
            held = self.quality()
            if held == CONTROLLER or (held and abs(l_seconds - self.now()) > _STEP_S):
                return False
        self._take(l_seconds, ms, quality)
        if self._rtc:
            date = time.gmtime(l_seconds + EPOCH_S)  # year, month, day, h, m, s, weekday, ...
            self._rtc.datetime(date[:3] + date[6:7] + date[3:6] + (ms * 1000,))
        return True

    def _take(self, l_seconds: int, ms: int, quality: int) -> None:
        self.poll()
        ms -= self._ms
        self._offset_s = l_seconds - self._s + ms // 1000
        self._offset_ms = ms % 1000
        self._set_s = self._s
        self._quality = quality

    def next_boundary(self, interval_s: int) -> int:
        """Return the next whole multiple of `interval_s` after now(), in the same seconds."""
        now = self.now()
        return now - now % interval_s + interval_s

    def ms_until(self, second: int) -> int:
        """Return the milliseconds until now() becomes `second`; 0 when it has."""
        now = self.now()
        return max(0, (second - now) * 1000 - (self._ms + self._offset_ms) % 1000)
