"""A rollout in stages as the socket carries it."""

from dataclasses import dataclass, field
from typing import Any

from lampione import api
from lampione.fleet.node import NodeState
from lampione.fleet.staged_kind import Kind
from lampione.fleet.stages import MOVING, OVER, PENDING, Member, Stages
from lampione.store import StoredStages


@dataclass
class Open:
    """A rollout in memory."""

    head: StoredStages
    stages: Stages
    options: dict[str, Any]
    elsewhere: bool = False  # nodes of it are served by another controller
    begun: int = 0  # revision of what was read from the store
    revision: int = 0  # of the last change
    revisions: dict[str, int] = field(default_factory=dict)  # of nodes that changed since


def shape(open_: Open) -> api.Staged:
    """Return a rollout without its nodes."""
    head, stages = open_.head, open_.stages
    counts: list[dict[str, int]] = [{} for _ in range(stages.waves)]
    for member in stages.members.values():
        wave = counts[member.wave]
        wave[member.phase] = wave.get(member.phase, 0) + 1
    return {
        "rollout": head.id,
        "kind": head.kind,
        "author": head.author,
        "created": head.created,
        "changed": head.changed,
        "revision": open_.revision,
        "state": stages.state,
        "final": stages.state in OVER,
        "why": stages.why,
        "wave": stages.wave + 1,
        "until": stages.until,
        "waves": counts,
        "soak_s": stages.rules.soak_s,
        "stop_percent": stages.rules.stop_percent,
        "at_once": stages.rules.at_once,
        "wait_s": stages.rules.wait_s,
        "options": open_.options,
    }


def member_shape(member: Member, node: NodeState | None, kind: Kind | None) -> api.StagedNode:
    """Return how far a node is."""
    progress = None
    if member.phase in MOVING and member.asked and node is not None and kind is not None:
        progress = kind.progress(node, member.mark)
    return {
        "node": member.node,
        "wave": member.wave + 1,
        "phase": member.phase,
        "final": member.phase not in PENDING,
        "progress": progress,
        "reason": member.reason,
        "since": member.changed,
    }
