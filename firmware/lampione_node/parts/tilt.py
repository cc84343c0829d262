"""Whether the pole stands as it should, and whether something hit it: a LIS3DH.

Tilt is the angle between gravity now (the mean of an interval) and the reference, in half
degrees. Settings, all optional:
    ref_x, ref_y, ref_z  gravity in mg when the pole stood plumb (0, 0, 1000)
    tilt_deg             from which angle on it is an event, degrees (5)
    impact_mg            from which shock on it is an event, mg (500)
Without a reference the mean of the first minute after boot is one, so that only what leans later
shows. A pole that leaned before is seen where the reference was taken when it was installed: set
it. As a safeguard, where the first minute lies more than 10 degrees off the nearest axis of the
box, that axis is the reference, as boxes are mounted straight.

TILTED comes with the first interval at or above tilt_deg, and not again before one lies a degree
below it. The mean of an interval knows no wind. IMPACT comes with the peak of a shock once it has
passed, has lasted for a second or has silenced the part, and not again before two seconds of quiet
(less than half of impact_mg). Wind stays below: a sway of 3 cm at 1 Hz is 120 mg. A shock of 10 ms
shows a third to a fifth of its height (drivers/lis3dh.py): 500 mg stand for some 2 g.
"""

import asyncio
from time import ticks_ms

from micropython import const

from ..buses import i2c
from ..drivers import health
from ..drivers.lis3dh import Lis3dh, root
from ..post import IMPACT, TILTED, WARNING
from ..sensing.mean import Mean

_TILT = const(8)
_EVERY_MS = const(250)
_REST_MS = const(230)
_FIRST = const(240)  # blocks of the first minute
_STRAIGHT = const(20)  # half degrees
_LONGEST = const(4)  # blocks: a second
_QUIET = const(8)  # blocks: two seconds

# atan(2^-i) in 1/512 of a degree
_ATAN = (23040, 13601, 7187, 3648, 1831, 916, 458, 229, 115, 57, 29, 14, 7, 4)


def angle(a, b) -> int:
    """Return the angle between two vectors in half degrees, within 0.3 degrees (0.25 of rounding).

    Of 700 to 2500 long each, in mg. By atan2 of |a x b| and a.b (CORDIC).
    """
    y = 0
    x = 0
    for i in range(3):
        j = i - 1
        k = i - 2
        y += (a[k] * b[j] - a[j] * b[k] >> 8) ** 2
        x += a[i] * b[i]
    y = root(y) << 10
    x <<= 2
    behind = x < 0
    x = abs(x)
    z = 0
    i = 0
    for step in _ATAN:
        if y > 0:
            x, y = x + (y >> i), y - (x >> i)
            z += step
        else:
            x, y = x - (y >> i), y + (x >> i)
            z -= step
        i += 1
    return (92160 - z if behind else z) + 128 >> 8


def upright(vector) -> list:
    """Return `vector`, or the nearest axis where that is more than 10 degrees off."""
    longest = 0
    for i in (1, 2):
        if abs(vector[i]) > abs(vector[longest]):
            longest = i
    axis = [0, 0, 0]
    axis[longest] = 1000 if vector[longest] > 0 else -1000
    return axis if angle(vector, axis) > _STRAIGHT else vector


class Tilt:
    """Tilt and shocks of the pole.

    Attributes:
        steps: the last interval's tilt in half degrees, None: unknown. fills: intervals so far.
        impact_ms: ticks of the last IMPACT, None: there was none.
    """

    sensor = 8
    period_s = 10

    def __init__(self, machine, part, post, _air) -> None:  # type: ignore[no-untyped-def]
        self._driver = Lis3dh(i2c(machine, part))
        self._post = post
        self._means = [Mean(_EVERY_MS) for _ in range(3)]
        self._first = [0, 0, 0]
        self._blocks = 0
        self._reference = None
        if "ref_z" in part:
            self._reference = [part.get("ref_x", 0), part.get("ref_y", 0), part["ref_z"]]
        self._limit = 2 * part.get("tilt_deg", 5)
        self._impact = part.get("impact_mg", 500)
        self._peak = self._left = self._calm = 0
        self._tilted = False
        self.steps = self.impact_ms = None
        self.fills = 0
        self.states = [health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure four times a second, for the supervisor."""
        while True:
            check_in()
            found = await self._driver.measure()
            self._shock(found[3] if found else 0)
            if found:
                for i in range(3):
                    self._means[i].add(found[i])
                if not self._reference:
                    self._begin(found)
            await asyncio.sleep_ms(_REST_MS)

    def _begin(self, found) -> None:  # type: ignore[no-untyped-def]
        for i in range(3):
            self._first[i] += found[i]
        self._blocks += 1
        if self._blocks == _FIRST:
            self._reference = upright([s // _FIRST for s in self._first])

    def _shock(self, peak: int) -> None:
        if self._peak:
            self._left -= 1
            self._peak = max(self._peak, peak)
            if not self._left or peak < self._impact:
                self._post.event(IMPACT, WARNING, self._peak)
                self.impact_ms = ticks_ms()
                self._peak = 0
                self._calm = _QUIET
        elif self._calm:
            self._calm = _QUIET if 2 * peak >= self._impact else self._calm - 1
        elif peak >= self._impact:
            self._peak = peak
            self._left = _LONGEST

    def fill(self, _values: list, duration_ms: int) -> None:
        """Judge the interval; a Report has nothing of it."""
        self.fills += 1
        state = self._driver.watch.state()
        now = [mean.take(duration_ms) for mean in self._means]
        self.steps = None
        if self._reference and None not in now:
            self.steps = tilt = angle(now, self._reference)
            if tilt >= self._limit and not self._tilted:
                self._tilted = True
                self._post.event(TILTED, WARNING, tilt)
            elif tilt <= self._limit - 2:
                self._tilted = False
        elif not state and not self._reference:
            state = health.WARMING
        self.states[0] = state

    def fill_health(self, values: list) -> None:
        """Put the last interval's tilt into a Health."""
        values[_TILT] = self.steps
