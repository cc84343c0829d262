"""What moves before a radar."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

Targets = Sequence[tuple[float, float]]


class Movement(Protocol):
    """Whatever can say what moves; a TrafficStreet is one. It must pickle."""

    def targets(self, now_s: float, least_db: float = -math.inf) -> Targets:
        """Return (radial speed in m/s, + inbound; strength in dB over the noise) of each target.

        What is weaker than `least_db` may be left out.
        """
        ...


@dataclass
class Steady:
    """The same targets at all times; none: an empty street."""

    found: Targets = field(default_factory=list)

    def targets(self, now_s: float, least_db: float = -math.inf) -> Targets:
        """See Movement."""
        del now_s, least_db
        return self.found
