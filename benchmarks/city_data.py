"""A city's reports as they may well be: generated, in whole days, in numpy.

Every node has every sensor, since that costs most. A minute's values come from

- the air: particles, NO2 and ozone of the city, a random walk over hours that returns to its mean
  (an Ornstein-Uhlenbeck process) with the day's double rush, times a factor of the place, with
  each sensor's own noise; temperature and humidity on the day's curve;
- the traffic: vehicles each way, Poisson around the place's daily curve; their speeds normal
  around the place's; mean and maximum unknown with fewer than three vehicles, as nodes say it;
- the sound: a floor by night, the traffic's energy over it, and a minute's own scatter; LAFmax and
  the percentiles at plausible distances, each with scatter;
- the light: dusk and dawn with clouds; the lamp at a program's levels, its power in whole steps
  with a tolerance of the luminaire.

`entropy_bytes` says how little a report could be stored in by a coder that knew, of every field,
how its values or their differences to the minute before are distributed, and nothing else.
"""

from collections.abc import Mapping

import numpy as np
from lampione import batch
from lampione.batch import UNKNOWN
from lampione_protocol.schema import EPOCH_2020, REPORT_FIELDS
from numpy.typing import NDArray

MINUTES = 1440
DAY_S = 86400
_BITS = sum(field[2] for field in REPORT_FIELDS)
SIZE = -(-_BITS // 8)  # bytes of a report
_RUSH = ((8.0, 1.4, 1.0), (18.0, 1.9, 1.1), (13.0, 3.5, 0.6))  # hour, width, weight
_OFFSET_S = 7  # how far apart two neighbours report, so that not all do at once

Steps = NDArray[np.int32]
Floats = NDArray[np.float64]


def _daily(hours: Floats) -> Floats:
    """Return how busy the streets are, about 0.05 by night to 1.1."""
    curve = np.full(hours.shape, 0.05)
    for centre, width, weight in _RUSH:
        curve += weight * np.exp(-0.5 * ((hours - centre) / width) ** 2)
    return np.asarray(curve / 1.2, np.float64)


def _wander(rng: np.random.Generator, rows: int, minutes: float, spread: float) -> Floats:
    """Return [rows, MINUTES] of a process that forgets within `minutes`, of deviation `spread`."""
    keep = np.exp(-1 / minutes)
    noise = rng.standard_normal((rows, MINUTES)) * (spread * np.sqrt(1 - keep * keep))
    noise[:, 0] = rng.standard_normal(rows) * spread
    for minute in range(1, MINUTES):
        noise[:, minute] += keep * noise[:, minute - 1]
    return np.asarray(noise, np.float64)


class CityData:
    """`nodes` lampposts, numbered from 1; `seed` settles everything."""

    def __init__(self, nodes: int, seed: int = 1):
        rng = np.random.default_rng([seed, nodes])
        self.nodes = nodes
        self._seed = seed
        self._traffic = rng.gamma(2.0, 3.0, nodes)  # vehicles a minute and way at the rush
        self._speed = rng.normal(44, 7, nodes)
        self._air = np.exp(rng.normal(0, 0.15, nodes))
        self._floor_db = rng.normal(44, 3, nodes)
        self._watts = rng.normal(118, 4, nodes)

    def day(self, start: int, first: int, count: int) -> dict[str, Steps]:
        """Return a day's reports of nodes `first` to `first + count - 1`, as steps.

        Args:
            start: Unix time of the day's first second.
            first: a node's number, 1 or more.
            count: how many nodes.

        Returns field name to [count, MINUTES]; UNKNOWN where the node would not know.
        """
        rng = np.random.default_rng([self._seed, start // DAY_S, first])
        city = np.random.default_rng([self._seed, start // DAY_S])
        which = np.arange(first - 1, first - 1 + count)
        shape = (count, MINUTES)
        hours = np.broadcast_to(np.arange(MINUTES) / 60, shape)
        busy = _daily(hours)

        phase = (which * _OFFSET_S % 60).astype(np.int32)[:, None]
        begins = np.arange(MINUTES, dtype=np.int32) * 60 + np.int32(start - EPOCH_2020)
        said: dict[str, Floats | Steps] = {"start": begins[None, :] + phase}
        said["duration_s"] = np.full(shape, 60.0)
        said["clock"] = np.full(shape, 3.0)

        air = self._air[which][:, None]
        fine = np.maximum(1.0, 14 + _wander(city, 1, 600, 7)) * air * (0.8 + 0.3 * busy)
        coarse = fine * np.maximum(1.1, 1.6 + _wander(rng, count, 240, 0.1))
        pm2_5 = fine * (1 + rng.normal(0, 0.02, shape))
        said["pm2_5"] = pm2_5 * 2
        said["pm1"] = fine * 0.72 * (1 + rng.normal(0, 0.02, shape)) * 2
        said["pm10"] = coarse * (1 + rng.normal(0, 0.02, shape)) * 2
        no2 = (8 + 16 * busy + _wander(city, 1, 300, 4)) * air + _wander(rng, count, 30, 1.0)
        said["no2"] = no2
        sun = np.clip(np.sin((hours - 6) / 14 * np.pi), 0, None)
        said["o3"] = 18 + 28 * sun - 0.4 * no2 + _wander(rng, count, 30, 1.0)
        warm = 12 + 6 * np.sin((hours - 9) / 24 * 2 * np.pi) + _wander(city, 1, 900, 2.5)
        warm = warm + _wander(rng, count, 20, 0.15)
        said["temperature"] = warm * 10
        said["humidity"] = 65 - 2.2 * (warm - 12) + _wander(rng, count, 120, 1.5)

        rate = self._traffic[which][:, None] * busy
        toward, away = rng.poisson(rate), rng.poisson(rate)
        total = toward + away
        pace = self._speed[which][:, None] - 6 * busy
        few = total < 3
        said["vehicles_toward"] = toward.astype(np.float64)
        said["vehicles_away"] = away.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.asarray(pace + rng.normal(0, 8, shape) / np.sqrt(np.maximum(total, 1.0)))
            spread = np.sqrt(2 * np.log(np.maximum(total, 1.0)))
            top = np.asarray(mean + 8 * spread + rng.gumbel(0, 2, shape), np.float64)
        said["speed_mean"] = np.where(few, np.nan, mean)
        said["speed_max"] = np.where(few, np.nan, np.maximum(top, mean))
        said["presence"] = np.clip(total * 1.2 + rng.normal(0, 1, shape), 0, 25)

        floor = self._floor_db[which][:, None] + 4 * np.minimum(busy, 1)
        passing = 10 * np.log10(np.maximum(total, 0.05)) + 52 + rng.normal(0, 1.5, shape)
        laeq = 10 * np.log10(10 ** (floor / 10) + 10 ** (passing / 10))
        la90 = floor + rng.normal(0, 0.8, shape)
        la50 = la90 + 0.5 * (laeq - la90) + rng.normal(0, 0.8, shape)
        la10 = laeq + 2 + rng.normal(0, 0.8, shape)
        said["laeq"] = laeq * 10
        said["lafmax"] = (laeq + 8 + rng.gumbel(0, 2.5, shape)) * 10
        said["la10"] = np.maximum(la10, la50) * 5
        said["la50"] = np.maximum(la50, la90) * 5
        said["la90"] = la90 * 5
        said["lceq"] = (laeq + 6 + rng.normal(0, 0.8, shape)) * 5
        said["sound_valid"] = np.full(shape, 25.0)

        bright = np.exp(np.clip(sun * 12, 0, 11.3) + _wander(rng, count, 30, 0.2)) - 1
        said["ambient_light"] = _minifloat(bright * 20)
        dark = bright < 20
        level = np.where(dark, np.where((hours < 5) | (hours > 23), 50.0, 100.0), 0.0)
        said["lamp_level"] = level
        said["lamp_reason"] = np.ones(shape)
        power = self._watts[which][:, None] * (0.06 + 0.94 * level / 100) * (level > 0) + 0.8
        said["lamp_power"] = (power + rng.normal(0, 0.2, shape)) * 2
        said["valid"] = np.full(shape, 511.0)
        said["faults"] = np.zeros(shape)
        return {name: _steps(name, values) for name, values in said.items()}


def _minifloat(steps: Floats) -> Floats:
    """Return the nearest of the numbers that a minifloat of 4 and 6 bits can say."""
    exponent = np.clip(np.ceil(np.log2(np.maximum(steps, 1) / 63)), 0, 15)
    return np.asarray(np.round(steps / 2**exponent) * 2**exponent, np.float64)


_FIELDS = {field[0]: field for field in REPORT_FIELDS if field[1] != "x"}


def _steps(name: str, values: Floats | Steps) -> Steps:
    """Round to steps within the field's range; NaN becomes UNKNOWN."""
    if values.dtype == np.int32:
        return values  # type: ignore[return-value]
    _, _, _, low, high, *_ = _FIELDS[name]
    known = np.clip(np.round(np.nan_to_num(values)), low, high).astype(np.int32)
    return np.where(np.isnan(values), np.int32(UNKNOWN), known)


def raw(columns: Mapping[str, Steps]) -> NDArray[np.uint32]:
    """Return [column, report]: the bits of every field as a number, spare ones and padding last.

    `columns` as `CityData.day` gives them, of any one shape; the reports follow it flattened.
    """
    rows = []
    for name, kind, bits, low, *_ in REPORT_FIELDS:
        mask = (1 << bits) - 1
        if kind == "x":
            rows.append(np.full(columns["start"].size, mask, np.uint32))
            continue
        values = columns[name].ravel()
        known = _minifloat_code(values) if kind == "m" else values.astype(np.int64) - low
        rows.append(np.where(values == UNKNOWN, mask, known).astype(np.uint32))
    padding = SIZE * 8 - _BITS
    if padding:
        rows.append(np.full(columns["start"].size, (1 << padding) - 1, np.uint32))
    return np.stack(rows)


def bodies(columns: Mapping[str, Steps]) -> list[bytes]:
    """Return what nodes would put on the wire, unsealed."""
    return batch.paste(batch.widths(REPORT_FIELDS, SIZE), raw(columns))


def _minifloat_code(values: Steps) -> NDArray[np.int64]:
    positive = np.maximum(values.astype(np.int64), 0)
    exponent = np.zeros(positive.shape, np.int64)
    while np.any(beyond := (positive >> exponent) > 63):
        exponent += beyond
    return exponent << 6 | positive >> exponent


def entropy_bytes(columns: Mapping[str, Steps]) -> float:
    """Return the bytes of a report by the entropy of each field apart, [nodes, minutes]."""

    def bits(values: Steps) -> float:
        counts = np.unique(values, return_counts=True)[1]
        share = counts / counts.sum()
        return float(-(share * np.log2(share)).sum())

    whole = 0.0
    for values in columns.values():
        whole += min(bits(values), bits(np.diff(values, axis=1)))
    return whole / 8
