"""Sound levels from block energies, in 32-bit integers.

An energy is kept in limbs of 24 bits, in units of 128 squared sample steps. A meter's sums are an
array('i') of SUMS words:

    0, 1, 2  the sum of the interval's blocks: top, high and low limb
    3, 4     the F-weighted block energy (125 ms, exponential), high and low limb
    5, 6     its largest value since `largest` was called
    7, 8     its largest value before that, in the interval
"""

import micropython
from micropython import const

SUMS = const(9)
BINS = const(512)  # of 0.2 dB from 20 dB


@micropython.viper
def energy(state: ptr32, at: int, limbs: ptr32):  # noqa: F821
    """Put the energy state[at : at + 3] (see sound.weigh) into limbs[0] (high) and limbs[1].

    It is (t*t) * 2^22 + (t*b) * 2^12 + b*b, below 2^53; its low seven bits are dropped.
    """
    sign = 1
    sign <<= 31
    high = int(state[at])
    tb = (int(state[at + 1]) ^ sign) - sign
    low = ((high & 511) << 15) + ((tb & 0x7FFFF) << 5) + (int(state[at + 2]) >> 7)
    limbs[0] = (high >> 9) + (tb >> 19) + (low >> 24)
    limbs[1] = low & 0xFFFFFF


def add(sums, high, low):
    """Add a block's energy to the interval. All integers stay below 2^30: none on the heap."""
    low += sums[2]
    high += sums[1] + (low >> 24)
    sums[2] = low & 0xFFFFFF
    sums[1] = high & 0xFFFFFF
    sums[0] += high >> 24


def fast(sums, high, low):
    """Bring the F weighting up to date with a block's energy, and its largest value.

    F += (E - F) * 25 / 512, rounded (1 - exp(-6.25 / 125) is 24.97 / 512). Limbs of energy are
    below 2^24, so that all integers stay below 2^30: none on the heap.
    """
    f_high = sums[3]
    f_low = sums[4]
    high = (high - f_high) * 25
    f_low += ((high & 511) << 15) + ((low - f_low) * 25 + 256 >> 9)
    f_high += (high >> 9) + (f_low >> 24)
    f_low &= 0xFFFFFF
    sums[3] = f_high
    sums[4] = f_low
    if f_high > sums[5] or (f_high == sums[5] and f_low > sums[6]):
        sums[5] = f_high
        sums[6] = f_low


def largest(sums):
    """Fold the largest F-weighted energy of now into that of the interval, and begin anew."""
    high = sums[5]
    low = sums[6]
    if high > sums[7] or (high == sums[7] and low > sums[8]):
        sums[7] = high
        sums[8] = low
    sums[5] = sums[6] = 0


def centibels(high, low):
    """Return 1000 lg(high * 2^24 + low), an integer; limbs of 24 bits; 0 for 0.

    Every intermediate is a small integer on 32 bits (below 2^30): nothing is allocated.
    """
    whole = 47
    if not high:
        if not low:
            return 0
        high = low
        low = 0
        whole = 23
    while high < 0x800000:
        high = (high << 1) | (low >> 23)
        low = (low << 1) & 0xFFFFFF
        whole -= 1
    high >>= 9  # 15 bits, 1.0 is 2^14
    for _ in range(10):  # squaring shows the next bit of the logarithm
        high = high * high >> 14
        whole <<= 1
        if high & 32768:
            high >>= 1
            whole |= 1
    return whole * 9633 >> 15  # 1000 lg 2 / 1024


def mean_centibels(sums, blocks):
    """Return 1000 lg of the interval's mean block energy."""
    top, high, low = sums[0], sums[1], sums[2]
    if top:  # 7225: 1000 lg 2^24
        return centibels(top, high) + 7225 - centibels(0, blocks)
    return centibels(high, low) - centibels(0, blocks)


def percentiles(bins, samples):
    """Return the levels that 10, 50 and 90 % of `samples` exceed, in 0.01 dB, and empty the bins.

    Within a bin the samples count as evenly spread.
    """
    found = []
    percent = 10
    # a sample stands for the middle of its share; in hundredths of a sample
    need = (samples - 1) * 10 + 50
    for i in range(BINS - 1, -1, -1):
        count = bins[i]
        if count:
            bins[i] = 0
            count *= 100
            need -= count
            while need <= 0 and percent < 100:
                # -need so much of the bin lies below the level
                found.append(2000 + i * 20 - need * 20 // count)
                percent += 40
                need += (samples - 1) * 40
    return found
