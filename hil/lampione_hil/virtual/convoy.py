"""A street in which every vehicle is known: so many a minute, at one speed, each way in turn."""

from dataclasses import dataclass

from lampione_hil.virtual.movers import Vehicle, Walker
from lampione_hil.virtual.traffic import TrafficStreet

ROUND_S = 600
AT_S = (12.0, 30.0, 48.0)  # of a minute: when a front crosses the section


@dataclass
class Convoy(TrafficStreet):
    """Cars of 10 dBsm in the middle of their lanes; per minute one (km/h, whether toward).

    Three vehicles a minute are the fewest whose speeds a node tells.
    """

    minutes: tuple[tuple[float, bool], ...] = ()

    def _draw(self, number: int) -> tuple[list[Vehicle], list[Vehicle], list[Walker]]:
        found = []
        for minute, (kmh, toward) in enumerate(self.minutes):
            for second in AT_S:
                at_s = 60 * minute + second
                if number * ROUND_S <= at_s < (number + 1) * ROUND_S:
                    found.append(self._car(at_s, kmh, toward))
        return found, [], []

    def _car(self, at_s: float, kmh: float, toward: bool) -> Vehicle:
        lane_m = self.near_m if toward else self.far_m
        return self._at(at_s, toward, lane_m, 4.4, kmh / 3.6, 0.0, 10.0, "car")
