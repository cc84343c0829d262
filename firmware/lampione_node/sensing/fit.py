"""The drive past the pole that fits a track of radial speeds, in integers.

A point that drives at w along a line in the distance D has the radial speed
g = w * u / sqrt(u^2 + D^2), u being how far along the line it is from the point beside the pole.
Three parameters: speed and place in the middle of the track, constant acceleration. The place that
echoes wanders over a body, which counts where g changes quickly, and nobody accelerates alike for
long, which counts far from the pole.

Every integer of a round stays below 2^30, but for some dozens where the equations are solved.
"""

import micropython
from micropython import const

SECTION_MM = const(15000)  # before the pole: where a speed is defined
CAR_MM = const(4500)
_NOISE = const(90)  # mm/s, of a point of a track
_ACCELERATION = const(600)  # mm/s2, usual
_FARTHEST_MM = const(90000)
_FARTHEST_CM = const(9000)
_STEADY_CM = const(4000)
_ROUNDS = const(9)


@micropython.viper
def root(n: int, bit: int) -> int:
    """Return the whole part of the square root of n, 0 to 2^30; called as root(n, 1 << 28)."""
    found = 0
    while bit > n:
        bit >>= 2
    while bit:
        if n >= found + bit:
            n -= found + bit
            found = (found >> 1) + bit
        else:
            found >>= 1
        bit >>= 2
    return found


def _clamp(n: int, low: int, high: int) -> int:
    return low if n < low else high if n > high else n


def fit(times, speeds, aside, toward):
    """Fit; a generator that yields None between its rounds and at last the result.

    Args:
        times: ms from the middle of the track, rising, within 11 s of it.
        speeds: the radial speed then, mm/s, positive, below 50000.
        aside: D in cm.
        toward: which way.

    Yields:
        (cost, speed mm/s in the middle, place mm in the middle, acceleration mm/s2 along the way)
        at last; the cost is the mean square error in 1/64 of what is usual.
    """
    way = -1 if toward else 1
    n = len(times)
    # far from the pole a radial speed is the speed, at the near end it tells the place
    v = max(speeds) * 33 >> 5
    near = (speeds[-1] + speeds[-2] if toward else speeds[0] + speeds[1]) >> 1
    c = min((near << 10) // v, 1000)
    x = aside * 10 * c // root((1 << 20) - c * c, 1 << 28)
    x -= way * v * times[-1 if toward else 0] // 1000
    a = cost = 0
    for _ in range(_ROUNDS):
        yield None
        vv = vx = va = xx = xa = ve = xe = 0
        # the usual acceleration is a point too
        aa = 369
        ae = -a * 8
        total = a * a // (_ACCELERATION * _ACCELERATION // 64)
        for i in range(n):
            t = times[i]
            w = max(500, min(60000, v + a * t // 1000))
            u = (x + way * ((v * t + a * t // 1000 * t // 2) // 1000)) // 10
            u = max(20, min(_FARTHEST_CM, u))
            r = root((u * u + aside * aside) << 2, 1 << 28)
            c = (u << 15) // r
            e = max(-4000, min(4000, speeds[i] - (w * c >> 14)))
            slope = w * ((16384 - (c * c >> 14)) * 200 // r) >> 14  # mm/s per m
            s = _NOISE * _NOISE + slope * slope
            if u > _STEADY_CM:
                s += min(u - _STEADY_CM, 2000) ** 2 // 25
            loss = min((e * e << 6) // s, 4096)
            total += loss
            # Cauchy's weight: what is far off counts little
            s = root(s + (s >> 9) * loss, 1 << 28)
            # derivatives by speed and acceleration in 2^-14 (10^6 / 2^14 = 61), by place per m
            jv = (c + way * slope * t // 61) * 90 // (s << 4)
            ja = (t * c // 1000 + way * (slope * t // 1000 * t // 122)) * 45 // (s << 6)
            jx = (slope << 10) // s
            e = (e << 8) // s
            vv += jv * jv
            vx += jv * jx
            va += jv * ja
            xx += jx * jx
            xa += jx * ja
            aa += ja * ja
            ve += jv * e
            xe += jx * e
            ae += ja * e
        cost = total // n
        vv += (vv >> 8) + 1
        xx += (xx >> 8) + 1
        # Cramer's rule
        k = xx * aa - xa * xa
        m = va * xa - vx * aa
        p = vx * xa - va * xx
        q = va * vx - vv * xa
        det = vv * k + vx * m + va * p
        if det <= 0:
            break
        dv = 360 * (ve * k + xe * m + ae * p) // det
        dx = 4000 * (ve * m + xe * (vv * aa - va * va) + ae * q) // det
        da = 45 * (ve * p + xe * q + ae * (vv * xx - vx * vx)) // det
        v = _clamp(v + _clamp(dv, -3000, 3000), 1000, 50000)
        x = _clamp(x + _clamp(dx, -6000, 6000), 0, _FARTHEST_MM)
        a = _clamp(a + _clamp(da, -600, 600), -2500, 2500)
        if -30 < dv < 30 and -100 < dx < 100 and -30 < da < 30:
            break
    yield cost, v, x, a


def crossing(result, toward):
    """Return (ms from the middle of the track, speed mm/s) of the front at the section.

    Of who goes the rear is seen: when the front crosses, it is a car's length before it.
    """
    _, v, x, a = result
    s = x - SECTION_MM if toward else SECTION_MM - CAR_MM - x
    v //= 10  # cm/s, so that the square is small
    speed = root(max(1, v * v + a * (s // 100) // 5 * 10), 1 << 28) * 10
    return 2000 * s // (v * 10 + speed), speed


def place(result, toward, t):
    """Return how many mm before the pole what was seen was at the moment t."""
    _, v, x, a = result
    way = (v + a * t // 2000) * t // 1000
    return x - way if toward else x + way
