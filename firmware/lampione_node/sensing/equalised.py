"""A- and C-weighting as in `flat`, of a microphone whose own response is taken out.

Both microphones fall at low frequencies like two high-passes at 41.2 Hz, twice the 20.6 Hz of
the weighting: the two high-passes h of the chain, l = 1 - h, become shelves of twice the gain
below, and (h + 2 l)^2 = h^2 + 4 l costs a shift and an addition. At high frequencies the section
for the pair at 12.2 kHz gets other factors, and for a microphone that rises there the mean of two
neighbouring samples. What is left, against the responses drawn in the datasheets (DS-000069,
DS-INMP441-00), at 1 kHz zero:

    ics43434    0.7 dB from 31.5 Hz to 20 kHz, 1.5 dB down to 10 Hz (the part: +14 and -26 dB)
    inmp441     0.6 dB from 31.5 Hz to 16 kHz, 2.4 dB down to 20 Hz (the part: -5 and -12 dB)

The drawings are typical ones, read to half a decibel. Below, a part's own high-pass must keep
its offset away: the shelves would let it through.
"""

import micropython

# Factors for state[12:15] (see weigh), and what the gain at 1 kHz differs from flat's (0.01 dB)
CURVES = {"ics43434": (314, 216, 128, -1), "inmp441": (399, 380, 0, -9)}


@micropython.viper
def weigh(x: int, t: int, words: ptr32, state: ptr32):  # noqa: F821
    """Filter one block and put its energies into `state`.

    Called as flat.weigh is; words whose low frequencies do not fit below full scale are replaced
    by one that `sound.clipped` finds.

    `state` (array 'i'): 0-10 as there, 11 the sample before, 12 and 13 how far the section for
    12.2 kHz follows (1/512) and what it passes directly (1/256), 14 the share of the sample
    before (1/256).

    Bounds, for any input of 21 bits: states 2^30.72, products 2^30.65, y 2^21.92.
    """
    sign = 1
    sign <<= 31
    # On a 64-bit machine a load does not extend the sign; there and on 32 bits this does.
    s0 = (int(state[0]) ^ sign) - sign
    s1 = (int(state[1]) ^ sign) - sign
    s2 = (int(state[2]) ^ sign) - sign
    s3 = (int(state[3]) ^ sign) - sign
    s4 = (int(state[4]) ^ sign) - sign
    s5 = (int(state[11]) ^ sign) - sign
    k = int(state[12])
    m = int(state[13])
    c = int(state[14])
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
        x += s0 >> 8  # 4 l
        if (x + 1048576) >> 21:
            if x < 0:
                x = -1048576
            else:
                x = 1048575
            words[i - 1] = sign
        b = x
        x += ((s5 - x) * c) >> 8
        s5 = b
        t = s2 >> 9  # 12.2 kHz, twice
        x -= t
        s2 += x * k
        x = (t << 1) + ((x * m) >> 8)
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
    state[11] = s5
