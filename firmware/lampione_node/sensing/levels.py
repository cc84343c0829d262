"""Sound levels from block energies, in 32-bit integers.

An energy is kept in limbs of 24 bits, in units of 128 squared sample steps. A meter's sums are an
array('i') of SUMS words:

    0, 1     the last block's energy, high and low limb
    2, 3, 4  the sum of the interval's blocks, top, high and low limb
    5, 6     the F-weighted block energy (125 ms, exponential), high and low limb
    7, 8     its largest value in the interval
    9        blocks since the last 125 ms value
"""

import micropython
from micropython import const

SUMS = const(10)
BINS = const(512)  # of 0.2 dB from 20 dB
CLASSES = const(21)  # of 5 dB from 20 dB


@micropython.viper
def add_block(state: ptr32, at: int, sums: ptr32, keep: int):  # noqa: F821
    """Turn state[at : at + 3] (see sound.weigh) into limbs; with `keep` add it to the interval.

    The energy is (t*t) * 2^22 + (t*b) * 2^12 + b*b below 2^53; its low seven bits are dropped.
    """
    sign = 1
    sign <<= 31
    mask = 0xFFFFFF
    tt = int(state[at])
    tb = (int(state[at + 1]) ^ sign) - sign
    low = ((tt & 511) << 15) + ((tb & 0x7FFFF) << 5) + (int(state[at + 2]) >> 7)
    high = (tt >> 9) + (tb >> 19) + (low >> 24)
    low &= mask
    sums[0] = high
    sums[1] = low
    if keep:
        low += int(sums[4])
        high += int(sums[3]) + (low >> 24)
        sums[4] = low & mask
        sums[3] = high & mask
        sums[2] = int(sums[2]) + (high >> 24)


@micropython.viper
def fast(sums: ptr32) -> int:  # noqa: F821
    """Bring the F weighting up to date with the last block; return 1 every 20 blocks (125 ms).

    Per block F += (E - F) * 100 / 2048 (1 - exp(-6.25 / 125) is 99.9 / 2048), rounded; each limb
    times 100 stays below 2^30.7.
    """
    mask = 0xFFFFFF
    product = (int(sums[0]) - int(sums[5])) * 100
    low = int(sums[6]) + ((product & 2047) << 13)
    low += ((int(sums[1]) - int(sums[6])) * 100 + 1024) >> 11
    high = int(sums[5]) + (product >> 11) + (low >> 24)
    low &= mask
    sums[5] = high
    sums[6] = low
    top = int(sums[7])
    if high > top or (high == top and low > int(sums[8])):
        sums[7] = high
        sums[8] = low
    count = int(sums[9]) + 1
    if count == 20:
        sums[9] = 0
        return 1
    sums[9] = count
    return 0


@micropython.viper
def centibels(high: int, low: int) -> int:
    """Return 1000 lg(high * 2^24 + low), rounded down to an integer; limbs of 24 bits; 0 for 0."""
    if high == 0 and low == 0:
        return 0
    whole = 47
    while high < 0x800000:
        high = (high << 1) | (low >> 23)
        low = (low << 1) & 0xFFFFFF
        whole -= 1
    m = high >> 9  # 15 bits, 1.0 is 2^14
    bits = 0
    i = 0
    while i < 10:  # squaring shows the next bit of the logarithm
        m = (m * m) >> 14
        bits <<= 1
        if m >= 32768:
            m >>= 1
            bits |= 1
        i += 1
    return (((whole << 10) | bits) * 9633) >> 15  # 1000 lg 2 / 1024


def mean_centibels(sums, blocks):
    """Return 1000 lg of the interval's mean block energy."""
    if sums[2]:
        total = centibels(sums[2], sums[3]) + 7225  # 1000 lg 2^24
    else:
        total = centibels(sums[3], sums[4])
    return total - centibels(0, blocks)


@micropython.viper
def percentile(bins: ptr16, samples: int, percent: int) -> int:  # noqa: F821
    """Return the level that `percent` of `samples` exceed, in 0.01 dB above the lowest bin.

    Within a bin the samples count as evenly spread.
    """
    need = (samples - 1) * percent + 50  # a sample stands for the middle of its share
    i = 512
    count = 0
    while i > 0 and need > 0:
        i -= 1
        count = int(bins[i]) * 100
        need -= count
    if count == 0:
        return 0
    # need is now 0 or less: so much of the bin's count lies below the level
    return i * 20 - need * 20 // count


@micropython.viper
def clear_bins(bins: ptr16, classes: ptr16):  # noqa: F821
    """Add the counts to the 5 dB classes and set them back to 0."""
    i = 0
    while i < 512:
        if int(bins[i]):
            classes[i // 25] = int(classes[i // 25]) + int(bins[i])
            bins[i] = 0
        i += 1
