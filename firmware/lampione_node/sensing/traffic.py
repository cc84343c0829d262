"""Vehicles out of a radar's readings of its strongest target, and the counts of any estimator.

A target's radial speed, added up, says how much nearer it came, whatever it did: its range is known
but for one number. Geometry gives that number: with the right one the speed along the road (radial
speed · range / distance along the road) runs straight over time, with a wrong one it bends. So
each track is fitted once, at its end, and gives its speed at 15 m before the pole: the angle of
the mounting is corrected there, and nowhere else. What keeps its radial speed all the way is a
machine, and a line that does so for 90 m is left out for as long as it is heard. What is slow is
somebody on foot. Drops of rain, and signs that sway, make no track that lasts.

No lengths, hence no classes: a CW radar shows none. No headways: a vehicle may hide the next.

Inside: ms, speeds in 0.1 km/h, lengths in cm (0.1 km/h for 1 ms is 1/360 cm).
"""

from array import array
from time import ticks_add, ticks_diff, ticks_ms

import micropython
from micropython import const

_BINS = const(24)  # of 5 km/h
_ENOUGH = const(100)  # vehicles for a V85 that means something
_FEW = const(3)  # the schema's rule: no speeds of fewer vehicles

_SECTION_CM = const(1500)
_CAR_CM = const(450)  # who drives away shows its end: the front is so much farther
_TRACKS = const(4)
_POINTS = const(24)  # of a track, three numbers each; even
_GAP_MS = const(1600)  # a track lives so long without a reading,
_LAST_GAP = const(6)  # or so many periods where it ends: about to pass the pole
_GATE = const(15)  # a reading belongs to a track that is so near
_WAIT_MS = const(20)  # of a gap weigh as 0.1 km/h where two tracks could be meant
_NEW = const(20)  # nothing slower begins a track: signs and leaves sway
_WALK = const(80)  # who is never faster is on foot,
_STEP_CM = const(100)  # when gone so far
_DRIVE = const(100)  # who is slower at the section does not drive
_LEAST_CM = const(600)  # what must be seen of a vehicle's way,
_SLOW_LEAST_CM = const(1500)  # of one that is never faster
_FAST = const(200)  # than this,
_SEEN_MS = const(450)  # and how long, in readings
_SHORT_CM = const(1000)
# How near to the pole, along the road, a track may end or begin: at least, at most.
_NEAREST_CM = const(200)
_NEAREST_AWAY_CM = const(600)  # the corners of a car's side show first, and mislead
_FARTHEST_CM = const(2500)
_MOST_CM = const(9000)  # a radar sees no farther: what goes on is a machine
_LONGEST_MS = const(200000)
_STEADY = const(12)  # which keeps its speed
_FORGET_MS = const(600000)
_STIFF = const(300)  # (0.1 km/h of noise / 0.5 m/s² of acceleration)², in the fit's units
_SAME_MS = const(1200)  # nobody follows closer: another corner of the same vehicle
_PRESENT_MS = const(2000)


def cosine(degrees: int) -> int:
    """Return the cosine of 0 to 60 degrees in 1/4096, right within 0.2 % (after Bhaskara)."""
    square = degrees * degrees
    return (32400 - 4 * square) * 4096 // (32400 + square)


