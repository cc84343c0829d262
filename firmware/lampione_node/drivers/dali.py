"""DALI-2 (IEC 62386): frames as pulses of the line, answers from its edges, dimming curves.

A half-bit is 416.67 µs; 1 goes from low to high, 0 from high to low; an idle line is high. A
forward frame is a start bit (1), 16 bits and an idle line, a backward frame the same with 8.
"""

from micropython import const

# What a line says where there is no byte
NO = None  # nothing came: where yes or no was asked, no
GARBLED = const(-1)  # something came that is no byte: noise, or several answered at once

TICKS_HZ = const(10_000_000)  # of forward()
_HALF_TICKS = const(4167)
_WHOLE_TICKS = const(8333)

# A receiver takes half-bits of 333 to 500 µs and whole bits of 667 to 1000 (part 101); what lies
# between may be either. A time stamp is a microsecond, or the interrupt's delay, wrong at each end.
_SLACK_US = const(15)
_HALF_MIN_US = const(333 - 15)
_HALF_MAX_US = const(583)
_WHOLE_MAX_US = const(1000 + 15)

_ONE = const(1 << 28)
# 2 ** 28 * 10 ** (3 * k / 253) for k = 128, 64, ... 1
_STEPS = (8843546014, 1540753487, 643111860, 415492510, 333965449, 299413039, 283501456, 275865624)


def forward(frame):
    """Return the durations of a 16-bit frame's pulses: low, high, low, ... in 0.1 µs."""
    pulses = []
    level = 1
    for n in range(16, -1, -1):
        one = n == 16 or frame >> n & 1
        for half in (not one, one):
            if bool(half) == bool(level):
                if pulses:
                    pulses[-1] = _WHOLE_TICKS
            else:
                pulses.append(_HALF_TICKS)
                level = half
    if level:
        pulses.pop()  # the idle line is high
    return tuple(pulses)


def backward(edges, start, end, ticks_diff):
    """Return the byte whose edges came at the times (µs) edges[start:end]; NO, GARBLED."""
    if start >= end:
        return NO
    value = 0
    bits = 0
    middle = False  # whether the last edge was in the middle of a bit
    rising = False
    for i in range(start + 1, end):
        rising = not rising
        us = ticks_diff(edges[i], edges[i - 1])
        if us < _HALF_MIN_US or us > _WHOLE_MAX_US:
            return GARBLED
        if us > _HALF_MAX_US:
            if not middle:
                return GARBLED
        else:
            middle = not middle
        if middle:
            value = value << 1 | rising
            bits += 1
            if bits > 9:
                return GARBLED
    if not rising or bits != 9 or value < 256:
        return GARBLED
    return value & 255


def _power(steps):
    # 10 ** (3 * steps / 253 + 1) hundredths of a percent, times 2 ** 28
    value = 10 * _ONE
    for k in range(8):
        if steps >> (7 - k) & 1:
            value = value * _STEPS[k] >> 28
    return value


def level_of(arc, linear=False):
    """Return the level in 0.01 % of an arc power 0..254."""
    if not arc:
        return 0
    if linear:
        return (arc * 10000 + 127) // 254
    return (_power(arc - 1) + _ONE // 2) >> 28


def arc_of(level, linear=False):
    """Return the arc power nearest to a level in 0.01 %; what is lit at all never becomes off."""
    if level <= 0:
        return 0
    if level >= 10000:
        return 254
    if linear:
        return max(1, (level * 254 + 5000) // 10000)
    target = level << 28
    steps = 0
    for k in range(8):
        more = steps + (128 >> k)
        if more < 254 and _power(more) <= target:
            steps = more
    if steps < 253 and _power(steps + 1) - target < target - _power(steps):
        steps += 1
    return steps + 1
