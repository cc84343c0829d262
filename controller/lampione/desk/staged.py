"""Rollouts in stages as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from lampione.desk.text import age

Staged = Mapping[str, Any]  # api.Staged
Node = Mapping[str, Any]  # api.StagedNode

STATES = {
    "draft": ("·", "dim"),
    "running": ("▶", "note"),
    "soaking": ("◷", "note"),
    "paused": ("‖", "warn"),
    "stopped": ("■", "bad"),
    "aborting": ("◁", "warn"),
    "reverting": ("◁", "warn"),
    "done": ("✓", "good"),
    "aborted": ("×", "dim"),
    "reverted": ("◀", "dim"),
}
"""A rollout's state: glyph and tone."""

PHASES = {
    "waiting": ("·", "dim"),
    "going": ("▶", "note"),
    "stopping": ("◁", "warn"),
    "reverting": ("◁", "warn"),
    "done": ("✓", "good"),
    "same": ("=", "good"),
    "failed": ("✗", "bad"),
    "lost": ("!", "bad"),
    "skipped": ("○", "warn"),
    "left": ("–", "dim"),
    "reverted": ("◀", "dim"),
}
"""A node's phase: glyph and tone."""

MANY = 20  # nodes: what touches so many is not done by a slip
HAS_IT = ("done", "same")
FAILED = ("failed", "lost")
DOES = {
    "pause": ("running", "soaking"),
    "resume": ("paused", "stopped"),
    "abort": ("draft", "running", "soaking", "paused", "stopped"),
    "retry": ("running", "soaking", "paused", "stopped", "done"),
    "revert": ("running", "soaking", "paused", "stopped", "aborting", "done", "aborted"),
}
"""What can be done with a rollout, by its state."""


def total(staged: Staged, *phases: str) -> int:
    """Return how many nodes are in these phases; without any, how many there are."""
    return sum(
        number
        for wave in staged["waves"]
        for phase, number in wave.items()
        if not phases or phase in phases
    )


def bar(counts: Mapping[str, int], width: int) -> str:
    """Draw how far it is: `#` has it, `!` failed, `>` under way, `-` not begun or left alone."""
    size = sum(counts.values())
    if not size or width < 1:
        return ""
    has = sum(counts.get(p, 0) for p in HAS_IT)
    failed = sum(counts.get(p, 0) for p in FAILED)
    moving = sum(counts.get(p, 0) for p in ("going", "stopping", "reverting"))
    text, reached = "", 0
    for glyph, number in (("#", has), ("!", failed), (">", moving)):
        reached += number
        cells = round(reached * width / size) - len(text)
        if number and cells < 1 and len(text) < width:
            cells = 1  # what is there is seen
        text += glyph * max(cells, 0)
    return (text + "-" * width)[:width]


def summary(staged: Staged) -> str:
    """Say how many nodes have it, failed and so on."""
    words = [f"{total(staged, *HAS_IT)} of {total(staged)}"]
    for name, phases in (
        ("under way", ("going", "stopping")),
        ("going back", ("reverting",)),
        ("failed", FAILED),
        ("skipped", ("skipped",)),
        ("left", ("left",)),
        ("taken back", ("reverted",)),
    ):
        number = total(staged, *phases)
        if number:
            words.append(f"{number} {name}")
    return ", ".join(words)


def now_text(staged: Staged, now: float) -> str:
    """Say what it does now, and until when or why."""
    state = str(staged["state"])
    if staged["final"] or state == "draft":
        return state
    if state in ("aborting", "reverting"):
        return f"{state}: {total(staged, 'stopping', 'reverting')} under way"
    text = f"{state}, wave {staged['wave']} of {len(staged['waves'])}"
    if staged["until"] is not None:
        left = staged["until"] - now
        text += f", on in {age(left)}" if left > 0 else ", on in a moment"
    if staged["why"]:
        text += f": {staged['why']}"
    return text


def rules_text(staged: Staged) -> str:
    """Say by what rules it goes on."""
    sizes = " + ".join(str(sum(wave.values())) for wave in staged["waves"])
    words = [f"waves of {sizes}" if len(staged["waves"]) > 1 else f"one wave of {sizes}"]
    if staged["soak_s"]:
        words.append(f"soak {age(staged['soak_s'])}")
    if staged["stop_percent"] < 100:
        words.append(f"stops above {staged['stop_percent']:g} % failed in a wave")
    if staged["at_once"]:
        words.append(f"{staged['at_once']} at once")
    if staged["options"].get("trial_s"):
        words.append(f"trial {age(staged['options']['trial_s'])}")
    return ", ".join(words)


def node_text(node: Node) -> str:
    """Say how a node is: what it does, or why it ended so."""
    return str(node["progress"] or node["reason"] or "")


def merge(known: dict[str, Any], staged: Staged) -> None:
    """Take nodes that changed into those that are known, by name."""
    for node in staged.get("nodes", ()):
        known[node["node"]] = node


def in_order(nodes: Mapping[str, Any], words: Sequence[str] = ()) -> Sequence[Any]:
    """Return nodes as they are best read: what failed, what moves, the others by wave.

    Args:
        words: those alone whose name, phase or reason hold all of them.
    """
    rank = {"failed": 0, "lost": 0, "going": 1, "stopping": 1, "reverting": 1, "skipped": 2}
    found = [
        node
        for node in nodes.values()
        if all(w in f"{node['node']} {node['phase']} {node_text(node)}".lower() for w in words)
    ]
    return sorted(found, key=lambda n: (rank.get(n["phase"], 3), n["wave"], n["node"]))


def typed(staged: Staged, do: str) -> str | None:
    """Return the word that has to be typed for something that touches many lamps."""
    many = do == "revert" and total(staged, "done", "lost") >= MANY
    return do if many else None


def consequences(staged: Staged, do: str) -> list[str]:
    """Say in numbers what comes of something that people do."""
    waiting = total(staged, "waiting")
    going = total(staged, "going")
    if do == "resume":
        words = [f"{waiting} nodes still wait for their turn"]
        failed = total(staged, *FAILED)
        if staged["state"] == "stopped":
            words.append(f"it goes on in spite of {failed} that failed; t tries those again first")
        return words
    if do == "retry":
        return [f"{total(staged, 'failed', 'skipped')} nodes get another turn now"]
    if do == "abort":
        return [
            f"{waiting} nodes are left as they are",
            f"{going} under way are stopped, and go back if they are trying it",
            f"{total(staged, *HAS_IT)} keep it: v takes it back",
        ]
    if do == "revert":
        return [
            f"{total(staged, 'done', 'lost')} nodes go back to the config before, on trial as ever",
            f"{going} under way are stopped, {waiting} are left as they are",
        ]
    return []
