"""What moves before a radar."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lampione_hil.virtual.devices.base import asked_s

PART_S = 20  # a street is looked through in parts of this length

Targets = Sequence[tuple[float, float]]


class Movement(Protocol):
    """Whatever can say what moves; a TrafficStreet is one. It must pickle."""

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


class Ahead:
    """What moves at the moments of a part's reports, asked for those to come at once."""

    def __init__(self, movement: Movement) -> None:
        self._movement = movement
        self._known: dict[float, Targets] = {}

    def targets(self, now_s: float, period_s: float, lag_s: float, least_db: float) -> Targets:
        """Return what moved `lag_s` before a report, the next of which is a period later.

        All but the first argument stay the same, or there is another Ahead.
        """
        if now_s not in self._known:
            times_s = [now_s]
            end_s = (math.floor((now_s - lag_s) / PART_S) + 1) * PART_S + lag_s
            while (next_s := asked_s(times_s[-1] + period_s)) < end_s:
                times_s.append(next_s)
            found = self._movement.targets([s - lag_s for s in times_s], least_db)
            self._known = dict(zip(times_s, found, strict=True))
        return self._known[now_s]
