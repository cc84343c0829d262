"""A street as a radar on a lamppost sees it: who moves in it, how fast, how strongly they echo.

One seed gives one street, whatever is asked of it and in which order. The movers, and the axes
that all is measured along, are those of movers.py.
"""

import math
import random
from dataclasses import dataclass, field

from lampione_hil.virtual.movers import (
    REFERENCE_M,
    SPEEDING_M,
    Echoes,
    Stopper,
    Vehicle,
    View,
    Walker,
    radial_mps,
)

__all__ = ["REFERENCE_M", "Stopper", "TrafficStreet", "Vehicle", "View", "Walker", "strongest"]

NEAR_M = 4.0  # lateral distance of the centre of the lane toward the sensor, as planned
FAR_M = 7.5  # of the lane away from it
FRAME_S = 0.05  # echoes fade from one such frame to the next

_ROUND_S = 600  # the street is drawn in pieces of this length,
_PART_S = 20  # and looked through in such
_MASK = (1 << 64) - 1
_START = 0x9E3779B97F4A7C15


def _mix(*numbers: int, z: int = _START) -> int:
    """Return 64 scattered bits of some integers (the finaliser of splitmix64).

    z: what those before them gave.
    """
    for number in numbers:
        z = (z + number * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        z ^= z >> 31
    return z


def _chance(*numbers: int, z: int = _START) -> float:
    """Return a number of [0, 1) that depends on nothing but `numbers`, and those before."""
    return _mix(*numbers, z=z) / (_MASK + 1)


def _fade_db(*numbers: int, z: int) -> float:
    """Return a random change of strength, about normal, sigma 3 dB."""
    z = _mix(*numbers, z=z)
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)
    return (total / 65536 - 2) * 5.2


_MOST_FADE_DB = 2 * 5.2

# kind: (share, least and greatest length m, cross-section dBsm and its sigma)
_KINDS = {
    "car": (0.78, 3.6, 5.0, 10.0, 2.5),
    "van": (0.10, 5.0, 7.0, 13.0, 2.5),
    "truck": (0.06, 8.0, 14.0, 17.0, 3.0),
    "motorcycle": (0.06, 1.9, 2.3, 4.0, 2.0),
}

Mover = Vehicle | Walker


