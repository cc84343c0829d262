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


class Meter:
    """Reads counters bucket by bucket, in order of time.

    A counter that falls, or rises by more than the time since could bring, was made new or is
    another one: it counts from nought if it can have come so far since, else from where it is.
    What a counter rose by between two buckets counts in the later one.

    Args:
        nodes: how many counters.
        fastest: steps in an hour that no counter exceeds, see `FASTEST`.
    """

    def __init__(self, nodes: int, fastest: float):
        self._fastest = fastest
        self._seen = np.zeros(nodes, np.bool_)
        self._at = np.zeros(nodes, np.int64)
        self._value = np.zeros(nodes, np.int64)

    def read(self, first: NDArray[Any], last: NDArray[Any], n: NDArray[Any]) -> Used:
        """Return by how much counters rose in buckets that follow on those read before.

        Args:
            first: stamps of `Kind.COUNTER`, [bucket, node].
            last: as `first`.
            n: how many values a bucket has; with none its stamps say nothing.
        """
        steps = np.zeros(n.shape, np.int64)
        resets = np.zeros(n.shape, np.int64)
        known = np.zeros(n.shape, np.bool_)
        for bucket in range(len(n)):
            here = n[bucket] > 0
            # With one value and none before it nothing is known to have been used.
            known[bucket] = here & (self._seen | (n[bucket] > 1))
            for stamps in (first[bucket], last[bucket]):
                at, value = unstamp(np.where(here, stamps, 0))
                rise = value - self._value
                # A step more: it may have been about to come.
                most = np.floor((at - self._at) / 3600 * self._fastest).astype(np.int64) + 1
                goes_on = (rise >= 0) & (rise <= most)
                counted = np.where(goes_on, rise, np.where(value <= most, value, 0))
                both = here & self._seen
                steps[bucket] += np.where(both, counted, 0)
                resets[bucket] += both & ~goes_on
                self._seen |= here
                self._at = np.where(here, at, self._at)
                self._value = np.where(here, value, self._value)
        return Used(steps, resets, known)
