"""Spectra of a real signal in 32-bit integers: 512 points, two frames in one complex transform.

Radix 2, decimation in time, twiddles of 14 bits, halved at every stage. Words are kept with 2^20
added: what is never negative needs no sign extension, whether loads extend it or not.

Ranges. `load` wants samples below 2^15 in size. Windowed they are below 2^16 in each part, so
that a complex word is below 2^16.5. A twiddle is no longer than 2^14 + 0.71: each product of a
butterfly is below 2^30, the sum of two below 2^30.51. A stage's result, the half of a sum of a
word and a turned word, grows by less than 2^-15 of itself and 2.1 steps of rounding: after nine
stages below 2^16.51, biased below 2^21. A line of the spectrum of one frame is below 2^14.51 (the
mean of the window times |cos| is sqrt(1/8) at most, but for the lowest line): its square is below
2^29.1.
"""

from array import array

import micropython
from micropython import const

POINTS = const(512)
_TWO_COS = const(2198857673145)  # 2 cos(2 pi / 512) * 2^40


def cosine():
    """Return 16384 + 16384 cos(2 pi i / 512), i = 0..511, the one table of all functions here.

    By Chebyshev's recurrence in 40 bits; its error stays far below half a step.
    """
    table = array("H", bytes(2 * POINTS))
    now = 1 << 40
    before = _TWO_COS >> 1
    for i in range(257):
        table[i] = table[-i & 511] = 16384 + ((now >> 25) + 1 >> 1)
        now, before = (_TWO_COS * now >> 40) - before, now
    return table


@micropython.viper
def largest(i: int, v: int, end: int, samples: ptr32) -> int:  # noqa: F821
    """Return a number that has as many bits as the largest of samples[i:end] has without sign.

    Called with v = 0. A sample of 22 bits or fewer.
    """
    bits = 0
    while i < end:
        v = (int(samples[i]) & 4194303 ^ 2097152) - 2097152
        i += 1
        if v < 0:
            v = -1 - v
        bits |= v
    return bits


@micropython.viper
def load(i: int, v: int, samples: ptr32, shift: int, words: ptr32, table: ptr16):  # noqa: F821
    """Put two frames, samples[0:512] and samples[256:768], windowed and reordered into `words`.

    Called as load(0, 0, ...). A sample (of 22 bits) is first shifted to the left by `shift`, to
    the right when that is negative, and is then below 2^15.
    """
    right = 0
    if shift < 0:
        right = 0 - shift
        shift = 0
    while i < 512:
        # the bits of i in reverse
        v = (i & 85) << 1 | i >> 1 & 85
        v = (v & 51) << 2 | v >> 2 & 51
        v = (v & 15) << 4 | v >> 4 & 15
        at = v << 2 | i >> 7 & 2
        window = 32768 - int(table[i])
        v = (int(samples[i]) & 4194303 ^ 2097152) - 2097152
        words[at] = (((v << shift) >> right) * window >> 14) + 1048576
        v = (int(samples[i + 256]) & 4194303 ^ 2097152) - 2097152
        words[at + 1] = (((v << shift) >> right) * window >> 14) + 1048576
        i += 1


@micropython.viper
def keep(i: int, v: int, samples: ptr32):  # noqa: F821
    """Move samples[512:768] to the front, for the next two frames. Called as keep(0, 0, ...)."""
    while i < 256:
        samples[i] = samples[i + 512]
        i += 1


@micropython.viper
def transform(i: int, k: int, words: ptr32, table: ptr16):  # noqa: F821
    """Transform `words` (real and imaginary part in turn, 512 of them) in place, by 1/512.

    Called as transform(0, 0, ...).
    """
    half = 2
    step = 256
    while half < 1024:
        first = 0
        angle = 0
        while first < half:
            c = int(table[angle]) - 16384
            s = int(table[angle + 384 & 511]) - 16384
            angle += step
            i = first
            while i < 1024:
                k = i + half
                x = int(words[k]) - 1048576
                y = int(words[k + 1]) - 1048576
                t = x * c + y * s >> 14
                y = y * c - x * s >> 14
                x = int(words[i]) + 1048576
                words[k] = x - t >> 1
                words[i] = x + t >> 1
                x = int(words[i + 1]) + 1048576
                words[k + 1] = x - y >> 1
                words[i + 1] = x + y >> 1
                i = k + half
            first += 2
        half <<= 1
        step >>= 1


@micropython.viper
def levels(p: int, e: int, frame: int, words: ptr32, base: int, out: ptr16):  # noqa: F821
    """Put the levels of lines 1 to 255 of the first (frame = 0) or second frame (1) into `out`.

    Called as levels(0, 0, ...). A level is `base` + 16 log2(power), in steps of 0.19 dB; between
    powers of two the logarithm is drawn straight (0.26 dB too low at most).
    """
    k = 2
    m = 1022
    while k < 512:
        p = int(words[k + frame]) + int(words[m + frame]) - 2097152 >> 1
        e = int(words[k + 1 - frame]) - int(words[m + 1 - frame]) >> 1
        p = p * p + e * e
        e = base
        if p >= 65536:
            p >>= 12
            e += 192
        if p >= 4096:
            p >>= 8
            e += 128
        if p >= 256:
            p >>= 4
            e += 64
        if p < 16:
            p <<= 4
            e -= 64
        while p > 31:
            p >>= 1
            e += 16
        # 16 * 2^n has 4 n octaves: here 16 <= p <= 31, or p was 0
        out[k >> 1] = e + p + 48
        k += 2
        m -= 2
