"""Many nodes silent at once have one cause: which, as far as it can be known from here.

A group (the nodes of a feeder, a radio network, a site, a shard) is the cause when most of it, and
three at least, went silent within a short time. It stays the cause, with whoever is still silent,
until few are left.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

LEAST = 3
WINDOW_S = 300.0
KINDS = ("feeder", "radio", "site", "shard")
"""Of what explains as much the first is meant."""

# More than this share of a group's nodes begins it; it stays while more than this is silent.
_BEGINS = {"feeder": 0.5, "radio": 0.5, "site": 0.5, "shard": 0.8}
_STAYS = {"feeder": 0.25, "radio": 0.25, "site": 0.25, "shard": 0.6}


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
    groups: Mapping[str, Sequence[Group]],
    sizes: Mapping[Group, int],
    standing: Collection[Group] = (),
    window_s: float = WINDOW_S,
) -> Silent:
    """Say which groups are silent, and which nodes alone.

    Args:
        silent: nodes, and since when.
        groups: that each node is in.
        sizes: how many nodes each group has that were ever heard.
        standing: groups that were a cause until now.
    """
    left = dict(silent)
    here: dict[Group, set[str]] = defaultdict(set)
    for node in silent:
        for group in groups.get(node, ()):
            here[group].add(node)
    found: dict[Group, dict[str, float]] = {}
    while True:
        able = [
            group
            for group, nodes in here.items()
            if len(nodes) >= LEAST and _holds(group, nodes, left, sizes, standing, window_s)
        ]
        if not able:
            return Silent(found, left)
        best = min(able, key=lambda group: (-len(here[group]), KINDS.index(group.kind), group.name))
        members = here.pop(best)
        found[best] = {node: left.pop(node) for node in sorted(members)}
        for others in here.values():
            others.difference_update(members)


def _holds(
    group: Group,
    nodes: Collection[str],
    since: Mapping[str, float],
    sizes: Mapping[Group, int],
    standing: Collection[Group],
    window_s: float,
) -> bool:
    size = sizes[group]
    if group in standing:
        return len(nodes) > _STAYS[group.kind] * size
    share = _BEGINS[group.kind] * size
    return len(nodes) > share and _together(sorted(since[n] for n in nodes), window_s) > share


def _together(since: Sequence[float], window_s: float) -> int:
    """Return the most that went within one window."""
    first = most = 0
    for n, at in enumerate(since):
        while at - since[first] > window_s:
            first += 1
        most = max(most, n - first + 1)
    return most
