"""What an entry of the audit says, for people. Works on the core's dictionaries."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lampione.desk.present import clock
from lampione.desk.text import clean

Entry = Mapping[str, Any]
_GOOD = frozenset(("done", "confirmed", "finished", "passed", "pass"))
_BAD = frozenset(
    (
        "failed",
        "fail",
        "refused",
        "expired",
        "reverted",
        "damaged",
        "cancelled",
        "stopped",
        "aborted",
    )
)
_WITH_DO = frozenset(("operator", "store"))
"""Deeds of which `do` says more."""
_LATER = {"send": "command", "rollout": "rollout"}
"""Deeds whose outcome is an entry of its own, and the number that both have."""


class Outcome(NamedTuple):
    """What came of a deed. tone: "good", "bad", "dim" or ""."""

    tone: str
    text: str


def what_was_done(entry: Entry) -> str:
    """Return what was done."""
    action, detail = entry["action"], entry["detail"]
    if action == "send":
        return clean(_order(detail))
    if action == "command ended":
        return clean(f"result of {detail.get('op')}")
    if action in ("rollout", "rollout ended"):
        return clean(f"{action} {detail.get('rollout')} {detail.get('do', '')}".rstrip())
    if action in _WITH_DO:
        return clean(f"{action} {detail.get('do')}")
    return clean(action)


def _order(detail: Mapping[str, Any]) -> str:
    words = [str(detail.get("op"))]
    if "level" in detail:
        words.append(f"{detail['level']} %")
    if detail.get("ramp_s"):
        words.append(f"ramp {_span(detail['ramp_s'])}")
    if detail.get("op") == "maintenance" and detail.get("for_s") == 0:
        words.append("end")
    elif "for_s" in detail:
        words.append(f"for {_span(detail['for_s'])}")
    return " ".join(words)


def _span(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return str(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def outcomes(entries: Iterable[Entry]) -> dict[int, Outcome]:
    """Return what came of entries, by their number; `entries` in any order."""
    found: dict[int, Outcome] = {}
    begun: dict[tuple[str, Any], int] = {}
    for entry in sorted(entries, key=lambda entry: int(entry["seq"])):
        action, detail, seq = entry["action"], entry["detail"], entry["seq"]
        if action in _LATER:
            begun[_LATER[action], detail.get(_LATER[action])] = seq
            found[seq] = Outcome("dim", "no result yet")
        elif action in ("configure", "revert"):
            begun["config", entry["node"]] = seq
            found[seq] = Outcome("dim", "no result yet")
        elif action in ("command ended", "config ended", "rollout ended"):
            kind = action.partition(" ")[0]
            key = entry["node"] if kind == "config" else detail.get(kind)
            found[seq] = _ended(detail)
            if (kind, key) in begun:
                found[begun.pop((kind, key))] = found[seq]
        else:
            result = "refused" if action.startswith("refused") else detail.get("result")
            found[seq] = Outcome(_tone(result), _said(entry))
    return found


def _ended(detail: Mapping[str, Any]) -> Outcome:
    state = str(detail.get("state", detail.get("phase")))
    text = state
    if detail.get("level") is not None:
        text += f", lamp at {detail['level']} %"
    if detail.get("reason"):
        text += f": {detail['reason']}"
    return Outcome(_tone(state), clean(text))


def _tone(state: object) -> str:
    return "good" if state in _GOOD else "bad" if state in _BAD else ""


def _said(entry: Entry) -> str:
    """Return the detail of what was done at once."""
    action, detail = entry["action"], dict(entry["detail"])
    if action in _WITH_DO:
        detail.pop("do", None)
    first = {
        "lock": "reason",
        "unlock": "reason",
        "operator": "name",
        "refused entry": "operator",
    }.get(action, "result")
    if first in detail:
        detail = {"": detail.pop(first), **detail}
    words = (f"{name.replace('_', ' ')} {_value(value)}" for name, value in detail.items())
    return clean(", ".join(word.strip() for word in words))


def matches(entry: Entry, outcome: str, words: Sequence[str]) -> bool:
    """Say whether each of the words, in lower case, stands in an entry."""
    text = " ".join((
        entry["operator"], entry["terminal"], entry["node"] or "", what_was_done(entry), outcome,
    )).casefold()  # fmt: skip
    return all(word in text for word in words)


def sentence(entry: Entry, outcome: str) -> str:
    """Return an entry in a sentence."""
    where = f" at {entry['terminal']}" if entry["terminal"] else ""
    which = f" {entry['node']}" if entry["node"] else ""
    came = f": {outcome}" if outcome else ""
    return clean(
        f"{entry['seq']}  {entry['operator']} ({entry['role']}){where}  "
        f"{what_was_done(entry)}{which}{came}"
    )


def facts(entry: Entry, outcome: str) -> list[tuple[str, str]]:
    """Return an entry whole, as names and values."""
    return [
        ("entry", str(entry["seq"])),
        ("when", clock(entry["at"], "%Y-%m-%d %H:%M:%S")),
        ("who", clean(f"{entry['operator']} ({entry['role']})")),
        ("terminal", clean(entry["terminal"])),
        ("what", what_was_done(entry)),
        ("which", clean(entry["node"] or "")),
        ("outcome", outcome),
        ("", ""),
        *((clean(name), _value(value)) for name, value in entry["detail"].items()),
        ("", ""),
        ("hash", entry["hash"]),
    ]


def _value(value: Any) -> str:
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
