"""What moves before a radar."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

Targets = Sequence[tuple[float, float]]


class Movement(Protocol):
    """Whatever can say what moves; a TrafficStreet is one. It must pickle."""

    def targets(self, now_s: float) -> Targets:
        """Return (radial speed in m/s, + inbound; strength in dB over the noise) of each target."""
        ...


@dataclass
class Steady:
    """The same targets at all times; none: an empty street."""

    found: Targets = field(default_factory=list)

    def targets(self, now_s: float) -> Targets:
        """See Movement."""
        del now_s
        return self.found
