"""Hours of an empty street out of some minutes: what a Doppler module hears of nobody."""

import math

import numpy as np
from lampione_hil.virtual.doppler import DopplerSignal, Floats
from lampione_hil.virtual.traffic import TrafficStreet

# Lengths in s without a common divisor: noise, rain and sway meet in the same way once in days.
NOISE_S, RAIN_S, SWAY_S = 127, 211, 307
FAN_EVERY_S, FAN_S = 1800, 600
FAN_KMH = (9.0, 17.0, 31.0, 54.0)


class EmptyStreet(DopplerSignal):
    """Noise, a hum, heavy rain and sway in loops; a fan a third of the time, each time faster.

    Where a loop begins anew its phases leap, which no street does: it is the harder for that.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(TrafficStreet(seed, per_hour=0))
        loops = []
        for end_s, rain, sway_kmh in ((NOISE_S, 0.0, 0.0), (RAIN_S, 1.0, 0.0), (SWAY_S, 0.0, 4.0)):
            wet = DopplerSignal(TrafficStreet(seed, per_hour=0, rain=rain, sway_kmh=sway_kmh))
            parts = []
            for s in range(0, end_s, 10):
                stretch = s, min(end_s, s + 10)
                wave = wet.wave(*stretch)
                if rain or sway_kmh:
                    wave -= super().wave(*stretch)  # the noise is there but once
                parts.append(wave.astype(np.float32))
            loops.append(np.concatenate(parts))
        self._loops = loops

    def wave(self, start_s: float, end_s: float) -> Floats:
        """See DopplerSignal."""
        first, last = round(start_s * self.rate_hz), round(end_s * self.rate_hz)
        n = np.arange(first, last)
        wave: Floats = np.zeros(len(n))
        for loop in self._loops:
            wave += np.take(loop, n, mode="wrap")
        number, s = divmod(int(start_s), FAN_EVERY_S)
        if s < FAN_S:
            shift_hz = FAN_KMH[number % len(FAN_KMH)] / 3.6 * self._wave / (2 * math.pi)
            # as loud as DopplerSignal has it
            wave += 0.35 * 10 ** (-75 / 20) * np.cos(2 * math.pi * shift_hz * n / self.rate_hz)
        return wave
