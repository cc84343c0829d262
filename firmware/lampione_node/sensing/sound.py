"""A- and C-weighting of a 48 kHz microphone in 32-bit integers.

Source: IEC 61672-1:2013 annex E. All poles of A and C are real, so the chain is made of
first-order sections: two high-passes at 20.6 Hz, the section of one pole and one zero that
stands for the pair at 12.2 kHz, the C tap, high-passes at 107.7 and 737.9 Hz, the A tap.
Both responses stay within 0.07 dB of the analytic curves from 10 Hz to 20 kHz.
"""

from array import array

import micropython
from micropython import const

from ..drivers import health
from .levels import (
    BINS,
    CLASSES,
    SUMS,
    add_block,
    centibels,
    clear_bins,
    fast,
    mean_centibels,
    percentile,
)

RATE_HZ = const(48000)
BLOCK = const(300)  # samples: 6.25 ms; 20 blocks make one 125 ms value of LAF
BLOCK_BYTES = const(1200)
BLOCKS_PER_S = const(160)

# What snapshot() returns, in order
LAEQ = const(0)
LAFMAX = const(1)
LA10 = const(2)
LA50 = const(3)
LA90 = const(4)
LCEQ = const(5)
VALID_PERCENT = const(6)
CLIPPED_PERCENT = const(7)
STATE = const(8)

# Full scale (a sine of 2^20 amplitude at the input) is 120 dB SPL. A block's energy comes in
# units of 128 squared steps, the gain of the chain at 1 kHz is 1.6836 (A) and 1.9899 (C):
# 12000 + 1000 lg(128 / 300) - 2000 lg(gain * 2^20 / sqrt(2)), in 0.01 dB
_A_OFFSET = const(-562)
_C_OFFSET = const(-707)

_SETTLE_BLOCKS = const(20)  # 16 time constants of the lowest pole: a start's step has died away
_QUIET_CB = const(1500)  # the ICS-43434 itself makes 29 dB(A): below 15 nothing is connected
# C-weighted energy (high limb) of 85 dB. A block with one clipped sample has more, so only such
# blocks are searched for them.
_LOUD = const(100)


@micropython.viper
def weigh(x: int, t: int, words: ptr32, state: ptr32):  # noqa: F821
    """Filter one block and put its energies into `state`.

    Called as weigh(first, count, words, state): `count` words, 300 at most, from words[first];
    each is a sample left-justified in 32 bits. The arguments that become the hottest temporaries
    stand first because the compiler keeps those in registers.

    `state` (array 'i'): 0-4 the filters, 5-7 C energy, 8-10 A energy. With y the weighted sample,
    t = y >> 11 and b = y & 2047, an energy is the sums of t*t, t*b and b*b: exactly
    sum(y*y) = sum(t*t) * 2^22 + sum(t*b) * 2^12 + sum(b*b).

    Bounds, for any input of 21 bits (sum of the absolute impulse response times 2^20, plus
    rounding): states 2^30.72, products 2^30.65, y 2^22.16, sums over 300 samples 2^30.55.
    """
    sign = 1
    sign <<= 31
    # On a 64-bit machine a load does not extend the sign; there and on 32 bits this does.
    s0 = (int(state[0]) ^ sign) - sign
    s1 = (int(state[1]) ^ sign) - sign
    s2 = (int(state[2]) ^ sign) - sign
    s3 = (int(state[3]) ^ sign) - sign
    s4 = (int(state[4]) ^ sign) - sign
    i = x
    end = x + t
    b = 0
    ctt = 0
    ctb = 0
    cbb = 0
    att = 0
    atb = 0
    abb = 0
    while i < end:
        x = (int(uint(words[i]) >> 11) ^ 1048576) - 1048576  # noqa: F821
        i += 1
        x -= s0 >> 10  # 20.6 Hz
        s0 += (x * 706) >> 8
        x -= s1 >> 10  # 20.6 Hz
        s1 += (x * 706) >> 8
        t = s2 >> 9  # 12.2 kHz, twice
        s2 += (x - t) * 353
        x += t
        t = x >> 11
        b = x & 2047
        ctt += t * t
        ctb += t * b
        cbb += b * b
        x -= s3 >> 9  # 107.7 Hz
        s3 += (x * 231) >> 5
        x -= s4 >> 9  # 737.9 Hz
        s4 += (x * 94) >> 1
        t = x >> 11
        b = x & 2047
        att += t * t
        atb += t * b
        abb += b * b
    state[0] = s0
    state[1] = s1
    state[2] = s2
    state[3] = s3
    state[4] = s4
    state[5] = ctt
    state[6] = ctb
    state[7] = cbb
    state[8] = att
    state[9] = atb
    state[10] = abb


