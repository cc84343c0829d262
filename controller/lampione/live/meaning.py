"""What a comparison means: its field, and its value in the field's terms.

For the core, which has the fleet as columns, and for the desk, which has it as rows.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from fnmatch import translate
from typing import Any, NamedTuple

from lampione_protocol import schema

from lampione import values
from lampione.durations import duration_s
from lampione.live.state import STATES
from lampione.live.words import Compare, WordsError

AGES = ("age", "health_age", "quiet")
COUNTS = ("missing", "lost", "refused")
TEXTS = ("node", "site")
SENSOR_FAULTS = ("stale", "stuck", "implausible", "silent")
_TIMES = ("start", "time")  # an age says it better
_MESSAGES = {"report": schema.REPORT, "health": schema.HEALTH, "hello": schema.HELLO}
_ANY_LETTERS = frozenset("*?[")
_UNKNOWN = "unknown"


class Kind(NamedTuple):
    """What one field is.

    kind: number, seconds, count, code, flags, text.
    name: without its message.
    message: of the wire; empty: it is of no message.
    """

    kind: str
    name: str
    message: str = ""
    unit: str = ""
    layout: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()


class Meaning(NamedTuple):
    """One comparison: a number, the place among `field.words`, a pattern; None: unknown."""

    field: Kind
    operator: str
    value: Decimal | int | str | None


def _kinds() -> Iterator[tuple[str, Kind]]:
    for name in TEXTS:
        yield name, Kind("text", name)
    yield "state", Kind("code", "state", words=STATES)
    for name in AGES:
        yield name, Kind("seconds", name, unit="s")
    for name in COUNTS:
        yield name, Kind("count", name)
    for message, number in _MESSAGES.items():
        for layout in values.FIELDS[number]:
            if layout[1] not in "ytx" and layout[0] not in _TIMES:
                kind = _of_layout(message, layout)
                yield layout[0], kind
                yield f"{message}.{layout[0]}", kind


def _of_layout(message: str, layout: tuple[Any, ...]) -> Kind:
    name, unit = layout[0], layout[6]
    flags = values.flags_of(name)
    coded = layout[1] in "ec" and not unit
    codes = values.codes_of(message.capitalize(), name) if coded else None
    kind = "flags" if flags is not None else "code" if codes is not None else "number"
    return Kind(kind, name, message, unit, layout, flags or codes or ())


def _first_of_each() -> dict[str, Kind]:
    """A name that several messages have is the report's, or else the health's."""
    found: dict[str, Kind] = {}
    for name, kind in _kinds():
        found.setdefault(name, kind)
    return found


_KINDS = _first_of_each()


def find(name: str) -> Kind:
    """Return a field. Raises WordsError."""
    found = _KINDS.get(name)
    if found is None:
        names = ", ".join(known for known in _KINDS if "." not in known)
        raise WordsError(f"there is no field {name!r}: {names} are")
    return found


def meaning(asked: Compare) -> Meaning:
    """Return what a comparison means. Raises WordsError."""
    name, operator, value = asked
    field = find(name)
    ordered = operator not in ("=", "!=", "has")
    if value.lower() == _UNKNOWN:
        if operator not in ("=", "!="):
            raise WordsError(f"{name}: unknown goes with = and != alone")
        return Meaning(field, operator, None)
    if operator == "has" and field.kind != "flags":
        raise WordsError(f"{name} has no flags")
    if field.kind in ("text", "code", "flags"):
        if ordered:
            how = "has, = or !=" if field.kind == "flags" else "= or !="
            raise WordsError(f"{name} has no order: use {how}")
        if field.kind == "text":
            return Meaning(field, operator, value.lower())
        if value.lower() not in field.words:
            raise WordsError(f"{name} is one of {', '.join(field.words)}")
        return Meaning(field, operator, field.words.index(value.lower()))
    if field.kind == "seconds":
        try:
            return Meaning(field, operator, Decimal(duration_s(value)))
        except ValueError as error:
            raise WordsError(f"{name}: {error}") from None
    return Meaning(field, operator, _number(name, value))


def _number(name: str, text: str) -> Decimal:
    try:
        found = Decimal(text.removesuffix("%"))
    except InvalidOperation:
        raise WordsError(f"{name} is a number, {text!r} is none") from None
    if not found.is_finite() or abs(found) > 1 << 60:
        raise WordsError(f"{name}: {text} is too large a number")
    return found


def fitting(pattern: str) -> Callable[[str], bool]:
    """Return what says whether a text fits a pattern in lower case, in either case."""
    if _ANY_LETTERS.isdisjoint(pattern):
        return lambda text: text.lower() == pattern
    fits = re.compile(translate(pattern), re.IGNORECASE).match
    return lambda text: fits(text) is not None
