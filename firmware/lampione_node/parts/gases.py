"""Nitrogen dioxide and ozone: NO2-B43F and OX-B431 behind an ADS1115.

Both cells are read every 5 s (they follow the air in 80 s; the mean of a minute's twelve readings
brings their noise of 15 ppb below 5). Readings are valid from `warm_min` minutes after the power
came on: settings, 120 where absent. The figure is ours, no maker's: the auxiliary electrode's
output decays after every start (Alejo Sanchez et al., Atmosphere 2024, 15, 1365), by how much
hangs on the cell and on the pause. Set more for new cells. A restart of the node alone does not
start it anew.

The temperature is that of the climate part: without it both gases are STALE, as nT is unknown. A
mean below zero (noise in clean air, drift) is sent as 0.

An electrode outside 50 to 1500 mV (cell or supply missing, input open) and a gas below -100 ppb
(a spent or wrongly calibrated cell) are implausible at once; O3 needs the NO2 cell too. A cell
that says the same for a minute is stuck. Calibration: settings of sensing/gas.py.
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from ..buses import i2c
from ..drivers import health
from ..drivers.ads1115 import Ads1115
from ..drivers.watch import Watch
from ..sensing.gas import calibration, gases
from ..sensing.mean import Mean

_NO2 = const(6)
_RAW = const(6)
_EVERY_MS = const(5000)
_REST_MS = const(4950)  # without the reading itself
_FRESH_MS = const(20000)
_SAME = const(12)
_WARM_MIN = const(120)
_LEAST = const(800)  # 50 mV
_MOST = const(24000)  # 1.5 V
_LOWEST = const(-1000)  # 0.1 ppb


class Gases:
    """NO2 and O3, and the electrodes' hour means for who recalibrates later."""

    sensor = 1
    period_s = 30

    def __init__(self, machine, part, _post, air) -> None:  # type: ignore[no-untyped-def]
        self._unit = calibration(part)
        self._adc = Ads1115(i2c(machine, part))
        self._air = air
        self._cells = (Watch(_FRESH_MS, _SAME), Watch(_FRESH_MS, _SAME))
        self._means = (Mean(_EVERY_MS), Mean(_EVERY_MS))
        self._raw = tuple([Mean(_EVERY_MS) for _ in range(4)])
        self._hour_ms = ticks_ms()
        self._warm = part.get("warm_min", _WARM_MIN) * 12  # readings
        self._left = self._warm
        self._power_ups = 0
        self.states = [health.WARMING, health.WARMING]

    async def run(self, check_in) -> None:  # type: ignore[no-untyped-def]
        """Measure, for the supervisor."""
        while True:
            check_in()
            raw = await self._adc.measure()
            if raw:
                self._take(raw)
            await asyncio.sleep_ms(_REST_MS)

    def _take(self, raw) -> None:  # type: ignore[no-untyped-def]
        adc = self._adc
        if adc.power_ups != self._power_ups:
            self._power_ups = adc.power_ups
            self._left = self._warm
        if not adc.warm:
            self._left -= 1
            if self._left > 0:
                return
            adc.warm = True
        temperature = self._air.get()[0]
        found = None if temperature is None else gases(raw, self._unit, temperature)
        good = True
        for i in (0, 1):
            we = raw[2 * i]
            ae = raw[2 * i + 1]
            plausible = _LEAST <= we <= _MOST and _LEAST <= ae <= _MOST
            if plausible:
                self._raw[2 * i].add(we * 5)  # 12.5 µV
                self._raw[2 * i + 1].add(ae * 5)
                plausible = not found or found[i] >= _LOWEST
            # the OX cell's ozone is worth no more than the other's NO2
            good = self._cells[i].seen((we, ae), plausible) and good
            if good and found:
                self._means[i].add(found[i])

    def fill(self, values: list, duration_ms: int) -> None:
        """Put the means into a Report."""
        adc = self._adc
        for i in (0, 1):
            mean = self._means[i].take(duration_ms)
            if mean is not None:
                values[_NO2 + i] = max(0, mean + 5) // 10
            state = adc.watch.state()
            if not state and not adc.warm:
                state = health.WARMING
            if not state:
                state = self._cells[i].state()
            if not state and i:
                state = self.states[0]
            temperature = self._air.get()[0]
            if not state and (temperature is None or not -300 <= temperature <= 500):
                state = health.STALE
            self.states[i] = state

    def fill_raw(self, values: list) -> None:
        """Put the hour's mean electrodes into values[6:10] and begin the next hour.

        NO2 WE, AE, OX WE, AE in 0.1 mV, as they are: whatever the calibration and the temperature;
        without the warm-up.
        """
        now = ticks_ms()
        for i in range(4):
            mean = self._raw[i].take(ticks_diff(now, self._hour_ms))
            values[_RAW + i] = None if mean is None else (mean + 4) // 8
        self._hour_ms = now
