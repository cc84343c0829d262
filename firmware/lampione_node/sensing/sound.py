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
from .levels import BINS, SUMS, add, centibels, energy, fast, mean_centibels, percentiles

BLOCK = const(300)  # samples: 6.25 ms at 48 kHz; 20 blocks make one 125 ms value of LAF
_BLOCK_BYTES = const(1200)

# Full scale (a sine of 2^20 amplitude at the input) is 120 dB SPL. A block's energy comes in
# units of 128 squared steps, the gain of the chain at 1 kHz is 1.6836 (A) and 1.9899 (C):
# 12000 + 1000 lg(128 / 300) - 2000 lg(gain * 2^20 / sqrt(2)), in 0.01 dB
_A_OFFSET = const(-562)
_C_OFFSET = const(-707)

_SETTLE_BLOCKS = const(20)  # 16 time constants of the lowest pole: a start's step has died away
_QUIET = const(115)  # 15 dB(A); the ICS-43434 itself makes 29: below 15 nothing is connected
# C energy (high limb) of a block that is searched for clipped samples, 85 dB. One alone has 512.
_LOUD = const(100)
_BEAT = const(20)  # blocks to a value of LAF


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
    """

    def __init__(self, quiet=_QUIET):
        """Make a meter that takes a block of less A energy than `quiet` for a dead microphone.

        Args:
            quiet: in 128 squared steps a block; 115 is 15 dB(A), tenfold every 10 dB.
        """
        self._state = array("i", [0] * 11)
        self._a = array("i", [0] * SUMS)
        self._c = array("i", [0] * SUMS)
        self._limbs = array("i", [0, 0])
        self._bins = array("H", [0] * BINS)
        self._quiet = quiet
        self._settle = _SETTLE_BLOCKS
        self._beat = 0
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
        if size % _BLOCK_BYTES:
            raise ValueError("sound: not whole blocks")
        state = self._state
        a = self._a
        c = self._c
        limbs = self._limbs
        for first in range(0, size >> 2, BLOCK):
            weigh(first, BLOCK, words, state)
            self._seen += 1
            if self._settle:
                self._settle -= 1
                continue
            energy(state, 8, limbs)
            high = limbs[0]
            low = limbs[1]
            if not high and low < self._quiet:
                continue
            add(a, high, low)
            fast(a, high, low)
            energy(state, 5, limbs)
            high = limbs[0]
            add(c, high, limbs[1])
            self._used += 1
            if high >= _LOUD and clipped(first, first + BLOCK, words):
                self._clipped += 1
            self._beat += 1
            if self._beat == _BEAT:
                self._beat = 0
                n = (centibels(a[3], a[4]) + (_A_OFFSET - 2000)) // 20
                self._bins[0 if n < 0 else n if n < BINS else BINS - 1] += 1
                self._samples += 1

    def snapshot(self, duration_ms):
        """Return the levels since the last snapshot and start afresh; no block is lost.

        Args:
            duration_ms: how long that was, to know the share of sound that never came.

        Returns:
            LAeq, LAFmax, LA10, LA50, LA90, LCeq in 0.1 dB, each None when there was no valid
            sound; the share of valid and of clipped blocks in percent; the microphone's state
            (drivers.health). Clipped blocks are in the levels (without them they would be lower
            still) but not in the valid share.
        """
        a = self._a
        c = self._c
        n = self._used
        found = [None] * 6
        state = health.SILENT
        if n:
            found[0] = mean_centibels(a, n) + _A_OFFSET
            found[1] = centibels(a[5], a[6]) + _A_OFFSET
            if self._samples:
                found[2:5] = percentiles(self._bins, self._samples)
            found[5] = mean_centibels(c, n) + _C_OFFSET
            found = [None if level is None else (level + 5) // 10 for level in found]
            state = health.IMPLAUSIBLE if self._clipped * 10 > n else health.OK
        elif self._seen:
            state = health.WARMING if self._settle else health.STUCK
        expected = duration_ms * 4 // 25 or 1
        found.append(min(100, ((n - self._clipped) * 100 + expected // 2) // expected))
        found.append(min(100, -(-self._clipped * 100 // expected)))
        found.append(state)
        for i in (0, 1, 2, 5, 6):
            a[i] = c[i] = 0
        self._seen = self._used = self._clipped = self._samples = 0
        return found
