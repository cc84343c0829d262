"""What a radar hears of a street: all that move, at many moments at once.

It follows from the street, the moments and the view alone, whatever was asked before.
"""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lampione_hil.virtual.devices.moving import PART_S
from lampione_hil.virtual.movers import REFERENCE_M, Echoes, Vehicle, View, Walker
from lampione_hil.virtual.scatter import MOST_FADE_DB, chance, fade_db, mix, scattered

if TYPE_CHECKING:
    from lampione_hil.virtual.traffic import TrafficStreet

FRAME_S = 0.05  # echoes fade from one such frame to the next
DROP_FRAMES = 4  # as long is a drop heard at most

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint64]
Heard = tuple[Ints, Floats, Floats]  # at which moment, radial m/s, dB
Moved = tuple[Ints, Ints, Floats, Floats]  # by which mover, and the same

# Of a walker's body, two legs and an arm: by how much of the body's speed it swings, and dB.
_LIMBS = ((0.0, 0.0), (1.3, -6.0), (-1.3, -6.0), (0.7, -9.0))


def echoes(street: "TrafficStreet", times_s: Sequence[float], least_db: float) -> list[Echoes]:
    """See Movement."""
    found: list[Echoes] = []
    for part, times in itertools.groupby(times_s, lambda t_s: math.floor(t_s / PART_S)):
        found += _Moments(street, part, list(times), least_db).echoes()
    return found


def strength_db(view: View, x_m: Floats, lane_m: Floats, dbsm: Floats) -> Floats:
    """Return an echo's strength over the noise (radar equation, Gaussian beam)."""
    axis_m, fall_db, end = view.beam
    height_square = view.height_m * view.height_m
    square = x_m * x_m + lane_m * lane_m + height_square
    along = x_m * view.aim_m + lane_m * view.aim_lane_m + height_square
    cosine = along / (np.sqrt(square) * axis_m)
    beam_db = fall_db * np.arccos(np.minimum(cosine, 1.0)) ** 2
    beam_db[cosine < end] = 2 * view.side_db
    total: Floats = view.gain_db + dbsm + beam_db - 20 * np.log10(square / REFERENCE_M**2)
    return total


