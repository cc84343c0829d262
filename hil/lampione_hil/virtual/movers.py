"""Who moves in a street, how an antenna sees them. The street that has them is in traffic.py.

The sensor hangs at x = 0 on the pole, `height_m` above the road; the road runs along x and the
radar looks along +x. Toward: x falls. Every number here is a free choice about streets and radars;
what estimates speeds on the node is written without it.
"""

import math
import random
from dataclasses import dataclass
from functools import cached_property

REFERENCE_M = 15.0  # the section in front of the pole where a vehicle's true speed is defined
STRETCH_M = 80.0  # nobody farther than this is modelled
SPEEDING_M = 40.0  # a vehicle accelerates within so many metres of the section, not beyond
HEIGHT_M = 5.0

Echoes = list[tuple[float, float]]  # (radial m/s or metres, dB)
# From when on; x, its change a second, and the change of that, at and after another moment.
Leg = tuple[float, float, float, float, float]


@dataclass(frozen=True)
class View:
    """The antenna: where it points and what it hears."""

    height_m: float = HEIGHT_M
    aim_m: float = 20.0  # its axis meets the road this far before the pole
    aim_lane_m: float = 5.5
    beam_deg: float = 24.0  # full width, 3 dB down, one way
    side_db: float = -22.0  # what lies outside the beam, one way
    gain_db: float = 29.0  # strength of 1 m² on the axis at 15 m, above the noise

    @cached_property
    def beam(self) -> tuple[float, float, float]:
        """Metres to where the axis meets the road; dB a radian², both ways; the beam's end."""
        fall_db = -2 * 3 * (2 * math.degrees(1) / self.beam_deg) ** 2
        end = math.cos(math.sqrt(2 * self.side_db / fall_db))
        return math.hypot(self.aim_m, self.aim_lane_m, self.height_m), fall_db, end


class Mover:
    """What moves along x, in legs of a constant acceleration each."""

    start_s: float
    lane_m: float
    height_m: float
    cross_section_dbsm: float

    @cached_property
    def end_s(self) -> float:
        """When it has left."""
        raise NotImplementedError

    @cached_property
    def legs(self) -> list[Leg]:
        """Return its legs, the first from ever."""
        raise NotImplementedError

    def place(self, t_s: float) -> tuple[float, float]:
        """Return where its front is, and its speed towards falling x."""
        _, zero_s, x_m, mps, mps2 = next(leg for leg in reversed(self.legs) if t_s >= leg[0])
        s = t_s - zero_s
        return x_m + s * (mps + mps2 / 2 * s), -(mps + mps2 * s)

    def x_m(self, t_s: float) -> float:
        """Return where its front is."""
        return self.place(t_s)[0]

    def speed_at(self, t_s: float) -> float:
        """Return its speed along the road, positive."""
        return abs(self.place(t_s)[1])

    def radial_mps(self, t_s: float) -> float:
        """Return the radial speed of its front, + inbound."""
        x_m, speed_mps = self.place(t_s)
        return speed_mps * x_m / math.hypot(x_m, self.lane_m, self.height_m)


