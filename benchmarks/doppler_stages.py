"""The stages of the raw-IF Doppler chain, for stages.rows: from samples to peaks."""

from benchmarks.stages import Stage

_HALVING = """
from array import array
from lampione_node.sensing.peaks import halve
words = array("i", [((i * 7919) % 65536 - 32768) << 12 for i in range(1024)])
state = array("i", [0] * 4)
out = array("i", [0] * 256)
plain_state = [0] * 4
plain_out = [0] * 256
def ours():
    halve(0, 0, words, out, 0, state)
def plain():
    a, b, c, d = plain_state
    at = 0
    for i in range(0, 1024, 4):
        x = words[i] >> 11
        a += (x - b) * 36 >> 8
        b, a = a, x
        x = words[i + 2] >> 11
        c += (x - d) * 151 >> 8
        plain_out[at] = b + d >> 1
        d, c = c, x
        at += 1
    plain_state[:] = a, b, c, d
ours()
plain()
assert list(out) == plain_out
"""

_WINDOW = """
import math
from array import array
from lampione_node.sensing import fft
table = fft.cosine()
samples = array("i", [(i * 7919) % 20000 - 10000 for i in range(768)])
words = array("i", bytes(4096))
window = [1 - math.cos(math.pi * i / 256) for i in range(512)]
places = [int("".join(reversed("{:09b}".format(i))), 2) for i in range(512)]
x = [0] * 512
def ours():
    fft.load(0, 0, samples, 0, words, table)
def plain():
    for i in range(512):
        x[places[i]] = complex(samples[i], samples[i + 256]) * window[i]
ours()
plain()
for i in range(512):
    assert abs(complex(words[2 * i] - 2**20, words[2 * i + 1] - 2**20) - x[i]) < 3
"""

_TRANSFORM = """
import math
from array import array
from lampione_node.sensing import fft
table = fft.cosine()
samples = array("i", [(i * 7919) % 20000 - 10000 for i in range(768)])
words = array("i", bytes(4096))
window = [(1 - math.cos(math.pi * i / 256)) / 512 for i in range(512)]
turns = [complex(math.cos(math.pi * i / 256), -math.sin(math.pi * i / 256)) for i in range(256)]
places = [int("".join(reversed("{:09b}".format(i))), 2) for i in range(512)]
def ours():
    fft.load(0, 0, samples, 0, words, table)
    fft.transform(0, 0, words, table)
def plain():
    x = [0] * 512
    for i in range(512):
        x[places[i]] = complex(samples[i], samples[i + 256]) * window[i]
    half = 1
    while half < 512:
        for j in range(half):
            turn = turns[j * 256 // half]
            for i in range(j, 512, 2 * half):
                a = x[i]
                b = x[i + half] * turn
                x[i] = a + b
                x[i + half] = a - b
        half *= 2
    return x
ours()
for i, x in enumerate(plain()):
    assert abs(complex(words[2 * i] - 2**20, words[2 * i + 1] - 2**20) - x) < 8
"""

_LEVELS = """
import math
from array import array
from lampione_node.sensing.fft import levels
words = array("i", [(i * 7919) % 4001 - 2000 + 2**20 for i in range(1024)])
out = array("H", bytes(512))
plain_out = [0] * 256
def ours():
    levels(0, 0, 0, words, 544, out)
def plain():
    for k in range(1, 256):
        re = (words[2 * k] + words[1024 - 2 * k]) / 2 - 2**20
        im = (words[2 * k + 1] - words[1025 - 2 * k]) / 2
        plain_out[k] = 544 + 16 * math.log(re * re + im * im + 0.1) / math.log(2)
ours()
plain()
assert max([abs(out[k] - plain_out[k]) for k in range(1, 256) if plain_out[k] > 650]) < 3
"""

_SPECTRUM = """
from array import array
from lampione_node.sensing import peaks
level = array("H", [600 + (i * 7919) % 41 for i in range(256)])
for at, strength in ((30, 90), (31, 150), (32, 100), (90, 200), (91, 210), (150, 120)):
    level[at] += strength
background = array("i", [600 << 16] * 256)
excess = bytearray(256)
"""

_BACKGROUND = (
    _SPECTRUM
    + """
plain_background = [600.0] * 256
plain_excess = bytearray(256)
def ours():
    peaks.judge(1, 0, level, background, excess, 6)
def plain():
    for k in range(1, 256):
        e = level[k] - plain_background[k]
        plain_excess[k] = int(max(0, min(255, e)))
        plain_background[k] += max(-24, min(24, e)) / 64
for _ in range(20):
    ours()
    plain()
for k in range(1, 256):
    assert abs(plain_excess[k] - excess[k]) <= 1
    assert abs(plain_background[k] - background[k] / 65536) < 1
"""
)

_PEAKS = (
    _SPECTRUM
    + """
found = array("H", [0] * 12)
peaks.judge(1, 0, level, background, excess, 9)
def ours():
    return peaks.find(4, 0, level, background, excess, found)
def plain():
    tops = []
    for k in range(5, 245):
        if excess[k] < 72 or level[k] < max(level[k - 3 : k + 4]):
            continue
        high = sum(excess[k + 4 : k + 12])
        low = sum(excess[max(1, k - 11) : k - 3])
        if excess[k] - (high if k < 12 else min(low, high)) / 8 < 56:
            continue
        low, top, high = level[k - 1], level[k], level[k + 1]
        at = k + (high - low) / 2 / (2 * top - low - high)
        tops.append((top - background[k] / 65536, at, top))
    tops.sort(reverse=True)
    return tops[:4]
tops = plain()
assert len(tops) == ours() > 2
for i, (_, at, top) in enumerate(tops):
    assert abs(found[3 * i] / 32 - at) < 0.1 and found[3 * i + 2] == top
"""
)

_LINGERING = (
    _SPECTRUM
    + """
slow = array("H", [0] * 64)
plain_slow = [0.0] * 64
peaks.judge(1, 0, level, background, excess, 9)
def ours():
    return peaks.linger(6, 0, 20, excess, slow)
def plain():
    for k in range(6, 56):
        plain_slow[k] += (min(24, max(excess[k - 1 : k + 2])) - plain_slow[k]) / 64
    return max(plain_slow[6:20]) - sum(plain_slow[6:56]) / 50
for _ in range(100):
    found = ours(), plain()
assert abs(found[0] / 256 - found[1]) < 1
"""
)

# A transform takes 512 new samples in and gives two frames; a frame then stands for 256.
STAGES = (
    Stage("doppler halving", _HALVING, 512, ("peaks", "halve")),
    Stage("doppler window", _WINDOW, 512, ("fft", "load")),
    Stage("doppler transform", _TRANSFORM, 512, ("fft", "transform")),
    Stage("doppler levels", _LEVELS, 256, ("fft", "levels")),
    Stage("doppler background", _BACKGROUND, 256, ("peaks", "judge")),
    Stage("doppler peaks", _PEAKS, 256, ("peaks", "find")),
    Stage("doppler lingering", _LINGERING, 256, ("peaks", "linger")),
)
