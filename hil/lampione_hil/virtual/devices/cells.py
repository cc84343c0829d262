"""Gas cells NO2-B43F and OX-B431 on their boards: from the air to electrode voltages.

Written from Alphasense's application note AAN 803-05 and the cells' data sheets: the zero current
of the auxiliary electrode grows with temperature; that of the working electrode is nT times it;
gas adds its sensitivity times concentration at the working electrode only.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from lampione_hil.virtual.air import Air, SteadyAir
from lampione_hil.virtual.devices.ads1115 import Voltages
from lampione_hil.virtual.devices.faulty import noise

_AT_C = (-30, -20, -10, 0, 10, 20, 30, 40, 50)
_RATIO_NO2 = (1.3, 1.3, 1.3, 1.3, 1.0, 0.6, 0.4, 0.2, -1.5)
_RATIO_OX = (0.9, 0.9, 1.0, 1.3, 1.5, 1.7, 2.0, 2.5, 3.7)
_T90_S = 80.0
_NOISE_PPB = 7.5  # 15 ppb are two standard deviations


@dataclass
class Cell:
    """One cell: electronic offsets in V, sensitivities in V/ppb, what the auxiliary says."""

    working_v: float
    auxiliary_v: float
    no2_v_ppb: float
    o3_v_ppb: float
    ratio: tuple[float, ...]
    zero_20c_v: float = 0.004  # of the auxiliary electrode above its offset

    def electrodes_v(
        self, temperature_c: float, no2_ppb: float, o3_ppb: float
    ) -> tuple[float, float]:
        """Return the voltages of the working and the auxiliary electrode."""
        zero_v = self.zero_20c_v * 2 ** ((temperature_c - 20) / 15)
        gas_v = self.no2_v_ppb * no2_ppb + self.o3_v_ppb * o3_ppb
        working_v = self.working_v + _between(self.ratio, temperature_c) * zero_v + gas_v
        return working_v, self.auxiliary_v + zero_v


def _between(values: tuple[float, ...], temperature_c: float) -> float:
    if temperature_c <= _AT_C[0]:
        return values[0]
    if temperature_c >= _AT_C[-1]:
        return values[-1]
    i = bisect_right(_AT_C, temperature_c) - 1
    share = (temperature_c - _AT_C[i]) / 10
    return values[i] * (1 - share) + values[i + 1] * share


def typical_no2() -> Cell:
    """Return an NO2-B43F with the makers' typical figures."""
    return Cell(0.225, 0.245, 309e-6, 0.0, _RATIO_NO2)


def typical_ox() -> Cell:
    """Return an OX-B431 with the makers' typical figures."""
    return Cell(0.260, 0.300, 298e-6, 298e-6, _RATIO_OX)


class Cells(Voltages):
    """Inputs of an ADS1115: NO2 working, auxiliary, OX working, auxiliary electrode.

    Args:
        air: gives the temperature.
        no2_ppb, o3_ppb: concentrations, or a method of a class that gives them at a time in s
            (of a class: it has to pickle).
        noise_ppb: standard deviation of the cells' noise.
    """

    def __init__(
        self,
        air: Air | None = None,
        no2_ppb: float | Callable[[float], float] = 20.0,
        o3_ppb: float | Callable[[float], float] = 30.0,
        noise_ppb: float = _NOISE_PPB,
    ) -> None:
        super().__init__()
        self.air = air or SteadyAir()
        self.no2_ppb = no2_ppb
        self.o3_ppb = o3_ppb
        self.noise_ppb = noise_ppb
        self.no2 = typical_no2()
        self.ox = typical_ox()
        self._felt: tuple[float, float, float] | None = None  # when, ppb, ppb

    def move(self, air: Air) -> None:
        """See Voltages."""
        self.air = air

    def at(self, channel: int, now_s: float) -> float:
        """See Voltages: the electrodes follow the gas with 80 s to 90 %."""
        no2 = self.no2_ppb(now_s) if callable(self.no2_ppb) else self.no2_ppb
        o3 = self.o3_ppb(now_s) if callable(self.o3_ppb) else self.o3_ppb
        if self._felt is not None:
            then_s, was_no2, was_o3 = self._felt
            left = math.exp(-max(0.0, now_s - then_s) * math.log(10) / _T90_S)
            no2 += (was_no2 - no2) * left
            o3 += (was_o3 - o3) * left
        self._felt = now_s, no2, o3
        cell = self.ox if channel >= 2 else self.no2
        volts = cell.electrodes_v(self.air.now()[0], no2, o3)[channel & 1]
        # half of the noise comes from either electrode
        share = self.noise_ppb * 300e-6 / math.sqrt(2)
        return volts + share * noise(round(now_s * 1e6), channel, 7)
