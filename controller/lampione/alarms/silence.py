"""Many nodes silent at once have one cause: which, as far as it can be known from here.

A group (the nodes of a feeder, an access point, a site, a shard) is the cause when most of it, and
three at least, went silent within a short time. It stays the cause, with whoever is still silent,
until few are left.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

LEAST = 3
WINDOW_S = 300.0
STAYS_SHARE = 0.25


class Group(NamedTuple):
    """Nodes with something in common, in words: ("feeder", "F12")."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Silent(NamedTuple):
    """What is silent now: nodes by their cause, and those that are alone with it."""

    causes: dict[Group, dict[str, float]]  # node: since
    alone: dict[str, float]


def causes(
    silent: Mapping[str, float],
    groups: Sequence[Mapping[Group, Sequence[str]]],
    standing: Iterable[Group],
    window_s: float = WINDOW_S,
) -> Silent:
    """Say which groups are silent, and which nodes alone.

    Args:
        silent: nodes, and since when.
        groups: nodes of each, the widest groups first; of those with one a node is in one.
        standing: groups that were a cause until now.
    """
    left = dict(silent)
    was = set(standing)
    found: dict[Group, dict[str, float]] = {}
    for level in groups:
        for group, nodes in level.items():
            here = {node: left[node] for node in nodes if node in left}
            if len(here) < LEAST:
                continue
            if group in was:
                holds = len(here) > STAYS_SHARE * len(nodes)
            else:
                holds = _together(sorted(here.values()), window_s) * 2 > len(nodes)
            if holds:
                found[group] = here
                for node in here:
                    del left[node]
    return Silent(found, left)


def _together(since: Sequence[float], window_s: float) -> int:
    """Return the most that went within one window, LEAST at least, else 0."""
    first = most = 0
    for n, at in enumerate(since):
        while at - since[first] > window_s:
            first += 1
        most = max(most, n - first + 1)
    return most if most >= LEAST else 0
