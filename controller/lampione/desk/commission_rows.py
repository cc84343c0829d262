"""The rows of a list of boards: where each is, what was done to it, what it measured."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lampione_hil.testing.measuring import limits

from lampione.provision.queue import Entry, Queue

Toned = tuple[str, str]
"""(tone, text)"""
_VERDICTS = {"good": ("good", "✓"), "note": ("warn", "·"), "bad": ("bad", "✗")}


@dataclass
class Item:
    """A row of the list.

    trail: what was done to it in this run, the last being what is done now; part: of that.
    checks: of its newest record; in this run, what was measured so far.
    """

    entry: Entry
    next: bool = False
    trail: list[str] = field(default_factory=list)
    part: float | None = None
    going: bool = False
    checks: Sequence[Mapping[str, Any]] = ()

    @property
    def node(self) -> str:
        """Return whose row it is."""
        return self.entry.node

    @property
    def state(self) -> Toned:
        """Where it is: a glyph and a word."""
        if self.going:
            return "note", "► at work"
        if self.entry.state == "done":
            return "good", "✓ done"
        if self.entry.state == "failed":
            return "bad", "✗ failed"
        if self.entry.state == "begun":
            return "warn", "‖ interrupted"
        return ("bold", "→ next") if self.next else ("dim", "· waiting")

    @property
    def now(self) -> str:
        """What is done to it, or what became of it, in a line."""
        if self.going:
            return self.trail[-1] if self.trail else "begins"
        if self.entry.state == "failed":
            return f"{self.entry.words}: {self.entry.why}"
        if self.entry.state == "begun":
            return self.entry.words
        return Path(self.entry.record).name if self.entry.record else ""

    def details(self) -> list[Toned]:
        """Everything about it, a line each: what is wrong first."""
        found: list[Toned] = []
        entry = self.entry
        if self.going:
            found += [("good", f"✓ {step}") for step in self.trail[:-1]]
            found += [_checked(check) for check in self.checks]
            part = "" if self.part is None else f"  {round(self.part * 100)} %"
            found.append(("note", f"► {self.now}{part}"))
            return found
        if entry.state in ("failed", "begun"):
            found.append((self.state[0], entry.words))
            if entry.why:
                found += [("bad", f"why         {entry.why}"), ("", f"what to do  {entry.do}")]
            else:
                found.append(("", "what to do  begin again: it goes on with the same board"))
        if entry.record:
            found.append(("dim", f"record      {entry.record}"))
        bad_first = sorted(self.checks, key=lambda check: check["verdict"] != "bad")
        found += [_checked(check) for check in bad_first]
        return found or [("dim", "nothing was done with it yet")]


def _checked(check: Mapping[str, Any]) -> Toned:
    tone, glyph = _VERDICTS[check["verdict"]]
    return tone, f"{glyph} {words_of(check)}"


def words_of(check: Mapping[str, Any]) -> str:
    """Write a check of a record: name, value, limits, what to do."""
    value = "nothing" if check["value"] is None else f"{check['value']} {check['unit']}".strip()
    low, high = check["low"], check["high"]
    allowed = "" if low is None and high is None else limits(low, high)
    return f"{check['name']:<14} {value:<12} {allowed:<16} {check['do']}".rstrip()


def items_of(queue: Queue) -> list[Item]:
    """Return the rows of a list."""
    left = queue.left()
    return [
        Item(entry, bool(left) and entry.node == left[0].node, checks=checks_of(entry))
        for entry in queue.entries()
    ]


def checks_of(entry: Entry) -> Sequence[Mapping[str, Any]]:
    """Return the checks of an entry's record; none where it has gone or is no record."""
    if entry.record is not None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(Path(entry.record).read_bytes())["checks"]
            return list(_sound(found))
    return ()


def _sound(checks: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for check in checks:
        words_of(check)  # raises where it is none
        if check["verdict"] in _VERDICTS:
            yield check
