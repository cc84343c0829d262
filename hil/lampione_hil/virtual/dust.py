"""The particles in the air around a lamppost."""

import math
import random
from dataclasses import dataclass
from typing import NamedTuple


class Masses(NamedTuple):
    """Mass of the particles up to 1, 2.5, 4 and 10 µm, µg/m³."""

    pm1: float
    pm2_5: float
    pm4: float
    pm10: float


@dataclass
class Dust:
    """Particles as a function of the world's clock; every field may be changed at any time.

    pm1, pm2_5, pm10: mean masses in µg/m³, each one holding the one before.
    noise: relative standard deviation of a second's value.
    swing, period_s: a slow wave on all of them, relative height and length.
    seed: of the noise, which is the same for the same second.
    """

    pm1: float = 9.0
    pm2_5: float = 14.0
    pm10: float = 22.0
    noise: float = 0.03
    swing: float = 0.0
    period_s: float = 7200.0
    seed: int = 0

    def at(self, now_s: float) -> Masses:
        """Return the masses of the second that ends at `now_s`."""
        draw = random.Random(f"{self.seed} {math.floor(now_s)}")  # noqa: S311 - dust, not a key
        wave = 1 + self.swing * math.sin(math.tau * now_s / self.period_s)
        fine, middle, coarse = (
            max(0.0, mass * wave * (1 + draw.gauss(0, self.noise)))
            for mass in (self.pm1, self.pm2_5 - self.pm1, self.pm10 - self.pm2_5)
        )
        pm2_5 = fine + middle
        return Masses(fine, pm2_5, pm2_5 + coarse / 3, pm2_5 + coarse)
