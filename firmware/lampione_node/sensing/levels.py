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
def gather(state: ptr32, at: int, sums: ptr32, quiet: int) -> int:  # noqa: F821
    """Add a block's energy, state[at : at + 3] (see flat.weigh), to `sums`.

    It is (t*t) * 2^22 + (t*b) * 2^12 + b*b, below 2^53; its low seven bits are dropped. The F
    weighting is F += (E - F) * 25 / 512, rounded (1 - exp(-6.25 / 125) is 24.97 / 512).

    Returns the energy's high limb plus one; 0 for an energy below `quiet`, which is left out.
    """
    sign = 1
    sign <<= 31
    high = int(state[at])
    t = (int(state[at + 1]) ^ sign) - sign
    low = ((high & 511) << 15) + ((t & 0x7FFFF) << 5) + (int(state[at + 2]) >> 7)
    high = (high >> 9) + (t >> 19) + (low >> 24)
    low &= 0xFFFFFF
    if high == 0:
        if low < quiet:
            return 0
    t = int(sums[2]) + low
    sums[2] = t & 0xFFFFFF
    t = int(sums[1]) + high + (t >> 24)
    sums[1] = t & 0xFFFFFF
    sums[0] = int(sums[0]) + (t >> 24)
    f_high = int(sums[3])
    f_low = int(sums[4])
    t = (high - f_high) * 25
    f_low += ((t & 511) << 15) + (((low - f_low) * 25 + 256) >> 9)
    f_high += (t >> 9) + (f_low >> 24)
    f_low &= 0xFFFFFF
    sums[3] = f_high
    sums[4] = f_low
    t = f_high - int(sums[5])
    if t == 0:
        t = f_low - int(sums[6])
    if t > 0:
        sums[5] = f_high
        sums[6] = f_low
    return high + 1


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
