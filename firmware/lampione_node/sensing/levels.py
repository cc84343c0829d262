"""Sound levels from block energies, in 32-bit integers.

An energy is kept in limbs of 24 bits, in units of 128 squared sample steps. A meter's sums are an
array('i') of SUMS words:

    0, 1, 2  the sum of the interval's blocks: top, high and low limb
    3, 4     the F-weighted block energy (125 ms, exponential), high and low limb
    5, 6     its largest value in the interval
    7        blocks since the last 125 ms value
"""

import micropython
from micropython import const

SUMS = const(8)
BINS = const(512)  # of 0.2 dB from 20 dB
CLASSES = const(96)  # of 1 dB from 24 dB, as the message Hour has them


@micropython.viper
def take(state: ptr32, at: int, sums: ptr32, quiet: int) -> int:  # noqa: F821
    """Take the block whose energy is state[at : at + 3] (see sound.weigh) into the sums.

    The energy is (t*t) * 2^22 + (t*b) * 2^12 + b*b below 2^53; its low seven bits are dropped.
    The F weighting goes on by F += (E - F) * 100 / 2048 (1 - exp(-6.25 / 125) is 99.9 / 2048),
    rounded; each limb times 100 stays below 2^30.7.

    Returns:
        -1 when the energy is below `quiet` (24 bits at most) and was not taken, 1 every 20 taken
        blocks (125 ms), else 0.
    """
    sign = 1
    sign <<= 31
    mask = 0xFFFFFF
    high = int(state[at])
    tb = (int(state[at + 1]) ^ sign) - sign
    low = ((high & 511) << 15) + ((tb & 0x7FFFF) << 5) + (int(state[at + 2]) >> 7)
    high = (high >> 9) + (tb >> 19) + (low >> 24)
    low &= mask
    if high == 0 and low < quiet:
        return -1
    carry = int(sums[2]) + low
    sums[2] = carry & mask
    carry = int(sums[1]) + high + (carry >> 24)
    sums[1] = carry & mask
    sums[0] = int(sums[0]) + (carry >> 24)

    product = (high - int(sums[3])) * 100
    low = ((low - int(sums[4])) * 100 + 1024) >> 11
    low += int(sums[4]) + ((product & 2047) << 13)
    high = int(sums[3]) + (product >> 11) + (low >> 24)
    low &= mask
    sums[3] = high
    sums[4] = low
    top = int(sums[5])
    if high > top or (high == top and low > int(sums[6])):
        sums[5] = high
        sums[6] = low
    high = int(sums[7]) + 1
    low = 0
    if high == 20:
        high = 0
        low = 1
    sums[7] = high
    return low


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


def percentiles(bins, samples, classes):
    """Return the levels that 10, 50 and 90 % of `samples` exceed, in 0.01 dB, and empty the bins.

    Within a bin the samples count as evenly spread. The counts go on into `classes`.
    """
    found = []
    percent = 10
    # a sample stands for the middle of its share; in hundredths of a sample
    need = (samples - 1) * 10 + 50
    for i in range(BINS - 1, -1, -1):
        count = bins[i]
        if count:
            bins[i] = 0
            classes[0 if i < 20 else i // 5 - 4 if i < 500 else 95] += count
            count *= 100
            need -= count
            while need <= 0 and percent < 100:
                # -need so much of the bin lies below the level
                found.append(2000 + i * 20 - need * 20 // count)
                percent += 40
                need += (samples - 1) * 40
    return found
