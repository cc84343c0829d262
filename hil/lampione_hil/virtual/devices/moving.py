"""What moves before a radar."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lampione_hil.virtual.devices.base import asked_s

PART_S = 60  # a street is looked through in such parts: a long one costs little more than a short

Targets = Sequence[tuple[float, float]]


class Movement(Protocol):
    """Whatever can say what moves; a TrafficStreet is one. It must pickle.

    What it says depends on the times alone, until the world is changed: a radar keeps a minute.
    """

    def targets(self, times_s: Sequence[float], least_db: float = -math.inf) -> Sequence[Targets]:
        """Return what moves at each of some times that grow.

        Of each target: radial speed in m/s, + inbound; strength in dB over the noise. What is
        weaker than `least_db` may be left out. To ask for many times at once is far cheaper.
        """
        ...


@dataclass
class Steady:
    """The same targets at all times; none: an empty street."""

    found: Targets = field(default_factory=list)

    def targets(self, times_s: Sequence[float], least_db: float = -math.inf) -> list[Targets]:
        """See Movement."""
        del least_db
        return [self.found] * len(times_s)


def ahead(
    movement: Movement, now_s: float, period_s: float, lag_s: float, least_db: float
) -> Iterator[tuple[float, Targets]]:
    """Yield of each report from now to the end of a minute: when, and what moved `lag_s` before."""
    times_s = [now_s]
    end_s = (math.floor((now_s - lag_s) / PART_S) + 1) * PART_S + lag_s
    while (next_s := asked_s(times_s[-1] + period_s)) < end_s:
        times_s.append(next_s)
    found = movement.targets([s - lag_s for s in times_s], least_db)
    return zip(times_s, found, strict=True)
