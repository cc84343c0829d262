"""Daylight at a lamppost in Milan."""

import functools
import math
import time

from lampione_light import sun
from lampione_protocol.schema import EPOCH_2020

from lampione_hil.virtual.air import Air
from lampione_hil.virtual.devices.veml7700 import Light

NOON_LX = 20_000.0  # under trees and façades, not on a roof
NIGHT_LX = 0.4
MILAN = 4_546_420, 919_000  # north and east, in 0.00001 degrees


@functools.lru_cache(2)
def daylight(day: int) -> tuple[int, int]:
    """Return when the sun rises and sets in Milan, as `sun.event` does."""
    return sun.event(day, *MILAN, True)[0], sun.event(day, *MILAN, False)[0]


class Sky(Light):
    """Daylight of `air`'s time in Milan: none before sunrise, most at noon, none after sunset."""

    def __init__(self, air: Air) -> None:
        super().__init__()
        self.air = air

    def at(self, now_s: float) -> float:
        """See Light."""
        present_s = time.time() if self.air.present_s is None else self.air.present_s
        second = int(present_s) - EPOCH_2020
        rises, sets = daylight(second // 86400)
        height = math.sin((second - rises) / (sets - rises) * math.pi)
        self.lux = max(NIGHT_LX, NOON_LX * height) if rises < second < sets else NIGHT_LX
        return super().at(now_s)
