"""NO2 and O3 from electrode voltages: Alphasense AAN 803-05, algorithm 1, in integers.

    NO2 = (WE - WEe - nT (AE - AEe)) / S
    O3  = (WE - WEe - NO2 S_NO2 - nT (AE - AEe)) / S_O3

WE, AE: working and auxiliary electrode, WEe, AEe: what the electronics alone give, S: sensitivity.
The OX cell feels both gases. nT is a line between the note's values, given every 10 °C.

Settings of a unit, from the makers' certificates (typical value):
    no2_we, no2_ae   electronic offsets of the NO2-B43F, 0.1 mV (2250, 2450)
    no2_s            its sensitivity to NO2, µV/ppb (309)
    ox_we, ox_ae     electronic offsets of the OX-B431, 0.1 mV (2600, 3000)
    ox_s_no2         its sensitivity to NO2, µV/ppb (298)
    ox_s_o3          its sensitivity to O3, µV/ppb (298)
Without them the typical values stand, which is good for no more than a demonstration.

Error against exact arithmetic: NO2 0.05 ppb, O3 0.05 ppb + 0.05 ppb * ox_s_no2 / ox_s_o3. The
cells' own noise is 15 ppb (2 sigma).
"""

from micropython import const

_TENTHS = const(15)  # the tables' zero
# nT in tenths, plus 15, from -30 to 50 °C
_NO2 = b"\x1c\x1c\x1c\x1c\x19\x15\x13\x11\x00"
_OX = b"\x18\x18\x19\x1c\x1e\x20\x23\x28\x34"

NAMES = ("no2_we", "no2_ae", "no2_s", "ox_we", "ox_ae", "ox_s_no2", "ox_s_o3")
_TYPICAL = (2250, 2450, 309, 2600, 3000, 298, 298)


def calibration(part) -> tuple:
    """Return the seven settings of a part; ValueError for a sensitivity below 50 µV/ppb."""
    found = tuple([part.get(name, typical) for name, typical in zip(NAMES, _TYPICAL)])
    if min(found[2], found[5], found[6]) < 50:
        raise ValueError("gases: sensitivity")
    return found


def _line(table, temperature: int) -> int:
    """Return nT in 1/1000 at a temperature in 0.1 °C, -300 to 500."""
    i = min((temperature + 300) // 100, 7)
    low = table[i]
    return (low - _TENTHS) * 100 + (table[i + 1] - low) * (temperature + 300 - i * 100)


def _rounded(a: int, b: int) -> int:
    return (2 * a + b) // (2 * b)


def gases(raw, unit, temperature: int) -> "tuple | None":
    """Return (NO2, O3) in 0.1 ppb, negative ones too; None outside the note's -30 to 50 °C.

    Args:
        raw: NO2 WE, NO2 AE, OX WE, OX AE in steps of 62.5 µV, 0 to 24000 (1.5 V).
        unit: as calibration() returns it.
        temperature: of the cells, 0.1 °C.

    In steps of 12.5 nV: the largest integer is 24000 * 5 * (1000 + 3700) = 5.6e8, with the NO2 of
    the OX cell 8e8.
    """
    if not -300 <= temperature <= 500:
        return None
    no2 = (5 * raw[0] - 8 * unit[0]) * 1000 - _line(_NO2, temperature) * (5 * raw[1] - 8 * unit[1])
    no2 = _rounded(no2, 8 * unit[2])
    o3 = (5 * raw[2] - 8 * unit[3]) * 1000 - _line(_OX, temperature) * (5 * raw[3] - 8 * unit[4])
    return no2, _rounded(o3 - 8 * no2 * unit[5], 8 * unit[6])
