"""The audit: who did what to which lamp, when, and what came of it, as a chain of hashes.

Each entry's hash is SHA-256 over the hash before it and the entry's own text, so that nobody can
change, drop, add or reorder entries without every later hash being another one. The last hash
stands in each hand-over note and can be written down: then the end cannot be cut off unseen.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

FIRST = bytes(32)  # the hash before the first entry
DETAIL_MAX = 4000  # characters of an entry's detail


class Deed(NamedTuple):
    """What was done, before it is an entry.

    at: Unix seconds. node: None where it is of no node. detail: JSON; it holds no secret.
    """

    at: float
    operator: str
    role: str
    terminal: str
    action: str
    node: str | None
    detail: Mapping[str, Any]


class Entry(NamedTuple):
    """An entry as it is stored. `body`: its text, which the hash is over."""

    seq: int  # from 1, without gaps
    body: str
    hash: bytes

    @property
    def deed(self) -> Deed:
        """Return what was done. Raises ValueError for a text that no program of ours wrote."""
        found = json.loads(self.body)
        if not isinstance(found, list) or len(found) != 1 + len(Deed._fields):
            raise ValueError("not an entry")
        return Deed(*found[1:])


class Fault(NamedTuple):
    """Where a chain is broken, and why."""

    seq: int
    why: str


def hash_of(before: bytes, body: str) -> bytes:
    """Return an entry's hash."""
    return hashlib.sha256(before + body.encode("utf-8", "replace")).digest()


def body_of(seq: int, deed: Deed) -> str:
    """Return an entry's text: ASCII, JSON, the same for the same deed."""
    detail: Mapping[str, Any] = deed.detail
    whole = json.dumps(detail, sort_keys=True)
    if len(whole) > DETAIL_MAX:
        detail = {"cut": whole[:DETAIL_MAX]}
    what = [seq, round(deed.at, 3), *deed[1:-1], detail]
    return json.dumps(what, sort_keys=True, separators=(",", ":"))


def chained(seq: int, before: bytes, deeds: Iterable[Deed]) -> list[Entry]:
    """Return deeds as entries; `seq`, `before`: of the last entry there is, 0 and FIRST: none."""
    found = []
    for deed in deeds:
        seq += 1
        body = body_of(seq, deed)
        before = hash_of(before, body)
        found.append(Entry(seq, body, before))
    return found


def verify(entries: Iterable[Entry], seq: int = 0, before: bytes = FIRST) -> Fault | None:
    """Return where a chain is broken first; None: it is whole.

    Args:
        entries: rising.
        seq, before: of the entry that they follow.
    """
    for entry in entries:
        seq += 1
        if entry.seq != seq:
            return Fault(seq, f"entry {seq} is missing, {entry.seq} stands in its place")
        if hash_of(before, entry.body) != entry.hash:
            return Fault(seq, f"entry {seq}, or the one before it, is not what it was")
        try:
            own = json.loads(entry.body)[0]
        except (ValueError, LookupError, TypeError):
            own = None
        if own != seq:
            return Fault(seq, f"entry {seq} says that it is {own}")
        before = entry.hash
    return None


class Chain:
    """Checks a chain in pieces, from its first entry on.

    Attributes:
        seq, head: number and hash of the last entry that is as it was written.

    Args:
        witnesses: hashes by number that stand elsewhere, in notes: entries that were all written
            anew, each hash too, are a chain as well.
    """

    def __init__(self, witnesses: Mapping[int, bytes] | None = None) -> None:
        self.seq, self.head = 0, FIRST
        self._witnesses = witnesses or {}

    def take(self, entries: Iterable[Entry]) -> Fault | None:
        """Check what comes next."""
        for entry in entries:
            fault = verify([entry], self.seq, self.head)
            if fault is not None:
                return fault
            if self._witnesses.get(entry.seq, entry.hash) != entry.hash:
                return Fault(entry.seq, f"a note knows entry {entry.seq} by another hash")
            self.seq, self.head = entry.seq, entry.hash
        return None

    def end(self) -> Fault | None:
        """Say whether the end was cut off: a note knows a later entry."""
        last = max(self._witnesses, default=0)
        if last > self.seq:
            return Fault(self.seq + 1, f"it ends at {self.seq}, and a note knows entry {last}")
        return None
