"""The audit as a file of JSON Lines: every entry as people read it, with its text and its hash."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lampione.room.audit import Chain, Deed, Entry, Fault

LINE_MAX = 64 << 10


class Checked(NamedTuple):
    """What came of a check. `fault`: None where all is as it was written."""

    entries: int
    head: bytes
    fault: Fault | None


def line_of(entry: Mapping[str, Any]) -> str:
    """Return an `api.AuditEntry` as one line, ASCII."""
    return json.dumps(entry, sort_keys=True)


def check(lines: Iterable[str]) -> Checked:
    """Check an export from its first entry on. Nothing in it is believed."""
    chain = Chain()
    try:
        fault = chain.take(_entries(lines))
    except _LineError as error:
        fault = Fault(chain.seq + 1, str(error))
    return Checked(chain.seq, chain.head, fault)


class _LineError(ValueError):
    pass


def _entries(lines: Iterable[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX:
            raise _LineError(f"line {number} is too long")
        try:
            found = json.loads(line)
            entry = Entry(found["seq"], found["body"], bytes.fromhex(found["hash"]))
            own = json.loads(entry.body)
            shown = [found["seq"], *(found[name] for name in Deed._fields)]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _LineError(f"line {number} is no entry of an audit") from None
        if type(entry.seq) is not int or not _same(shown, own):
            raise _LineError(f"line {number} shows another entry than the one its hash is of")
        yield entry


def _same(one: object, other: object) -> bool:
    """Say whether two values are the same JSON: 1, 1.0 and true are three."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
