"""How old what a node said is, and from when on it is no longer of now.

Each rule stands in two forms, one under the other: of every node at once, and of one, for which
numpy would take ten times as long.
"""

import numpy as np
from numpy.typing import NDArray

SILENT_S = 200.0  # without a frame, beside an interval of a minute
INTERVALS = 3  # without a frame, where they are longer
HEALTH_FRESH_S = 2700.0  # three of the interval that nodes come with

Seconds = NDArray[np.float64]


def all_quiet_after(durations_s: NDArray[np.int32]) -> Seconds:
    """Return after how many seconds without a word each is silent; unknown is far below 0."""
    return np.maximum(SILENT_S, np.float64(INTERVALS) * durations_s)


def quiet_after(duration_s: float | None) -> float:
    """As `all_quiet_after`, by the duration of a node's last report."""
    return max(SILENT_S, INTERVALS * (duration_s or 0))


def all_said_at(
    received: Seconds, begun: NDArray[np.int64], durations_s: NDArray[np.int32] | None = None
) -> Seconds:
    """Return the end of what each message is of, or its arrival when that was earlier.

    What a node kept while it was cut off is old when it arrives. begun: 0 where it is not known.
    """
    found = begun.astype(np.float64)
    if durations_s is not None:
        found += np.maximum(durations_s, 0)  # unknown is far below 0
    np.minimum(found, received, out=found)
    np.copyto(found, received, where=begun <= 0)  # a `where` of both takes five times as long
    return found


def said_at(received: float, begun: float | None, duration_s: float | None) -> float:
    """As `all_said_at`."""
    return received if begun is None else min(begun + (duration_s or 0), received)
