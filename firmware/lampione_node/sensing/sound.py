"""The levels of an interval from blocks of a 48 kHz microphone, and what is to be told at once.

Of an interval with less than 75 % of its blocks there are no levels. The state that
`SoundMeter.snapshot` returns is for the interval that has just ended:

    OK            75 % or more
    IMPLAUSIBLE   the same, but more than a tenth of them has samples at an end of the range
    WARMING       less, since the microphone has just been started
    STUCK         less, and more than 25 % were below 15 dB(A): a line that is dead or stands still.
                  The chain's own arithmetic makes 5 dB(A) at most, the quietest microphone 29
    STALE         less, since samples were lost
    SILENT        none at all; ABSENT as long as there has never been enough

So a fault shows at the end of the interval in which it fills a quarter, one or two reports after
it began.
"""

from array import array

import micropython
from micropython import const

from ..drivers import health
from .levels import BINS, SUMS, centibels, gather, largest, mean_centibels, percentiles

BLOCK = const(300)  # samples: 6.25 ms at 48 kHz; 20 blocks make one 125 ms value of LAF
_BLOCK_BYTES = const(1200)
HOUR_BINS = const(96)  # of 1 dB from 24 dB

# Full scale (a sine of 2^20 amplitude at the input) is 120 dB SPL. A block's energy comes in
# units of 128 squared steps, the gain of the chain at 1 kHz is 1.6836 (A) and 1.9899 (C):
# 12000 + 1000 lg(128 / 300) - 2000 lg(gain * 2^20 / sqrt(2)), in 0.01 dB
_A_OFFSET = const(-562)
_C_MORE = const(-145)  # C's is -707

_SETTLE_BLOCKS = const(20)  # 16 time constants of the lowest pole: a start's step has died away
_QUIET = const(115)  # 15 dB(A)
# C energy (high limb) of a block that is searched for clipped samples, 85 dB. One alone has 512.
_LOUD = const(100)
_BEAT = const(20)  # blocks to a value of LAF
_FALL = const(600)  # so far below the set level an impulse is over, 0.01 dB
_FULL = const(65535)


@micropython.viper
def clipped(i: int, end: int, words: ptr32) -> int:  # noqa: F821
    """Return 1 when one of words[i:end] is at an end of the range (of 20 bits), else 0."""
    while i < end:
        # 0x7FFFF and 0x80000, one more and halved, are the same
        if (int(uint(words[i]) >> 12) + 1) >> 1 == 262144:  # noqa: F821
            return 1
        i += 1
    return 0


