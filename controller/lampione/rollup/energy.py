"""What was used by counters that only rise, until they start anew."""

from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione.rollup.block import unstamp

ENERGY_WH = -next(f[5] for f in schema.HEALTH_FIELDS if f[0] == "energy")  # of a step
_POWER = next(f for f in schema.REPORT_FIELDS if f[0] == "lamp_power")
POWER_MAX_W = _POWER[4] / _POWER[5]  # the greatest that a node can say
# Steps of a counter in an hour that no lamp exceeds.
FASTEST = {"energy": POWER_MAX_W / ENERGY_WH, "burn_hours": 1.0}


class Used(NamedTuple):
    """Steps of a counter, [bucket, node]."""

    steps: NDArray[np.int64]
    resets: NDArray[np.int64]  # how often it did not go on from where it was
    known: NDArray[np.bool_]  # the counter was seen, and before


def used(first: NDArray[Any], last: NDArray[Any], n: NDArray[Any], fastest: float) -> Used:
    """Return by how much a counter rose, in the buckets in which that was learned.

    A counter that falls, or rises by more than the time since could bring, was made new or is
    another one: it counts from nought if it can have come so far since, else from where it is.

    Args:
        first: stamps of `Kind.COUNTER`, [bucket, node], buckets in order.
        last: as `first`.
        n: how many values a bucket has; with none its stamps say nothing.
        fastest: steps in an hour that the counter cannot exceed.
    """
    steps = np.zeros(n.shape, np.int64)
    resets = np.zeros(n.shape, np.int64)
    known = np.zeros(n.shape, np.bool_)
    nodes = n.shape[1]
    seen = np.zeros(nodes, np.bool_)
    was_at, was = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    for bucket in range(n.shape[0]):
        here = n[bucket] > 0
        for stamps in (first[bucket], last[bucket]):
            at, value = unstamp(np.where(here, stamps, 0))
            rise = value - was
            # A step more: it may have been about to come.
            most = np.floor((at - was_at) / 3600 * fastest).astype(np.int64) + 1
            goes_on = (rise >= 0) & (rise <= most)
            counted = np.where(goes_on, rise, np.where(value <= most, value, 0))
            both = here & seen
            steps[bucket] += np.where(both, counted, 0)
            resets[bucket] += both & ~goes_on
            known[bucket] |= both
            seen |= here
            was_at, was = np.where(here, at, was_at), np.where(here, value, was)
    # With one value and none before it nothing is known to have been used.
    known &= (n > 1) | (np.cumsum(n > 0, axis=0) > 1)
    return Used(steps, resets, known)
