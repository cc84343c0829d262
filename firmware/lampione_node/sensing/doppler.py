"""Vehicles from the samples of a CW Doppler module.

A module without I/Q does not tell the direction, the shape of a track does: who comes falls in
Doppler shift, who goes rises. The fit of its drive (fit.py) gives the speed at the section 15 m
before the pole, free of the cosine error, and the moment of passing. One body has several echoes,
and shows behind the antenna too: what is at one place at one moment is one vehicle.
"""

from micropython import const

from .fit import CAR_MM, SECTION_MM, crossing, fit, place
from .peaks import Peaks
from .tracks import Tracks

_STEP = const(112422175)  # mm/s of 1/32 line * 2^10 * MHz: 12 kHz / 512 / 32 * c / 2
_SLOWEST = const(3300)  # mm/s: who is slower walks or runs
_FASTEST = const(37000)
_SLOW = const(5000)  # arms and legs are as fast, but not for long
_SLOW_MM = const(12000)  # of road on which a slow one must be seen
_LEAST_MM = const(3500)  # and any other
_FEWEST = const(12)  # points of a fit
_COST = const(160)  # of a fit that is believed
_UNLIKE = const(3)  # so many times worse the other direction must fit
_NEAR_MM = const(18000)  # a track that does not come nearer has no shape
_PART_NEAR_MM = const(12000)
_BEYOND_MS = const(800)  # the section is crossed no longer before or after what was seen
_BEHIND_MM = const(30000)  # a vehicle is not seen farther behind the antenna
_BEHIND = const(30)  # and there at least 5.6 dB weaker
_WAIT_MS = const(1500)  # for a better fit of the same vehicle
_LONGEST_MS = const(6000)
_KEEP_MS = const(25000)
_DAY = const(4194304)  # frames


class _Pass:
    """A vehicle's drive past, as one track shows it."""

    def __init__(self, ms, speed, toward, strength, ended, excess, far):
        self.ms = ms  # when its front crossed the section
        self.speed = speed
        self.toward = toward
        self.strength = strength
        self.ended = ended
        self.excess = excess
        self.far = far
        self.judged = False
        self.counted = False

    def beside(self):
        """Return when what is seen of it was beside the pole."""
        way = SECTION_MM if self.toward else CAR_MM - SECTION_MM
        return self.ms + way * 1000 // self.speed

    def same(self, other):
        """Return whether this, the weaker, is another echo of the other's vehicle."""
        off = (self.speed - other.speed) * 16 // other.speed
        if self.toward == other.toward:
            return -5 < off < 4 and abs(self.ms - other.ms) < 15000000 // other.speed
        # behind the antenna it goes (or comes) at the same speed
        return (
            self.excess + _BEHIND < other.excess
            and self.far < _BEHIND_MM
            and -5 < off < 5
            and abs(self.beside() - other.beside()) < 8000000 // other.speed
        )


