"""A street as a radar on a lamppost sees it: who moves in it, how fast, how strongly they echo.

One seed gives one street, whatever is asked of it and in which order. The movers, and the axes
that all is measured along, are those of movers.py.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from lampione_hil.virtual.devices.moving import PART_S
from lampione_hil.virtual.movers import (
    REFERENCE_M,
    SPEEDING_M,
    Echoes,
    Mover,
    Stopper,
    Vehicle,
    View,
    Walker,
)
from lampione_hil.virtual.scatter import chance, scattered

__all__ = ["REFERENCE_M", "Stopper", "TrafficStreet", "Vehicle", "View", "Walker", "strongest"]

NEAR_M = 4.0  # lateral distance of the centre of the lane toward the sensor, as planned
FAR_M = 7.5  # of the lane away from it

_ROUND_S = 600  # the street is drawn in pieces of this length

# kind: (share, least and greatest length m, cross-section dBsm and its sigma)
_KINDS = {
    "car": (0.78, 3.6, 5.0, 10.0, 2.5),
    "van": (0.10, 5.0, 7.0, 13.0, 2.5),
    "truck": (0.06, 8.0, 14.0, 17.0, 3.0),
    "motorcycle": (0.06, 1.9, 2.3, 4.0, 2.0),
}


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
        self.error_m = (2 * chance(scattered(self.seed, 1)) - 1) * self.offset_m
        self._rounds: dict[int, tuple[list[Vehicle], list[Vehicle], list[Walker]]] = {}

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
        draw = random.Random(scattered(self.seed, number, 2))  # noqa: S311 - traffic, not a key
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

    def around(self, part: int) -> list[Mover]:
        """Return who is there in a part: the `part`-th PART_S."""
        first_s, last_s = part * PART_S, (part + 1) * PART_S
        movers: list[Mover] = []
        for _, driven, ridden, walked in self._drawn(first_s - 30, last_s + 30):
            movers += [*driven, *ridden, *walked]
        return [m for m in movers if m.start_s < last_s and m.end_s > first_s]

    def targets(self, times_s: Sequence[float], least_db: float = -math.inf) -> list[Echoes]:
        """See Movement."""
        # Not above: who makes a street has no use for numpy, which takes time to load.
        from lampione_hil.virtual.echoes import echoes

        return echoes(self, times_s, least_db)


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