class SoundMeter:
    """Levels of an interval from blocks of 48 kHz samples.

    A level is 20 lg(rms / rms of a full-scale sine) + 120 dB: the ICS-43434's acoustic overload
    point is its full scale. `process` allocates nothing.

    Attributes:
        hour: how many values of LAF, one every 125 ms, fell into each of 96 bins of 1 dB from
            24 dB; the first holds lower ones too, the last higher. Whoever reads them empties
            them. Full after 2 hours at one level.
        impulse: the largest LAF (0.01 dB) of a peak of `peak_db` or more, 0 when there is none
            that is new. Whoever reads it sets it to 0. The next comes when the level has been
            6 dB lower.
    """

    def __init__(self, curve="", offset_cdb=0, peak_db=0, quiet=_QUIET):
        """Make a meter that takes a block of less A energy than `quiet` for a dead microphone.

        Args:
            curve: the microphone, one of equalised.CURVES, or "" for one that is flat.
            offset_cdb: calibration: what is added to every level, in 0.01 dB.
            peak_db: LAF of an impulse that is told, 75 or more; 0: none is.
            quiet: in 128 squared steps a block; 115 is 15 dB(A), tenfold every 10 dB.

        Raises KeyError for a microphone that is not known, TypeError.
        """
        factors = (0, 0, 0, 0)
        if curve:
            from .equalised import CURVES, weigh

            factors = CURVES[curve]
        else:
            from .flat import weigh
        self._weigh = weigh
        self._state = array("i", [0] * 12)
        self._state.extend(array("i", factors))
        self._offset = _A_OFFSET + offset_cdb + factors[3]
        self._peak = peak_db * 100
        self._a = array("i", [0] * SUMS)
        self._c = array("i", [0] * SUMS)
        self._bins = array("H", [0] * BINS)
        self.hour = array("H", [0] * HOUR_BINS)
        self._quiet = quiet
        self._settle = _SETTLE_BLOCKS
        self._beat = 0
        self._seen = 0
        self._used = 0
        self._clipped = 0
        self._samples = 0
        self._steps = self._last = 0
        self._loudest = 0  # of an impulse that still rises; -1 after it
        self.impulse = 0
        self._begun = False  # there has been a good interval

    def settle(self):
        """Skip the next 125 ms: the microphone has just been started."""
        self._settle = _SETTLE_BLOCKS

    def process(self, words, size):
        """Take the first `size` bytes of a buffer of 32-bit words, whole blocks of 300 samples.

        The words may be changed. Raises ValueError when `size` is not a multiple of 1200.
        """
        if size % _BLOCK_BYTES:
            raise ValueError("sound: not whole blocks")
        weigh = self._weigh
        state = self._state
        a = self._a
        c = self._c
        quiet = self._quiet
        for first in range(0, size >> 2, BLOCK):
            weigh(first, BLOCK, words, state)
            self._seen += 1
            if self._settle:
                self._settle -= 1
                continue
            if not gather(state, 8, a, quiet):
                continue
            self._used += 1
            if gather(state, 5, c, 0) > _LOUD and clipped(first, first + BLOCK, words):
                self._clipped += 1
            self._beat += 1
            if self._beat == _BEAT:
                self._beat = 0
                self._count()

    def _count(self):
        """Count LAF of this moment, and look at what the 125 ms before it had."""
        a = self._a
        c = self._c
        n = (centibels(a[3], a[4]) + self._offset - 2000) // 20
        self._bins[0 if n < 0 else n if n < BINS else BINS - 1] += 1
        self._samples += 1
        n = (n - 20) // 5
        n = 0 if n < 0 else n if n < HOUR_BINS else HOUR_BINS - 1
        if self.hour[n] < _FULL:
            self.hour[n] += 1
        n = centibels(c[3], c[4])
        if self._last:
            self._steps += abs(n - self._last)
        self._last = n
        n = centibels(a[5], a[6]) + self._offset if self._peak and a[5] else 0
        largest(a)
        loudest = self._loudest
        if loudest < 0:
            if n < self._peak - _FALL:
                self._loudest = 0
        elif n > loudest and n >= self._peak:
            self._loudest = n
        elif loudest:
            self.impulse = loudest
            self._loudest = -1

    def snapshot(self, duration_ms):
        """Return the levels since the last snapshot and start afresh; no block is lost.

        Args:
            duration_ms: how long that was, to know the share of sound that never came.

        Returns:
            LAeq, LAFmax, LA10, LA50, LA90, LCeq in 0.1 dB, each None when too little was heard;
            the share of valid and of clipped blocks in percent; the microphone's state
            (drivers.health); the mean step, up or down, of LCF from one 125 ms to the next, in
            0.1 dB. Clipped blocks are in the levels (without them they would be lower
            still) but not in the valid share.
        """
        a = self._a
        c = self._c
        n = self._used
        samples = self._samples
        expected = duration_ms * 4 // 25 or 1
        found = [None] * 6
        if samples:
            found[2:5] = percentiles(self._bins, samples)
        if n * 4 >= expected * 3:
            largest(a)
            found[0] = mean_centibels(a, n) + self._offset
            found[1] = centibels(a[7], a[8]) + self._offset
            found[5] = mean_centibels(c, n) + self._offset + _C_MORE
            found = [None if level is None else (level + 5) // 10 for level in found]
            state = health.IMPLAUSIBLE if self._clipped * 10 > n else health.OK
            self._begun = True
        else:
            found = [None] * 6
            state = health.SILENT if self._begun else health.ABSENT
            if self._seen:
                state = health.STALE if self._begun else health.WARMING
                if self._settle:
                    state = health.WARMING
                elif (self._seen - n) * 4 > expected:
                    state = health.STUCK
        found.append(min(100, ((n - self._clipped) * 100 + expected // 2) // expected))
        found.append(min(100, -(-self._clipped * 100 // expected)))
        found.append(state)
        found.append(self._steps // (samples or 1) // 10)
        for i in (0, 1, 2):
            a[i] = a[i + 6] = c[i] = 0
        self._seen = self._used = self._clipped = self._samples = 0
        self._steps = 0
        return found
