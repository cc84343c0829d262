"""Alarms in words, for the terminal and the screen."""

from collections.abc import Iterable, Mapping
from typing import Any

from lampione.desk.present import UNKNOWN, clock
from lampione.desk.text import age, clean

Alarm = Mapping[str, Any]
"""As `lampione.api.Alarm`."""

GLYPHS = {"critical": "▲", "major": "▲", "minor": "▲", "warning": "·"}
TONES = {"critical": "bad", "major": "bad", "minor": "warn", "warning": "note"}
ORDER = tuple(GLYPHS)


def severity(alarm: Alarm) -> tuple[str, str]:
    """Return tone and words: dim once it is over."""
    word = alarm["severity"]
    tone = TONES.get(word, "") if alarm["active"] else "dim"
    return tone, f"{GLYPHS.get(word, '·')} {word}"


def state(alarm: Alarm, now: float) -> str:
    """Return active or cleared, and whether somebody has seen it."""
    if (alarm["shelved_until"] or 0) > now:
        return "shelved"
    if not alarm["active"]:
        return "history" if alarm["acknowledged"] else "cleared"
    return "acked" if alarm["acknowledged"] else "active"


def which(alarm: Alarm) -> str:
    """Return the node, or the cause with how many it has."""
    members = len(alarm["members"])
    return clean(alarm["subject"]) + (f" ({members} nodes)" if members else "")


def what(alarm: Alarm) -> str:
    """Return what it is, how often, and its value."""
    often = f" ×{alarm['count']}" if alarm["count"] > 1 else ""
    value = f": {alarm['value']}" if alarm["value"] else ""
    return clean(alarm["what"] + often + value)


def who(alarm: Alarm) -> str:
    """Return who has taken it on."""
    return clean(alarm["assignee"] or "")


def since(alarm: Alarm, now: float) -> str:
    """Return for how long it is so."""
    return age(now - alarm["since"])


def ordered(alarms: Iterable[Alarm], now: float) -> list[Any]:
    """Return faults first: what is active and unseen, then by severity, then the newest."""

    def rank(alarm: Alarm) -> tuple[Any, ...]:
        shelved = (alarm["shelved_until"] or 0) > now
        worst = ORDER.index(alarm["severity"]) if alarm["severity"] in ORDER else len(ORDER)
        return shelved, not alarm["active"], worst, alarm["acknowledged"], -alarm["since"]

    return sorted(alarms, key=rank)


def is_fault(alarm: Alarm) -> bool:
    """Say whether something is to be mended, and not only to be known."""
    return bool(alarm["severity"] != "warning")


def matches(alarm: Alarm, text: str) -> bool:
    """Say whether every word of a text is somewhere in an alarm; `!word`: is nowhere."""
    words = (
        alarm["subject"], alarm["what"], alarm["rule"], alarm["severity"], alarm["assignee"] or "",
        alarm["note"] or "", *alarm["members"],
    )  # fmt: skip
    said = " ".join(words).lower()
    return all(
        (word[1:] not in said) if word[:1] == "!" and word[1:] else word in said
        for word in text.lower().split()
    )


_NAMED = 12  # of an alarm's nodes, where it is explained


def why(alarm: Alarm, now: float) -> list[str]:
    """Return lines that say what it is, since when, and what mends it."""
    limit = f" (limit {alarm['limit']})" if alarm["limit"] else ""
    value = f" {alarm['value']}" if alarm["value"] else ""
    lines = [
        f"#{alarm['id']} {which(alarm)}: {clean(alarm['what'])}{clean(value)}{clean(limit)}",
        f"since {_time(alarm['since'])} ({since(alarm, now)}), known at {_time(alarm['raised'])}"
        + (f", over since {_time(alarm['cleared'])}" if alarm["cleared"] else "")
        + (f", {alarm['count']} times" if alarm["count"] > 1 else ""),
    ]
    if alarm["acknowledged"]:
        by = clean(alarm["acknowledged_by"] or UNKNOWN)
        lines.append(f"acknowledged by {by} at {_time(alarm['acknowledged_at'])}")
    if alarm["assignee"] or alarm["note"]:
        lines.append(f"{who(alarm) or 'nobody'}: {clean(alarm['note'] or 'no note')}")
    if alarm["mend"]:
        lines.append(f"to do: {clean(alarm['mend'])}")
    if alarm["members"]:
        named = ", ".join(alarm["members"][:_NAMED])
        more = len(alarm["members"]) - _NAMED
        lines.append(clean(named) + (f" and {more} more: enter lists them" if more > 0 else ""))
    return lines


def _time(at: float | None) -> str:
    return clock(at, "%Y-%m-%d %H:%M:%S")