@dataclass(frozen=True)
class Vehicle(Mover):
    """What drives past. It enters the stretch at `start_s`; x_m is its front.

    It has the constant `acceleration_mps2` within 40 m of the section, and keeps its speed beyond.
    """

    start_s: float
    lane_m: float
    toward: bool
    length_m: float
    speed_mps: float  # of its front at the section
    acceleration_mps2: float
    cross_section_dbsm: float
    height_m: float = HEIGHT_M
    kind: str = "car"

    @cached_property
    def _run_m(self) -> float:
        """From its entry to the section."""
        return STRETCH_M - REFERENCE_M if self.toward else STRETCH_M + REFERENCE_M

    @cached_property
    def _motion(self) -> tuple[float, float, float, float, float]:
        """Return (speed before, time at the section, speed after, time to it, time from it).

        The last two are those of its acceleration.
        """
        bend = 2 * self.acceleration_mps2 * SPEEDING_M
        before = math.sqrt(self.speed_mps**2 - bend)
        after = math.sqrt(self.speed_mps**2 + bend)
        slow_s = 2 * SPEEDING_M / (before + self.speed_mps)
        fast_s = 2 * SPEEDING_M / (after + self.speed_mps)
        crossing_s = self.start_s + (self._run_m - SPEEDING_M) / before + slow_s
        return before, crossing_s, after, slow_s, fast_s

    @property
    def section_s(self) -> float:
        """When its front crosses the section."""
        return self._motion[1]

    @cached_property
    def end_s(self) -> float:
        """When its end has left the stretch."""
        _, crossing_s, after, _, fast_s = self._motion
        rest_m = 2 * STRETCH_M - self._run_m + self.length_m - SPEEDING_M
        return crossing_s + fast_s + rest_m / after

    @cached_property
    def legs(self) -> list[Leg]:
        """See Mover."""
        before, crossing_s, after, slow_s, fast_s = self._motion
        slow, fast = crossing_s - slow_s, crossing_s + fast_s
        sign = -1 if self.toward else 1
        return [
            (-math.inf, slow, REFERENCE_M - sign * SPEEDING_M, sign * before, 0.0),
            (slow, crossing_s, REFERENCE_M, sign * self.speed_mps, sign * self.acceleration_mps2),
            (fast, fast, REFERENCE_M + sign * SPEEDING_M, sign * after, 0.0),
        ]

    @cached_property
    def points(self) -> Echoes:
        """Return what echoes: (metres behind the front, dB below the cross-section).

        The end that the radar looks at echoes most; longer bodies have more corners.
        """
        draw = random.Random(repr((self.start_s, self.lane_m)))  # noqa: S311 - a shape, not a key
        seen = 0.0 if self.toward else self.length_m
        corners = [(seen, 0.0), (self.length_m - seen, -draw.uniform(8, 14))]
        for _ in range(int(self.length_m / 3.5)):
            corners.append((draw.uniform(0.1, 0.9) * self.length_m, -draw.uniform(5, 14)))
        return corners

    @cached_property
    def corners(self) -> Echoes:
        """Return the same as (metres along x from the front, dBsm)."""
        sign = 1 if self.toward else -1
        return [(sign * m, self.cross_section_dbsm + less_db) for m, less_db in self.points]


@dataclass(frozen=True)
class Stopper(Vehicle):
    """A vehicle that brakes (2 m/s²), stands with its front at `stop_m`, and drives on."""

    stop_m: float = 10.0
    stand_s: float = 30.0

    _BRAKE = 2.0
    _LEAVE = 1.5

    @cached_property
    def _phases(self) -> tuple[float, float]:
        """Return (time of braking, time of standing)."""
        run_m = STRETCH_M - self.stop_m if self.toward else STRETCH_M + self.stop_m
        brake_m = self.speed_mps**2 / (2 * self._BRAKE)
        brake_s = self.start_s + (run_m - brake_m) / self.speed_mps
        return brake_s, brake_s + self.speed_mps / self._BRAKE

    @cached_property
    def legs(self) -> list[Leg]:
        """See Mover."""
        brake_s, halt_s = self._phases
        leave_s = halt_s + self.stand_s
        fast_s = leave_s + self.speed_mps / self._LEAVE
        sign = -1 if self.toward else 1
        v = sign * self.speed_mps
        brake_m = self.speed_mps * v / (2 * self._BRAKE)
        leave_m = self.speed_mps * v / (2 * self._LEAVE)
        return [
            (-math.inf, brake_s, self.stop_m - brake_m, v, 0.0),
            (brake_s, halt_s, self.stop_m, 0.0, -sign * self._BRAKE),
            (halt_s, halt_s, self.stop_m, 0.0, 0.0),
            (leave_s, leave_s, self.stop_m, 0.0, sign * self._LEAVE),
            (fast_s, fast_s, self.stop_m + leave_m, v, 0.0),
        ]

    @property
    def section_s(self) -> float:
        """When it stops: near the section."""
        return self._phases[1]

    @cached_property
    def end_s(self) -> float:
        """See Vehicle."""
        return self._phases[1] + self.stand_s + 2 * STRETCH_M / self.speed_mps + 15


@dataclass(frozen=True)
class Walker(Mover):
    """A person on a pavement, at a steady walk; arms and legs swing."""

    start_s: float
    lane_m: float
    toward: bool
    speed_mps: float
    cross_section_dbsm: float = -7.0
    height_m: float = HEIGHT_M
    reach_m: float = 40.0

    @cached_property
    def end_s(self) -> float:
        """When the person has left."""
        return self.start_s + 2 * self.reach_m / self.speed_mps

    @cached_property
    def legs(self) -> list[Leg]:
        """See Mover."""
        sign = -1 if self.toward else 1
        return [(-math.inf, self.start_s, -sign * self.reach_m, sign * self.speed_mps, 0.0)]