class Doppler:
    """Counts vehicles.

    Args:
        traffic: its count(toward, speed in 0.1 km/h) is called for a vehicle, and its present(ms)
            again and again while somebody walks.
        carrier_mhz: 24125 for a CDM324, 10525 for an HB100.
        toward_cm, away_cm: distance of the module from the middle of each lane, slant.

    Attributes:
        section_ms: when the last vehicle counted crossed the section, on the frames' clock.
    """

    def __init__(self, traffic, carrier_mhz, toward_cm, away_cm):
        self._traffic = traffic
        self._step = _STEP // carrier_mhz
        self._aside = away_cm, toward_cm
        self._peaks = Peaks(max(3, carrier_mhz // 4000))
        self._tracks = Tracks(self._ended)
        self._queue = []
        self._fitting = None
        self._passes = []
        self._ms = 0
        self.section_ms = 0

    def process(self, words, now_ms):
        """Take peaks.BUFFER_BYTES of the ADC's stereo frames, which ended at `now_ms`."""
        peaks = self._peaks
        if not peaks.take(words):
            return
        for second in (0, 1):
            count = peaks.look(second)
            self._tracks.take(peaks.frame, peaks.found, count)
        self._ms = peaks.frame * 64 // 3
        if peaks.walker:
            self._traffic.present(now_ms)
        if self._queue or self._fitting:
            self._work()
        if self._passes:
            self._settle()
        elif peaks.frame > _DAY and not (self._queue or self._fitting or self._tracks.any()):
            peaks.frame = 0  # no number grows beyond a small integer
            peaks.restart()

    def restart(self):
        """Begin anew: samples were lost."""
        self._peaks.restart()

    def _ended(self, track):
        times = []
        speeds = []
        middle = track.born + track.last >> 1
        for i, at in enumerate(track.points):
            if at:
                # a slot's middle, in half frames
                half = 2 * track.born + (2 * i + 1 << track.wide) - 1
                times.append((half - 2 * middle) * 32 // 3)
                speeds.append(at * self._step >> 10)
        excess = track.excess // track.hits
        self._queue.append((times, speeds, middle * 64 // 3, excess, track.hits, 2))

    def _work(self):
        """Do a round or two of a fit."""
        for _ in range(2 if len(self._queue) < 3 else 4):
            if self._fitting is None:
                if not self._queue:
                    return
                self._fitting = self._judge(*self._queue.pop(0))
            try:
                next(self._fitting)
            except StopIteration:
                self._fitting = None

    def _judge(self, times, speeds, middle, excess, hits, whole):
        """Fit both directions; a generator, a round at a time."""
        n = len(times)
        fastest = max(speeds)
        if n < _FEWEST or fastest < _SLOWEST:
            return
        k = n // 3
        early = sum(speeds[:k])
        late = sum(speeds[-k:])
        best = None
        other = 9999
        toward = 0
        result = None
        for way in (0, 1):
            # a steep one leaves no doubt
            if (late * 8 < early * 7, early * 8 < late * 7)[way]:
                continue
            for result in fit(times, speeds, self._aside[way], way):
                yield
            if best and best[0] <= result[0]:
                other = result[0]
            else:
                other = best[0] if best else other
                best = result
                toward = way
        if best[0] > _COST:
            if whole:
                self._split(times, speeds, middle, excess, hits, whole)
            return
        if other < _UNLIKE * (best[0] + 4):
            return
        near = place(best, toward, times[-toward])
        far = place(best, toward, times[toward - 1])
        ms, speed = crossing(best, toward)
        if (
            near < (_NEAR_MM if whole == 2 else _PART_NEAR_MM)
            and far - near > (_SLOW_MM if fastest < _SLOW else _LEAST_MM)
            and _SLOWEST < speed < _FASTEST
            and times[0] - _BEYOND_MS < ms < times[-1] + _BEYOND_MS
        ):
            strength = hits * excess // (best[0] + 20)
            self._passes.append(_Pass(middle + ms, speed, toward, strength, self._ms, excess, far))

    def _split(self, times, speeds, middle, excess, hits, whole):
        """Queue the parts of a track that went over from one vehicle to another."""
        n = len(times)
        k = 0
        if whole == 2:
            k = speeds.index(max(speeds))
            if not _FEWEST <= k <= n - _FEWEST:
                k = speeds.index(min(speeds))
        if not _FEWEST <= k <= n - _FEWEST:
            k = n >> 1
            whole = 1
        for first, last in ((0, k), (k, n)):
            count = last - first
            if count >= _FEWEST:
                m = times[first + (count >> 1)]
                part = [t - m for t in times[first:last]]
                self._queue.append(
                    (part, speeds[first:last], middle + m, excess, hits * count // n, whole - 1)
                )

    def _settle(self):
        """Count who has waited for better fits of the same vehicle, forget who is long past."""
        passes = self._passes
        oldest = self._tracks.oldest() * 64 // 3
        for one in passes:
            age = self._ms - one.ended
            if one.judged or age < (_LONGEST_MS if oldest < one.ended else _WAIT_MS):
                continue
            one.judged = True
            for other in passes:
                if other is one or not (other.counted or other.strength > one.strength):
                    continue
                if one.same(other):
                    break
            else:
                one.counted = True
                self.section_ms = one.ms
                self._traffic.count(bool(one.toward), (one.speed * 36 + 500) // 1000)
        if self._ms - passes[0].ended > _KEEP_MS:
            passes.pop(0)
