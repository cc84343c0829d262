"""The air around a lamppost."""

import math
import random
import time
from abc import ABC, abstractmethod


class Air(ABC):
    """Temperature and humidity as a function of time."""

    present_s: float | None = None  # on the virtual clock: the time now; else the computer's

    @abstractmethod
    def at(self, unix_s: float) -> tuple[float, float]:
        """Return (temperature °C, relative humidity %) at a time."""

    def now(self) -> tuple[float, float]:
        """Return `at` the world's present time."""
        return self.at(time.time() if self.present_s is None else self.present_s)


class SteadyAir(Air):
    """Air that does not change."""

    def __init__(self, temperature_c: float = 20.0, humidity_percent: float = 50.0) -> None:
        self.temperature_c = temperature_c
        self.humidity_percent = humidity_percent

    def at(self, unix_s: float) -> tuple[float, float]:
        """See Air."""
        del unix_s
        return self.temperature_c, self.humidity_percent


class PlausibleDay(Air):
    """A day of Milan's spring: coldest at 5, warmest at 15 (UTC), drier when warmer.

    `seed` moves the mean by a few degrees, so that no two lampposts agree to the digit.
    """

    def __init__(self, seed: int = 0) -> None:
        draw = random.Random(seed)  # noqa: S311 - weather, not a key
        self.mean_c = 16.0 + draw.uniform(-1.5, 1.5)
        self.swing_c = 6.0 + draw.uniform(-0.5, 0.5)
        self.mean_percent = 58.0 + draw.uniform(-4, 4)
        self.phase_s = draw.uniform(-900, 900)

    def at(self, unix_s: float) -> tuple[float, float]:
        """See Air."""
        hour = (unix_s + self.phase_s) / 3600 % 24
        wave = math.sin((hour - 10) / 24 * math.tau)
        gust = 0.15 * math.sin(unix_s / 97) + 0.1 * math.sin(unix_s / 31)
        humidity = self.mean_percent - 18 * wave - 2 * gust
        return self.mean_c + self.swing_c * wave + gust, max(5.0, min(99.0, humidity))
