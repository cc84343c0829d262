"""Lock-out and tag-out: a lamp under work is locked off by name.

Its author takes it off, when a PIN proves that it is he; anybody else, or anybody by that name
alone, gives a reason.
"""

from typing import NamedTuple

from lampione.room.who import Who

LOCK_S = 3 * 86400  # how long a node is dark without hearing of the lock again
RENEW_S = 86400  # how often it hears of it
REASON_MAX = 200


class LockedError(Exception):
    """The lamp is locked, or cannot be; the text says by whom, when and why."""


class Tag(NamedTuple):
    """One lock. at: Unix seconds. renewed: when the node was last told, 0: never."""

    node: str
    author: str
    reason: str
    at: float
    renewed: float = 0.0


def check_lock(tag: Tag | None, node: str, reason: str, confirm: str) -> str:
    """Return the reason, if this lamp may be locked so. Raises LockedError."""
    if confirm != node:
        raise LockedError(f"type the node's name to lock it: {node}")
    if tag is not None:
        raise LockedError(refusal(tag))
    return _reason(reason, "say why it is locked")


def check_unlock(tag: Tag | None, node: str, who: Who, reason: str | None) -> str | None:
    """Return the reason, if this lock may be taken off so. Raises LockedError."""
    if tag is None:
        raise LockedError(f"{node} is not locked")
    if not (who.by_pin and who.operator == tag.author) and not (reason or "").strip():
        proved = "whoever else takes it off"
        if who.operator == tag.author:
            proved = "a name without a PIN proves nothing, so whoever takes it off"
        raise LockedError(f"{refusal(tag)}: {proved} gives a reason")
    return _reason(reason, "") if reason else None


def _reason(text: str, missing: str) -> str:
    reason = " ".join(text.split())
    if not reason and missing:
        raise LockedError(missing)
    if len(reason) > REASON_MAX:
        raise LockedError(f"a reason has {REASON_MAX} letters at most")
    return reason


def refusal(tag: Tag) -> str:
    """Say that a lamp is locked, by whom and why."""
    return f"{tag.node} is locked by {tag.author}: {tag.reason}"
