"""Of histograms that add up: what lies below a share of their counts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def quantile(bins: NDArray[Any], low: float, step: float, share: float) -> Floats:
    """Return the value that `share` of the counts lie below, NaN where there are none.

    Within a bin counts are taken to be spread evenly, so the value is off by a bin at most.

    Args:
        bins: counts, the last axis from the lowest bin to the highest.
        low: lower edge of the first bin.
        step: width of a bin.
    """
    above = np.cumsum(bins, axis=-1, dtype=np.int64)
    total = above[..., -1:]
    wanted = total * share
    # The first bin that reaches it, and has something itself.
    at = ((above < wanted) | (above == 0)).sum(axis=-1, keepdims=True)
    at = np.minimum(at, bins.shape[-1] - 1)
    inside = np.take_along_axis(bins, at, -1).astype(np.float64)
    below = np.take_along_axis(above, at, -1) - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = low + step * (at + (wanted - below) / inside)
    return np.where(total > 0, found, np.nan)[..., 0]


def mean(bins: NDArray[Any], low: float, step: float) -> Floats:
    """Return the mean, each count taken at the middle of its bin; NaN where there are none."""
    middles = low + step * (np.arange(bins.shape[-1]) + 0.5)
    with np.errstate(invalid="ignore"):
        found: Floats = (bins * middles).sum(axis=-1) / bins.sum(axis=-1)
    return found