@dataclass
class TrafficStreet:
    """A street with traffic both ways, and what else a radar sees there.

    Args:
        seed: of everything.
        per_hour: vehicles in both lanes together.
        mean_kmh, sigma_kmh: free speed at the section.
        sigma_mps2: of the acceleration.
        walkers_per_hour, cyclists_per_hour, stops_per_hour: others; a stop is a vehicle that
            stands for a while in front of the pole.
        rain: 0 to 1, the chance that a drop echoes in a frame.
        sway_kmh: greatest speed of a swaying sign or of foliage; 0: there is none.
        fan_kmh: the constant line of a fan, + inbound; None: there is none.
        offset_m: greatest error of the lateral distances, as one error of the mounting.
    """

    seed: int
    per_hour: float = 600.0
    mean_kmh: float = 45.0
    sigma_kmh: float = 9.0
    sigma_mps2: float = 0.5
    walkers_per_hour: float = 0.0
    cyclists_per_hour: float = 0.0
    stops_per_hour: float = 0.0
    rain: float = 0.0
    sway_kmh: float = 0.0
    fan_kmh: float | None = None
    offset_m: float = 0.5
    near_m: float = NEAR_M
    far_m: float = FAR_M
    view: View = field(default_factory=View)

    def __post_init__(self) -> None:
        self._mixed = _mix(self.seed)
        self.error_m = (2 * _chance(self.seed, 1) - 1) * self.offset_m
        self._rounds: dict[int, tuple[list[Vehicle], list[Vehicle], list[Walker]]] = {}
        self._drops: dict[int, float] = {}  # chance of one in each of the last frames
        self._part = self._second = -1
        self._near: list[tuple[float, float, Mover]] = []  # who is there in this part
        self._there: list[tuple[Mover, Echoes]] = []

    # Who is there

    def vehicles(self, start_s: float, end_s: float) -> list[Vehicle]:
        """Return who crosses the section from `start_s` until before `end_s`, in that order.

        A Stopper stands for a crossing when it stops.
        """
        found = [v for _, driven, _, _ in self._drawn(start_s, end_s) for v in driven]
        return sorted(
            (v for v in found if start_s <= v.section_s < end_s), key=lambda v: v.section_s
        )

    def cyclists(self, start_s: float, end_s: float) -> list[Vehicle]:
        """Return the cyclists that cross the section in that time."""
        found = [c for _, _, ridden, _ in self._drawn(start_s, end_s) for c in ridden]
        return [c for c in found if start_s <= c.section_s < end_s]

    def walkers(self, start_s: float, end_s: float) -> list[Walker]:
        """Return the persons of whom something is to be seen in that time."""
        found = [w for _, _, _, walked in self._drawn(start_s, end_s) for w in walked]
        return [w for w in found if w.start_s < end_s and w.end_s > start_s]

    def _drawn(
        self, start_s: float, end_s: float
    ) -> list[tuple[int, list[Vehicle], list[Vehicle], list[Walker]]]:
        first = math.floor(start_s / _ROUND_S) - 1
        last = math.floor(end_s / _ROUND_S) + 1
        return [(n, *self._round(n)) for n in range(first, last + 1)]

    def _round(self, number: int) -> tuple[list[Vehicle], list[Vehicle], list[Walker]]:
        found = self._rounds.get(number)
        if found is None:
            if len(self._rounds) > 8:
                del self._rounds[next(iter(self._rounds))]
            found = self._rounds[number] = self._draw(number)
        return found

    def _draw(self, number: int) -> tuple[list[Vehicle], list[Vehicle], list[Walker]]:
        draw = random.Random(_mix(self.seed, number, 2))  # noqa: S311 - traffic, not a key
        start_s = float(number * _ROUND_S)
        stops = _poisson(draw, start_s, start_s + _ROUND_S - 100, self.stops_per_hour)
        driven: list[Vehicle] = []
        for toward in (True, False):
            driven += self._lane(draw, start_s, toward)
        for at_s in stops:
            # A stop has the lane for itself: it would hold up those behind.
            toward = draw.random() < 0.7
            stand_s = draw.uniform(15, 45)
            driven = [
                v
                for v in driven
                if v.toward != toward or not at_s - 25 < v.section_s < at_s + stand_s + 25
            ]
            driven.append(self._stopper(draw, at_s, toward, stand_s))
        ridden = [
            self._cyclist(draw, at_s)
            for at_s in _poisson(draw, start_s, start_s + _ROUND_S, self.cyclists_per_hour)
        ]
        walked = [
            self._walker(draw, at_s)
            for at_s in _poisson(draw, start_s, start_s + _ROUND_S, self.walkers_per_hour)
        ]
        return driven, ridden, walked

    def _lane(self, draw: random.Random, start_s: float, toward: bool) -> list[Vehicle]:
        """Draw a lane: exponential gaps above a least one; who is close behind drives alike."""
        if not self.per_hour:
            return []
        found: list[Vehicle] = []
        end_s = start_s + _ROUND_S
        gap_s = 2 * 3600 / self.per_hour
        at_s = start_s + 2.0
        leader: Vehicle | None = None
        while True:
            least_s = 1.0
            if leader is not None:
                least_s += (leader.length_m + 2) / leader.speed_mps
            step_s = least_s + draw.expovariate(1 / max(0.2, gap_s - least_s))
            at_s += step_s
            if at_s >= end_s - 2:
                return found
            leader = self._vehicle(draw, at_s, toward, leader if step_s < 4 else None)
            found.append(leader)

    def _vehicle(
        self, draw: random.Random, at_s: float, toward: bool, leader: Vehicle | None
    ) -> Vehicle:
        kind = draw.choices(list(_KINDS), [k[0] for k in _KINDS.values()])[0]
        _, shortest_m, longest_m, mean_db, sigma_db = _KINDS[kind]
        speed = min(95.0, max(15.0, draw.gauss(self.mean_kmh, self.sigma_kmh))) / 3.6
        acceleration = draw.gauss(0, self.sigma_mps2)
        if leader is not None:
            speed = leader.speed_mps * draw.gauss(1, 0.03)
            acceleration = leader.acceleration_mps2 + draw.gauss(0, 0.1)
        # Nobody stops or runs away within the 40 m: a slow one accelerates less.
        most = 0.9 * speed * speed / (2 * SPEEDING_M)
        return self._at(
            at_s,
            toward,
            draw.gauss(self.near_m if toward else self.far_m, 0.25),
            draw.uniform(shortest_m, longest_m),
            speed,
            max(-most, min(most, acceleration)),
            draw.gauss(mean_db, sigma_db),
            kind,
        )

    def _at(
        self,
        at_s: float,
        toward: bool,
        lane_m: float,
        length_m: float,
        speed: float,
        acceleration: float,
        section_db: float,
        kind: str,
    ) -> Vehicle:
        """Return a vehicle whose front crosses the section at `at_s`."""
        height_m = self.view.height_m
        lane_m += self.error_m
        early = Vehicle(
            0.0, lane_m, toward, length_m, speed, acceleration, section_db, height_m, kind
        )
        start_s = at_s - early.section_s
        return Vehicle(
            start_s, lane_m, toward, length_m, speed, acceleration, section_db, height_m, kind
        )

    def _stopper(self, draw: random.Random, at_s: float, toward: bool, stand_s: float) -> Stopper:
        lane_m = (self.near_m if toward else self.far_m) + self.error_m
        speed = draw.uniform(25, 50) / 3.6
        stop_m = draw.uniform(6, 12) if toward else draw.uniform(19, 26)
        return Stopper(
            at_s, lane_m, toward, 4.4, speed, 0.0, 10.0, self.view.height_m, "stopper",
            stop_m, stand_s,
        )  # fmt: skip

    def _cyclist(self, draw: random.Random, at_s: float) -> Vehicle:
        toward = draw.random() < 0.5
        lane_m = self.near_m - 1.4 if toward else self.far_m + 1.4
        speed = draw.uniform(3.2, 6.5)
        return self._at(at_s, toward, lane_m, 1.8, speed, 0.0, draw.gauss(-1, 1.5), "cyclist")

    def _walker(self, draw: random.Random, at_s: float) -> Walker:
        lane_m = draw.choice((1.2, self.far_m + 3.0)) + self.error_m
        toward = draw.random() < 0.5
        speed = draw.uniform(1.0, 2.0)
        return Walker(at_s, lane_m, toward, speed, draw.gauss(-7, 1), self.view.height_m)

    # What the radar sees

    def targets(self, now_s: float, least_db: float = -math.inf) -> Echoes:
        """Return (radial m/s, + inbound; strength dB over the noise) of all that moves now.

        What is weaker than `least_db` may be left out.
        """
        second = math.floor(now_s)
        if second != self._second:
            self._second = second
            self._there = self._present(second)
        frame = math.floor(now_s / FRAME_S)
        z = _mix(frame, z=self._mixed)
        found = [t for number, (mover, points) in enumerate(self._there)
                 for t in self._echoes(mover, points, now_s, z, number, least_db)]  # fmt: skip
        found += self._clutter(now_s, frame, z, least_db)
        return found

    def _present(self, second: int) -> list[tuple[Mover, Echoes]]:
        part = second // _PART_S
        if part != self._part:
            self._part = part
            first_s, last_s = part * _PART_S, (part + 1) * _PART_S
            movers: list[Mover] = []
            for _, driven, ridden, walked in self._drawn(first_s - 30, last_s + 30):
                movers += [*driven, *ridden, *walked]
            spans = [(mover.start_s, mover.end_s, mover) for mover in movers]
            self._near = [span for span in spans if span[0] < last_s and span[1] > first_s]
        return [
            (mover, mover.points if isinstance(mover, Vehicle) else [])
            for start_s, end_s, mover in self._near
            if start_s < second + 1 and end_s > second
        ]

    def _echoes(
        self,
        mover: Mover,
        points: Echoes,
        now_s: float,
        z: int,
        number: int,
        least_db: float,
    ) -> Echoes:
        if isinstance(mover, Walker):
            x_m = mover.x_m(now_s)
            if abs(x_m) > mover.reach_m:
                return []
            db = self.view.strength_db(x_m, mover.lane_m, mover.cross_section_dbsm)
            if db + _MOST_FADE_DB < least_db:
                return []
            body = mover.radial_mps(now_s)
            parts = [(1.0, 0.0), *mover.limbs(now_s)]
            return [
                (body * times, db + less + _fade_db(number, 40 + k, z=z))
                for k, (times, less) in enumerate(parts)
            ]
        x_m, along = mover.place(now_s)
        end_m = x_m + mover.length_m if mover.toward else x_m
        if end_m < 0:  # behind the pole, whence the farther the weaker
            db = self.view.strength_db(end_m, mover.lane_m, mover.cross_section_dbsm)
            if db + _MOST_FADE_DB < least_db:
                return []
        best_m, best_db = x_m, max(-99.0, least_db)
        seen = False
        for k, (behind_m, less_db) in enumerate(points):
            at_m = x_m + behind_m if mover.toward else x_m - behind_m
            db = self.view.strength_db(at_m, mover.lane_m, mover.cross_section_dbsm + less_db)
            if db + _MOST_FADE_DB > best_db:  # else no fade makes it the strongest
                db += _fade_db(number, k, z=z)
                if db > best_db:
                    best_m, best_db, seen = at_m, db, True
        if not seen:
            return []
        return [(radial_mps(best_m, mover.lane_m, along, mover.height_m), best_db)]

    def _drop(self, frame: int) -> float:
        found = self._drops.get(frame)
        if found is None:
            if len(self._drops) > 100:
                self._drops.clear()
            found = self._drops[frame] = _chance(frame, 3, z=self._mixed)
        return found

    def _clutter(self, now_s: float, frame: int, z: int, least_db: float) -> Echoes:
        found = []
        if self.rain:
            # A drop is heard for one to four frames; some frames have two.
            for k in range(4):
                if self._drop(frame - k) < self.rain / (1 + k):
                    db = 4 + 10 * _chance(frame - k, 5, z=self._mixed)
                    if db + _MOST_FADE_DB < least_db:
                        continue
                    kmh = (2 * _chance(frame - k, 4, z=self._mixed) - 1) * 32
                    found.append((kmh / 3.6, db + _fade_db(6, k, z=z)))
        if self.sway_kmh:
            gust = 0.5 + 0.5 * math.sin(now_s / 11.3 + self.seed)
            swing = math.sin(math.tau * 0.6 * now_s) + 0.3 * math.sin(math.tau * 1.7 * now_s)
            db = 18 * gust + 4 + _fade_db(7, z=z)
            found.append((self.sway_kmh / 3.6 * gust * swing / 1.3, db))
        if self.fan_kmh is not None:
            kmh = self.fan_kmh + 0.4 * (_chance(8, z=z) - 0.5)
            found.append((kmh / 3.6, 16 + _fade_db(9, z=z)))
        return found


def _poisson(draw: random.Random, start_s: float, end_s: float, per_hour: float) -> list[float]:
    """Return the moments of a Poisson process."""
    found: list[float] = []
    if per_hour:
        at_s = start_s + draw.expovariate(per_hour / 3600)
        while at_s < end_s:
            found.append(at_s)
            at_s += draw.expovariate(per_hour / 3600)
    return found


def strongest(targets: Echoes, least_db: float = 10.0) -> tuple[float, float] | None:
    """Return the strongest target that a detector of this threshold finds, if any."""
    heard = [t for t in targets if t[1] >= least_db]
    return max(heard, key=lambda t: t[1]) if heard else None
