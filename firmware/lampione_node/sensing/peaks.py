"""From the samples of a CW Doppler module to peaks of its spectrum, in 32-bit integers.

The ADC runs at 24 kHz: the slowest rate that audio ADCs without a clock of their own derive from
I2S and that halves to 12 kHz, 134 km/h at 24.125 GHz. Frames of 512 points, one each 256 (21.3 ms).
"""

from array import array

import micropython
from micropython import const

from . import fft

BUFFER_BYTES = const(4096)  # 512 stereo frames of the ADC, 21.3 ms

_LEVEL = const(544)  # of a power of 1 from samples that are not shifted
_LEARN = const(64)  # frames before the background is believed: 1.4 s
_LINGERS = const(1600)  # 1.2 of 4.5 dB
_SLOWEST_SHIFT = const(9)  # 512 frames, 11 s


@micropython.viper
def halve(i: int, x: int, words: ptr32, out: ptr32, at: int, state: ptr32):  # noqa: F821
    """Put every second one of 512 samples, the left words, into out[at : at + 256], 21 bits wide.

    Called as halve(0, 0, ...). A half-band filter of two all-passes (0.1406 and 0.5898): flat to
    4.5 kHz, 22 dB down from 7.5 kHz on, where only noise would fold back. `state`: 4 words. Of
    samples of 21 bits an all-pass makes less than 2^21.2, a product stays below 2^29, half the sum
    of two below 2^20.8.
    """
    sign = 1
    sign <<= 31
    a = (int(state[0]) ^ sign) - sign
    b = (int(state[1]) ^ sign) - sign
    c = (int(state[2]) ^ sign) - sign
    d = (int(state[3]) ^ sign) - sign
    while i < 1024:
        x = (int(uint(words[i]) >> 11) ^ 1048576) - 1048576  # noqa: F821
        a += (x - b) * 36 >> 8
        b = a
        a = x
        x = (int(uint(words[i + 2]) >> 11) ^ 1048576) - 1048576  # noqa: F821
        c += (x - d) * 151 >> 8
        out[at] = b + d >> 1
        d = c
        c = x
        i += 4
        at += 1
    state[0] = a
    state[1] = b
    state[2] = c
    state[3] = d


@micropython.viper
def judge(k: int, e: int, level: ptr16, background: ptr32, excess: ptr8, shift: int):  # noqa: F821
    """Put what lines 1 to 255 exceed their background by into `excess`; follow the background.

    Called as judge(1, 0, ...). A background is a level times 2^16 (below 2^26). It moves by the
    2^-shift part of the difference, of which no more than 4.5 dB count: a clipped average.
    """
    while k < 256:
        e = int(level[k]) - (int(background[k]) >> 16)
        excess[k] = 0 if e < 0 else 255 if e > 255 else e
        if e > 24:
            e = 24
        if e < -24:
            e = -24
        background[k] = int(background[k]) + ((e << 16) >> shift)
        k += 1