@micropython.viper
def clipped(i: int, count: int, words: ptr32) -> int:  # noqa: F821
    """Return 1 when one of words[i : i + count] is at an end of the range, to 20 bits."""
    count += i
    while i < count:
        x = (int(uint(words[i]) >> 12) + 1) & 1048575  # noqa: F821
        if x == 524288 or x == 524289:
            return 1
        i += 1
    return 0


class SoundMeter:
    """Levels of an interval from blocks of 48 kHz samples.

    A level is 20 lg(rms / rms of a full-scale sine) + 120 dB: the ICS-43434's acoustic overload
    point is its full scale. `process` allocates nothing.

    Attributes:
        classes: array('H') of CLASSES counts of 125 ms LAF values in 5 dB steps, the first
            20-25 dB, filled by snapshot(); whoever reports it (hourly) sets it back to 0.
    """

    def __init__(self, quiet_cb=_QUIET_CB):
        """Make a meter that takes blocks below `quiet_cb` (0.01 dB(A)) for a dead microphone."""
        self._state = array("i", [0] * 11)
        self._a = array("i", [0] * SUMS)
        self._c = array("i", [0] * SUMS)
        self._bins = array("H", [0] * BINS)
        self.classes = array("H", [0] * CLASSES)
        self._quiet_cb = quiet_cb
        self._settle = _SETTLE_BLOCKS
        self._seen = 0
        self._used = 0
        self._clipped = 0
        self._samples = 0

    def settle(self):
        """Skip the next 125 ms: the microphone has just been started."""
        self._settle = _SETTLE_BLOCKS

    def process(self, words, size):
        """Take the first `size` bytes of a buffer of 32-bit words, whole blocks of 300 samples.

        Raises ValueError when `size` is not a multiple of 1200.
        """
        if size % BLOCK_BYTES:
            raise ValueError("sound comes in blocks of 1200 bytes")
        state = self._state
        a = self._a
        c = self._c
        for first in range(0, size >> 2, BLOCK):
            weigh(first, BLOCK, words, state)
            self._seen += 1
            if self._settle:
                self._settle -= 1
                continue
            add_block(state, 8, a, 0)
            if a[0] == 0 and centibels(0, a[1]) + _A_OFFSET < self._quiet_cb:
                continue
            add_block(state, 8, a, 1)
            add_block(state, 5, c, 1)
            self._used += 1
            if c[0] >= _LOUD and clipped(first, BLOCK, words):
                self._clipped += 1
            if fast(a):
                n = (centibels(a[5], a[6]) + (_A_OFFSET - 2000)) // 20
                self._bins[0 if n < 0 else n if n < BINS else BINS - 1] += 1
                self._samples += 1

    def snapshot(self, duration_ms):
        """Return the levels since the last snapshot and start afresh; no block is lost.

        Args:
            duration_ms: how long that was, to know the share of sound that never came.

        Returns:
            (LAeq, LAFmax, LA10, LA50, LA90, LCeq) in 0.1 dB, each None when there was no valid
            sound; the share of valid and of clipped blocks in percent; the microphone's state
            (drivers.health). Clipped blocks are in the levels (without them they would be lower
            still) but not in the valid share.
        """
        levels = [None] * 9
        a = self._a
        n = self._used
        if n:
            levels[LAEQ] = _tenths(mean_centibels(a, n) + _A_OFFSET)
            levels[LAFMAX] = _tenths(centibels(a[7], a[8]) + _A_OFFSET)
            levels[LCEQ] = _tenths(mean_centibels(self._c, n) + _C_OFFSET)
        if self._samples:
            for i, percent in ((LA10, 10), (LA50, 50), (LA90, 90)):
                levels[i] = _tenths(2000 + percentile(self._bins, self._samples, percent))
        expected = duration_ms * 4 // 25 or 1
        levels[VALID_PERCENT] = min(100, ((n - self._clipped) * 200 + expected) // (2 * expected))
        levels[CLIPPED_PERCENT] = min(100, -(-self._clipped * 100 // expected))
        if not self._seen:
            levels[STATE] = health.SILENT
        elif self._settle:
            levels[STATE] = health.WARMING
        elif not n:
            levels[STATE] = health.STUCK
        else:
            levels[STATE] = health.IMPLAUSIBLE if self._clipped * 10 > n else health.OK
        clear_bins(self._bins, self.classes)
        for sums in (a, self._c):
            sums[2] = sums[3] = sums[4] = sums[7] = sums[8] = 0
        self._seen = self._used = self._clipped = self._samples = 0
        return levels


def _tenths(centibels):
    return (centibels + 5) // 10
