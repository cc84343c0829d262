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
_REFERENCE_SQUARE = REFERENCE_M**2
_ROUNDING_DB = 1e-6

Echoes = list[tuple[float, float]]  # (radial m/s or metres or a multiple, dB)


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
    def _known(self) -> tuple[float, float, float]:
        """Metres to where the axis meets the road; dB a radian², both ways; the beam's end."""
        fall_db = -2 * 3 * (2 * math.degrees(1) / self.beam_deg) ** 2
        end = math.cos(math.sqrt(2 * self.side_db / fall_db))
        return math.hypot(self.aim_m, self.aim_lane_m, self.height_m), fall_db, end

    def strength_db(self, x_m: float, lane_m: float, cross_section_dbsm: float) -> float:
        """Return the echo's strength over the noise (radar equation, Gaussian beam)."""
        axis_m, fall_db, end = self._known
        height_square = self.height_m * self.height_m
        square = x_m * x_m + lane_m * lane_m + height_square
        along = x_m * self.aim_m + lane_m * self.aim_lane_m + height_square
        cosine = along / (math.sqrt(square) * axis_m)
        db = self.gain_db + cross_section_dbsm
        if cosine < end:
            db += 2 * self.side_db
        elif cosine < 1:
            db += fall_db * math.acos(cosine) ** 2
        return db - 20 * math.log10(square / _REFERENCE_SQUARE)

    def most_db(self, first_m: float, last_m: float, lane_m: float) -> float:
        """Return what no echo of 0 dBsm between two x is stronger than.

        None is nearer to the beam's axis than one of them, and none nearer to the pole than one.
        """
        height_square = self.height_m * self.height_m
        beyond = lane_m * lane_m + height_square
        across = lane_m * self.aim_lane_m + height_square
        if across <= 0:
            return math.inf
        aimed_m = min(max(self.aim_m * beyond / across, first_m), last_m)
        near_m = min(max(0.0, first_m), last_m)
        most_db = self.strength_db(aimed_m, lane_m, _ROUNDING_DB)
        if near_m != aimed_m:
            nearer = (aimed_m * aimed_m + beyond) / (near_m * near_m + beyond)
            most_db += 20 * math.log10(nearer)
        return most_db


def radial_mps(x_m: float, lane_m: float, speed_mps: float, height_m: float = HEIGHT_M) -> float:
    """Return what a radar measures of `speed_mps` towards falling x: + inbound."""
    return speed_mps * x_m / math.hypot(x_m, lane_m, height_m)


@dataclass(frozen=True)
class Vehicle:
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

    def _driven(self, t_s: float) -> tuple[float, float]:
        """Return (metres driven beyond the section, speed)."""
        before, crossing_s, after, slow_s, fast_s = self._motion
        s = t_s - crossing_s
        if s < -slow_s:
            return -SPEEDING_M + before * (s + slow_s), before
        if s > fast_s:
            return SPEEDING_M + after * (s - fast_s), after
        a = self.acceleration_mps2
        return self.speed_mps * s + a * s * s / 2, self.speed_mps + a * s

    def place(self, t_s: float) -> tuple[float, float]:
        """Return where its front is, and its speed towards falling x."""
        driven_m, speed_mps = self._driven(t_s)
        if self.toward:
            return REFERENCE_M - driven_m, speed_mps
        return REFERENCE_M + driven_m, -speed_mps

    def x_m(self, t_s: float) -> float:
        """Return where its front is."""
        return self.place(t_s)[0]

    def covers_m(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Return the least and greatest x at which any of it is in a time."""
        from_m, to_m = self.place(start_s)[0], self.place(end_s)[0]
        return (to_m, from_m + self.length_m) if self.toward else (from_m - self.length_m, to_m)

    def speed_at(self, t_s: float) -> float:
        """Return its speed along the road, positive."""
        return self._driven(t_s)[1]

    def radial_mps(self, t_s: float) -> float:
        """Return the radial speed of its front, + inbound."""
        x_m, speed_mps = self.place(t_s)
        return radial_mps(x_m, self.lane_m, speed_mps, self.height_m)

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
    def _phases(self) -> tuple[float, float, float]:
        """Return (metres from entry to the stop, time of braking, time of standing)."""
        run_m = STRETCH_M - self.stop_m if self.toward else STRETCH_M + self.stop_m
        brake_m = self.speed_mps**2 / (2 * self._BRAKE)
        brake_s = self.start_s + (run_m - brake_m) / self.speed_mps
        return run_m, brake_s, brake_s + self.speed_mps / self._BRAKE

    def _driven(self, t_s: float) -> tuple[float, float]:
        run_m, brake_s, halt_s = self._phases
        v = self.speed_mps
        leave_s = halt_s + self.stand_s
        fast_s = leave_s + v / self._LEAVE
        if t_s < brake_s:
            at_m, speed = v * (t_s - self.start_s), v
        elif t_s < halt_s:
            at_m = run_m - self._BRAKE * (halt_s - t_s) ** 2 / 2
            speed = self._BRAKE * (halt_s - t_s)
        elif t_s < leave_s:
            at_m, speed = run_m, 0.0
        elif t_s < fast_s:
            at_m = run_m + self._LEAVE * (t_s - leave_s) ** 2 / 2
            speed = self._LEAVE * (t_s - leave_s)
        else:
            at_m, speed = run_m + v * v / (2 * self._LEAVE) + v * (t_s - fast_s), v
        start_m = STRETCH_M - REFERENCE_M if self.toward else STRETCH_M + REFERENCE_M
        return at_m - start_m, speed

    @property
    def section_s(self) -> float:
        """When it stops: near the section."""
        return self._phases[2]

    @cached_property
    def end_s(self) -> float:
        """See Vehicle."""
        return self._phases[2] + self.stand_s + 2 * STRETCH_M / self.speed_mps + 15


@dataclass(frozen=True)
class Walker:
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

    def place(self, t_s: float) -> tuple[float, float]:
        """Return where the person is, and the speed towards falling x."""
        walked_m = self.speed_mps * (t_s - self.start_s)
        if self.toward:
            return self.reach_m - walked_m, self.speed_mps
        return walked_m - self.reach_m, -self.speed_mps

    def x_m(self, t_s: float) -> float:
        """Return where the person is."""
        return self.place(t_s)[0]

    def covers_m(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Return the least and greatest x in a time."""
        from_m, to_m = self.place(start_s)[0], self.place(end_s)[0]
        return (to_m, from_m) if self.toward else (from_m, to_m)

    def radial_mps(self, t_s: float) -> float:
        """Return the body's radial speed, + inbound."""
        x_m, speed_mps = self.place(t_s)
        return radial_mps(x_m, self.lane_m, speed_mps, self.height_m)

    def limbs(self, t_s: float) -> Echoes:
        """Return (speed as a multiple of the body's, dB below the body) of two legs and an arm."""
        phase = math.tau * (0.35 + 0.55 * self.speed_mps) * (t_s - self.start_s)
        swing = math.sin(phase)
        return [(1 + 1.3 * swing, -6.0), (1 - 1.3 * swing, -6.0), (1 + 0.7 * swing, -9.0)]