@micropython.viper
def find(k: int, e: int, level: ptr16, background: ptr32, excess: ptr8, out: ptr16) -> int:  # noqa: F821
    """Put the highest peaks, 4 at most, into `out`: line * 32, excess, level. Return their number.

    Called as find(4, 0, ...). A peak tops three lines on each side, the background by 13.5 dB (the
    mean of noise by 11 dB: one line in 300,000 by chance) and the mean excess of the emptier of
    its two neighbourhoods by 10.5 dB.
    """
    count = 0
    while k < 244:
        k += 1
        if int(excess[k]) < 72:
            continue
        e = int(level[k])
        if (
            int(level[k - 1]) > e
            or int(level[k + 1]) >= e
            or int(level[k - 2]) > e
            or int(level[k + 2]) >= e
            or int(level[k - 3]) > e
            or int(level[k + 3]) >= e
        ):
            continue
        low = 0
        high = 0
        i = 4
        while i < 12:
            if k > i:
                low += int(excess[k - i])
            high += int(excess[k + i])
            i += 1
        if high < low or k < 12:
            low = high
        if int(excess[k]) - (low >> 3) < 56:
            continue
        # the top of the parabola through three levels
        low = int(level[k - 1])
        high = int(level[k + 1])
        at = (k << 5) + (((high - low) << 4) // (2 * e - low - high))
        e -= int(background[k]) >> 16
        # into its place in the order of excess
        i = count * 3
        while i > 0 and int(out[i - 2]) < e:
            if i < 12:
                out[i] = out[i - 3]
                out[i + 1] = out[i - 2]
                out[i + 2] = out[i - 1]
            i -= 3
        if i < 12:
            out[i] = at
            out[i + 1] = e
            out[i + 2] = level[k]
            if count < 4:
                count += 1
    return count


@micropython.viper
def linger(k: int, e: int, last: int, excess: ptr8, slow: ptr16) -> int:  # noqa: F821
    """Return by how much the slow mean of a line from k to `last` tops that of all of them to 55.

    Called as linger(first, 0, ...). Means over 1.4 s, in 256ths of a level's step, of the largest
    of three lines, for a body wanders between two. An excess counts no more than 4.5 dB, so that
    they tell how much of the time something is there and not how strong it is. They find a walker
    too weak to be a peak; a sign sways through the lines, rain comes in drops, a vehicle does not
    stay.
    """
    top = 0
    total = 0
    count = 56 - k
    while k < 56:
        e = int(excess[k])
        if int(excess[k - 1]) > e:
            e = int(excess[k - 1])
        if int(excess[k + 1]) > e:
            e = int(excess[k + 1])
        if e > 24:
            e = 24
        e = int(slow[k]) + ((e << 8) - int(slow[k]) >> 6)
        slow[k] = e
        total += e
        if e > top and k < last:
            top = e
        k += 1
    return top - total // count


class Peaks:
    """The peaks of each frame of a stream of samples. `take` and `look` allocate nothing.

    Attributes:
        found: array('H'), three words a peak: Doppler shift in 32nds of a line (0.732 Hz), excess
            over the background and level in steps of 0.188 dB; the strongest first.
        frame: number of the last frame.
        walker: something moves at walking speed, be it too weak for a peak.

    Args:
        walk: the line of 0.87 m/s.
    """

    def __init__(self, walk=6):
        self._walk = walk
        self._table = fft.cosine()
        self._samples = array("i", [0] * 768)
        self._words = array("i", [0] * 1024)
        self._state = array("i", [0] * 4)
        self._level = array("H", [0] * 256)
        self._background = array("i", [0] * 256)
        self._excess = bytearray(256)
        self.found = array("H", [0] * 12)
        self._slow = array("H", [0] * 64)
        self.walker = False
        self._at = 256
        self._base = 0
        self.frame = -1
        self._start = 0

    def restart(self):
        """Forget the background: the module has just been started."""
        self._start = self.frame + 1

    def take(self, words):
        """Take 512 stereo frames of the ADC; return whether they made two frames to `look` at."""
        samples = self._samples
        at = self._at
        halve(0, 0, words, samples, at, self._state)
        if at == 256:
            self._at = 512
            return False
        self._at = 256
        bits = fft.largest(0, 0, 768, samples)
        shift = -6
        least = 1 << 20
        while bits < least and shift < 11:  # silence is not magnified without end
            least >>= 1
            shift += 1
        fft.load(0, 0, samples, shift, self._words, self._table)
        fft.transform(0, 0, self._words, self._table)
        self._base = _LEVEL - 32 * shift
        fft.keep(0, 0, samples)
        return True

    def look(self, second):
        """Find the peaks of the pair's first (second = 0) or second frame; return how many."""
        level = self._level
        fft.levels(0, 0, second, self._words, self._base, level)
        self.frame += 1
        age = self.frame - self._start
        if age < 4:  # the first frames hold the step of the start
            for k in range(256):
                self._background[k] = level[k] << 16
            return 0
        shift = 2
        while shift < _SLOWEST_SHIFT and age >> shift > 2:
            shift += 1
        judge(1, 0, level, self._background, self._excess, shift)
        walk = self._walk
        over = linger(walk, 0, 3 * walk + 2, self._excess, self._slow)
        self.walker = over > _LINGERS and age >= _LEARN
        if age < _LEARN:
            return 0
        return find(4, 0, level, self._background, self._excess, self.found)