class _Moments:
    """Some moments of one part of a street's time, and who is there."""

    def __init__(
        self, street: "TrafficStreet", part: int, times: list[float], least_db: float
    ) -> None:
        self._street = street
        self._least_db = least_db
        self._first_s = part * PART_S
        self._t = np.array(times)
        frames = np.floor(self._t / FRAME_S).astype(np.int64)
        first = frames[0] - DROP_FRAMES + 1
        every = np.arange(first, frames[-1] + 1).astype(np.uint64)
        self._bits = mix(scattered(street.seed), every)
        self._frame = frames - first  # each moment's place among these
        self._z = self._bits[self._frame]
        self._movers = street.around(part)
        self._lane_m = np.array([m.lane_m for m in self._movers])
        self._height_m = np.array([m.height_m for m in self._movers])
        self._start_s = np.array([m.start_s for m in self._movers])
        self._end_s = np.array([m.end_s for m in self._movers])

    def echoes(self) -> list[Echoes]:
        """Return what is heard at each moment, of those who are there in their order."""
        street = self._street
        heard = [self._moving()] if self._movers else []
        if street.rain:
            heard.append(self._rained())
        if street.sway_kmh:
            heard.append(self._swayed())
        if street.fan_kmh is not None:
            heard.append(self._fanned(street.fan_kmh))
        found: list[Echoes] = [[] for _ in self._t]
        for at, mps, db in heard:
            loud = db >= self._least_db
            pairs = zip(mps[loud].tolist(), db[loud].tolist(), strict=True)
            for i, pair in zip(at[loud].tolist(), pairs, strict=True):
                found[i].append(pair)
        return found

    # Movers. An element is a mover at a moment at which it is there

    def _moving(self) -> Heard:
        mover, at, x_m, mps = self._places()
        seconds = np.floor(self._t).astype(np.int64) - self._first_s
        z = mix(self._z[at], self._numbers()[mover, seconds[at]])
        heard = [self._driven(mover, at, x_m, mps, z), self._walked(mover, at, x_m, mps, z)]
        mover, at, mps, db = (np.concatenate(column) for column in zip(*heard, strict=True))
        order = np.argsort(mover, kind="stable")
        return at[order], mps[order], db[order]

    def _places(self) -> tuple[Ints, Ints, Floats, Floats]:
        """Return of each element the mover, the moment, x, and the speed towards falling x."""
        rows = []
        for number, mover in enumerate(self._movers):
            first_s, last_s = math.floor(mover.start_s), math.ceil(mover.end_s)
            ends = [*(leg[0] for leg in mover.legs[1:]), last_s]
            for (from_s, *leg), to_s in zip(mover.legs, ends, strict=True):
                rows.append((number, max(from_s, first_s), min(to_s, last_s), *leg))
        number, from_s, to_s, zero_s, x_m, mps, mps2 = np.array(rows).T
        first = np.searchsorted(self._t, from_s)
        row, at = _spread(first, np.searchsorted(self._t, to_s) - first)
        s = self._t[at] - zero_s[row]
        gains = mps2[row]
        x = x_m[row] + s * (mps[row] + gains / 2 * s)
        return number[row].astype(np.int64), at, x, -(mps[row] + gains * s)

    def _numbers(self) -> Bits:
        """Return for each mover and second: as the how manieth of those there it is."""
        second = self._first_s + np.arange(PART_S)
        there = (self._start_s[:, None] < second + 1) & (self._end_s[:, None] > second)
        return (np.cumsum(there, axis=0) - 1).astype(np.uint64)

    def _radial_mps(self, mover: Ints, x_m: Floats, mps: Floats) -> Floats:
        lane_m, height_m = self._lane_m[mover], self._height_m[mover]
        away_m: Floats = np.sqrt(x_m * x_m + lane_m * lane_m + height_m * height_m)
        return mps * x_m / away_m

    def _driven(self, mover: Ints, at: Ints, x_m: Floats, mps: Floats, z: Bits) -> Moved:
        """Return of each vehicle the echo of the corner that is the strongest now."""
        corners = [m.corners if isinstance(m, Vehicle) else [] for m in self._movers]
        count = np.array([len(some) for some in corners])
        first = np.cumsum(count) - count
        before_m, dbsm = np.array([c for some in corners for c in some] or [(0.0, 0.0)]).T
        e, corner = _spread(first[mover], count[mover])
        corner_m = x_m[e] + before_m[corner]
        db = strength_db(self._street.view, corner_m, self._lane_m[mover[e]], dbsm[corner])
        loud = np.flatnonzero(db + MOST_FADE_DB >= self._least_db)
        e, corner_m, db = e[loud], corner_m[loud], db[loud]
        k = corner[loud] - first[mover[e]]
        db = db + fade_db(mix(z[e], k.astype(np.uint64)))
        order = np.lexsort((k, -db, e))
        order = order[(db > max(-99.0, self._least_db))[order]]
        best = order[np.diff(e[order], prepend=-1) > 0]
        e, corner_m = e[best], corner_m[best]
        return mover[e], at[e], self._radial_mps(mover[e], corner_m, mps[e]), db[best]

    def _walked(self, mover: Ints, at: Ints, x_m: Floats, mps: Floats, z: Bits) -> Moved:
        reach_m = np.array([m.reach_m if isinstance(m, Walker) else -1.0 for m in self._movers])
        e = np.flatnonzero(abs(x_m) <= reach_m[mover])
        dbsm = np.array([m.cross_section_dbsm for m in self._movers])
        db = strength_db(self._street.view, x_m[e], self._lane_m[mover[e]], dbsm[mover[e]])
        loud = db + MOST_FADE_DB >= self._least_db
        e, db = e[loud], db[loud]
        walked_s = self._t[at[e]] - self._start_s[mover[e]]
        swing = np.sin(math.tau * (0.35 + 0.55 * abs(mps[e])) * walked_s)
        body_mps = self._radial_mps(mover[e], x_m[e], mps[e])
        times, less_db = np.array(_LIMBS).T
        fades_db = fade_db(mix(z[e, None], np.arange(40, 40 + len(_LIMBS), dtype=np.uint64)))
        limb_mps = body_mps[:, None] * (1 + times * swing[:, None])
        limb_db = db[:, None] + less_db + fades_db
        e = np.repeat(e, len(_LIMBS))
        return mover[e], at[e], limb_mps.ravel(), limb_db.ravel()

    # What else is there

    def _rained(self) -> Heard:
        """Return the drops: one is heard for one to four frames, and some frames have two."""
        since = np.arange(DROP_FRAMES)
        frame = self._frame[:, None] - since
        begins = chance(mix(self._bits, 3))[frame] < self._street.rain / (1 + since)
        at, k = np.nonzero(begins)
        drop = self._bits[frame[at, k]]
        kmh = (2 * chance(mix(drop, 4)) - 1) * 32
        db = 4 + 10 * chance(mix(drop, 5))
        fades_db = fade_db(mix(mix(self._z[at], 6), k.astype(np.uint64)))
        return at, kmh / 3.6, db + fades_db

    def _swayed(self) -> Heard:
        t, street = self._t, self._street
        gust = 0.5 + 0.5 * np.sin(t / 11.3 + street.seed)
        swing = np.sin(math.tau * 0.6 * t) + 0.3 * np.sin(math.tau * 1.7 * t)
        mps = street.sway_kmh / 3.6 * gust * swing / 1.3
        return np.arange(len(t)), mps, 18 * gust + 4 + fade_db(mix(self._z, 7))

    def _fanned(self, fan_kmh: float) -> Heard:
        kmh = fan_kmh + 0.4 * (chance(mix(self._z, 8)) - 0.5)
        return np.arange(len(kmh)), kmh / 3.6, 16 + fade_db(mix(self._z, 9))


def _spread(first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return (row, number) of each number that a row has: so many as its count, from its first."""
    count = np.maximum(count, 0)
    row = np.repeat(np.arange(len(count)), count)
    return row, np.arange(len(row)) + np.repeat(first - np.cumsum(count) + count, count)