def _root(n, x):
    # Newton, from a guess of 1 or more
    while True:
        y = (x + n // x) >> 1
        if -2 < y - x < 2:
            return y or 1
        x = y


@micropython.viper
def along(
    i: int,
    x: int,
    w: int,
    points: ptr16,  # noqa: F821
    end: int,
    base: int,
    square: int,
    fit: ptr32,  # noqa: F821
    sums: ptr32,  # noqa: F821
):
    """Put where a track's points were and their speeds along the road, with weights, into `fit`.

    Called as along(0, x, 0, ...): x cm, about where the first was. Its range is |base + its cm|,
    below 2^14 cm, `square` that of the lane's distance. The weights' sum, and those of the times
    and of the speeds by weight, go into sums[0:3].
    """
    sw = st = sv = 0
    while i < end:
        r = base + int(points[i + 2])
        if r < 0:
            r = 0 - r
        n = r * r - square
        step = 2
        while step > 1 or step < -1:  # Newton, as in _root
            step = (x + n // x >> 1) - x
            x += step
        v = int(points[i + 1]) * r // x
        # cos^16: beside the pole a body shows another corner each moment
        w = x * 1024 // r
        w = w * w >> 10
        w = w * w >> 10
        w = w * w >> 10
        w = w * w >> 14
        fit[i] = x
        fit[i + 1] = v
        fit[i + 2] = w
        sw += w
        st += w * int(points[i])
        sv += w * v
        i += 3
    sums[0] = sw
    sums[1] = st
    sums[2] = sv


class _Track:
    def __init__(self):
        self.points = array("H", [0] * (3 * _POINTS))  # 10 ms, speed, cm; means of `each` readings
        self._sums = array("i", (0, 0, 0))
        self.n = 0  # of points; 0: the track is free
        self.count = 0

    def begin(self, away, ms, speed):
        self.away = away
        self.first_ms = self.ms = ms
        self.speed = self.top = speed
        self.way = self.n = self.count = self._k = 0
        self._each = 1
        self._sums[0] = self._sums[1] = self._sums[2] = 0

    def add(self, gap, speed):
        self.way += (speed + self.speed) * gap >> 1  # 1/360 cm
        self.ms = ticks_add(self.ms, gap)
        self.speed = speed
        if speed > self.top:
            self.top = speed
        self.count += 1
        s = self._sums
        s[0] += ticks_diff(self.ms, self.first_ms) // 10
        s[1] += speed
        s[2] += self.way // 360
        self._k += 1
        if self._k == self._each:
            self.keep()

    def keep(self):
        k = self._k
        if not k:
            return
        p = self.points
        i = 3 * self.n
        for j in range(3):
            p[i + j] = self._sums[j] // k
            self._sums[j] = 0
        self._k = 0
        self.n += 1
        if self.n == _POINTS:
            self.n = _POINTS >> 1
            self._each *= 2
            for i in range(3 * self.n):
                j = i + i // 3 * 3
                p[i] = (p[j] + p[j + 3]) >> 1

    def steady(self):
        for i in range(1, 3 * self.n, 3):
            if abs(self.points[i] - self.speed) > _STEADY:
                return False
        return True


class Traffic:
    """Counts vehicles and the time that somebody walks.

    Args:
        angle_deg: between the road and the line of sight to the section 15 m before the pole, in
            the lane toward the radar: atan(√(lateral distance² + height²) / 15 m).
        away_deg: the same of the lane away from it; 0: no other.
        period_ms: how often the radar tells a speed that there is.

    Attributes:
        aside: distance from the radar to the lane toward and to that away, where they are
            nearest, cm.
        crossed_ms: when the front of the last vehicle each way was at the section.
    """

    def __init__(self, angle_deg: int = 25, away_deg: int = 0, period_ms: int = 50):
        self._period_ms = period_ms
        self._tracks = [_Track() for _ in range(_TRACKS)]
        self.aside = []
        for degrees in (angle_deg, away_deg or angle_deg):
            c = cosine(degrees)
            self.aside.append(_root((4096 - c) * (4096 + c), 4096) * _SECTION_CM // c)
        self._fit = array("i", [0] * (3 * _POINTS))  # cm along the road, speed along it, weight
        self._line = array("i", (0, 0, 0))  # middle 10 ms, speed there, its change in 1/1024
        self.crossed_ms = [ticks_add(ticks_ms(), -_FORGET_MS)] * 2
        self._hum = 0  # a machine's line
        self._hum_ms = self._present_ms = self._hour_ms = self._beam_to_ms = ticks_ms()
        self._counts = [0, 0]  # toward, away, of the interval
        self.least = _FEW
        self.totals = [0, 0]  # toward, away, since the start
        self.seen = 0  # grows as long as somebody walks
        self._sum = self._max = self._present = 0
        self._hour = [0, 0]
        self._bins = array("H", [0] * _BINS)
        self._beam_ms = 0

    # Readings

    def take(self, ms, speed: int, _magnitude=0) -> None:
        """Take a reading: time.ticks_ms, radial speed in 0.1 km/h, + toward."""
        signed = speed
        away = speed < 0
        if away:
            speed = -speed
        self.tick(ms)
        if self._hum and abs(signed - self._hum) <= _STEADY:
            self._hum_ms = ms
            return
        best = free = None
        least = 1 << 20
        for t in self._tracks:
            if not t.n:
                free = t
            elif t.away == away:
                gap = ticks_diff(ms, t.ms)
                loose = min(gap, self._period_ms)  # a longer gap is no reason to believe more
                slack = _GATE + loose // 28  # 1 m/s²
                steep = t.speed if away else speed
                change = speed - t.speed if away else t.speed - speed
                # Near the pole the angle takes speed fast.
                if -slack <= change <= slack + loose * (steep * steep // 300) // 1000:
                    cost = abs(change) + gap // _WAIT_MS
                    if cost < least:
                        least = cost
                        best = t
        if best is None:
            if speed < _NEW:
                return
            best = free
            if best is None:
                best = self._tracks[0]
                for t in self._tracks:
                    if t.count < best.count:
                        best = t
            best.begin(away, ms, speed)
        t = best
        t.add(ticks_diff(ms, t.ms), speed)
        way = t.way // 360
        if way > _MOST_CM or ticks_diff(ms, t.first_ms) > _LONGEST_MS:
            if t.steady():
                self._hum = signed
                self._hum_ms = ms
            t.n = 0
        elif way > _STEP_CM and t.top <= _WALK:
            self.present(ms)

    def tick(self, ms) -> None:
        """End what has gone. To be called now and then where nothing moves."""
        for t in self._tracks:
            if t.n:
                gap = ticks_diff(ms, t.ms)
                if gap > _GAP_MS or (
                    not t.away and gap > _LAST_GAP * self._period_ms and t.speed * 10 < t.top * 9
                ):
                    self._end(t)
        if self._hum and ticks_diff(ms, self._hum_ms) > _FORGET_MS:
            self._hum = 0

    def _end(self, t):
        t.keep()
        n = t.n
        steady = t.steady()  # nobody keeps it all the way to the pole
        t.n = 0
        away = t.away
        least = _LEAST_CM if t.top > _FAST else _SLOW_LEAST_CM
        if steady or n < 4 or t.count * self._period_ms < _SEEN_MS or t.way < least * 360:
            return
        # Drops of rain may seem to be one that moves, but with more and longer gaps.
        gaps = 3 if t.way < _SHORT_CM * 360 else 5
        if ticks_diff(t.ms, t.first_ms) * 2 > t.count * self._period_ms * gaps:
            return
        near = _NEAREST_AWAY_CM if away else _NEAREST_CM
        best = near
        least = 1 << 29
        while near < _FARTHEST_CM:
            cost = self._cost(t, n, near, least)
            if cost < least:
                least = cost
                best = near
            near += near // 5
        self._cost(t, n, best, 0)
        middle, speed, change = self._line
        at = self._crossing(t, n, speed)
        speed += change * (at - middle) >> 10
        ms = ticks_add(t.first_ms, 10 * at)
        if speed < _DRIVE or abs(ticks_diff(ms, self.crossed_ms[away])) < _SAME_MS:
            return
        self.crossed_ms[away] = ms
        self.count(not away, speed)
        seen = ticks_diff(t.ms, self._beam_to_ms)
        if seen > 0:  # two at once occupy the beam once
            self._beam_to_ms = t.ms
            self._beam_ms += min(seen, ticks_diff(t.ms, t.first_ms))

    def _crossing(self, t, n, speed):
        # when its front was at the section, in 10 ms from the track's begin
        fit = self._fit
        p = t.points
        section = _SECTION_CM - _CAR_CM if t.away else _SECTION_CM
        for i in range(3, 3 * n, 3):
            before = fit[i - 3]
            if (before < section) != (fit[i] < section):
                return p[i - 3] + (p[i] - p[i - 3]) * (section - before) // (fit[i] - before)
        i = 3 * n - 3
        if abs(fit[0] - section) < abs(fit[i] - section):
            i = 0
        late = (section - fit[i]) * 36 // (speed or 1)
        return p[i] + (late if t.away else -late)

    def _cost(self, t, n, near, enough):
        # of the track if it came as near as `near` cm to the pole, along the road; where that is
        # `enough` or more, something that is
        p = t.points
        fit = self._fit
        line = self._line
        square = self.aside[t.away]
        square *= square
        base = _root(near * near + square, 2 * near)
        if not t.away:
            base = -base - t.way // 360
        along(0, near, 0, p, 3 * n, base, square, fit, line)
        sw, st, sv = line
        sw = sw or 1
        middle = (st + (sw >> 1)) // sw
        mean = (sv + (sw >> 1)) // sw
        stt = _STIFF
        stv = 0
        for i in range(0, 3 * n, 3):
            dt = p[i] - middle
            w = fit[i + 2]
            stt += dt * dt * w >> 6
            stv += dt * (fit[i + 1] - mean) * w >> 4
        change = (stv << 8) // stt
        line[0] = middle
        line[1] = mean
        line[2] = change
        cost = change * change * _STIFF >> 20
        for i in range(0, 3 * n, 3):
            if cost >= enough:
                return enough
            off = fit[i + 1] - mean - (change * (p[i] - middle) >> 10)
            cost += off * off * fit[i + 2] >> 6
        return cost

    # Counts

    def count(self, toward: bool, speed: int) -> None:
        """Count a vehicle; speed at the section, along the road, in 0.1 km/h."""
        way = 0 if toward else 1
        self._counts[way] += 1
        self.totals[way] += 1
        self._hour[way] += 1
        self._sum += speed
        if speed > self._max:
            self._max = speed
        self._bins[min(speed // 50, _BINS - 1)] += 1

    def present(self, ms) -> None:
        """Say, again and again, that somebody walks at this moment (ticks)."""
        gap = ticks_diff(ms, self._present_ms)
        self._present_ms = ms
        self.seen = self.seen + 1 & 0xFFFF
        if 0 < gap < _PRESENT_MS:
            self._present += gap

    def interval(self, duration_ms: int) -> tuple:
        """Return (toward, away, mean km/h, max km/h, presence %) since the last call.

        Mean and maximum are None for fewer than `least` vehicles, three or more.
        """
        toward, away = self._counts
        n = toward + away
        mean = top = None
        if n >= max(_FEW, self.least):
            mean = (self._sum + 5 * n) // (10 * n)
            top = (self._max + 5) // 10
        share = min(100, self._present * 100 // max(1, duration_ms))
        self._counts[0] = self._counts[1] = self._sum = self._max = self._present = 0
        return toward, away, mean, top, share

    def hour(self, hour) -> None:
        """Add what was counted since the last call to an Hour, with V85 and occupancy."""
        now_ms = ticks_ms()
        n = self._hour[0] + self._hour[1]
        hour.toward += self._hour[0]
        hour.away += self._hour[1]
        hour.v85 = v85(self._bins, n)
        hour.v85_too_few = int(n < _ENOUGH)
        for i in range(_BINS):
            hour.speeds[i] += self._bins[i]
            self._bins[i] = 0
        duration_s = max(1, ticks_diff(now_ms, self._hour_ms) // 1000)
        hour.occupancy = min(100, self._beam_ms // 10 // duration_s)
        self._hour_ms = now_ms
        self._hour[0] = self._hour[1] = self._beam_ms = 0


def v85(bins, n: int):
    """Return the speed in km/h that 85 % of n vehicles keep below, evenly spread in bins of 5."""
    if not n:
        return None
    left = 85 * n
    for i in range(len(bins)):
        inside = 100 * bins[i]
        if left <= inside:
            return 5 * i + (5 * left + (inside >> 1)) // inside
        left -= inside
    return None
