"""Speeds and counts of vehicles, from histograms that add up."""

from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import hour
from numpy.typing import NDArray

from lampione.rollup import histogram

Floats = NDArray[np.float64]
LEAST_VEHICLES = 100  # for V85; with fewer it is said, and that they are too few


class Speeds(NamedTuple):
    """Of vehicles whose speed was measured; NaN where there were none."""

    vehicles: NDArray[np.int64]
    v85: Floats  # km/h: 85 % drive no faster
    mean: Floats
    too_few: NDArray[np.bool_]


def speeds(bins: NDArray[Any]) -> Speeds:
    """Return speeds of histograms, whose last axis is that of the bins.

    The last bin holds what is faster too. Hours with fewer than three vehicles send none.
    """
    vehicles = bins.sum(axis=-1, dtype=np.int64)
    return Speeds(
        vehicles,
        histogram.quantile(bins, 0, hour.SPEED_STEP_KMH, 0.85),
        histogram.mean(bins, 0, hour.SPEED_STEP_KMH),
        vehicles < LEAST_VEHICLES,
    )
