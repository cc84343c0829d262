"""What can be asked of a node: each field as a column, and how its values are read."""

import fnmatch
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lampione import batch, values
from lampione.api import Json
from lampione.durations import duration_s
from lampione.live.state import HEALTH_FRESH_S, STATES, Live, Mask
from lampione.live.words import WordsError
from lampione.rollup.measures import validity_bit

Column = NDArray[Any]
_ANY_LETTERS = frozenset("*?[")
_PATTERNS_KEPT = 64
_AGES = {"age": "report", "health_age": "health"}
TEXTS = ("node", "site")
_TIMES = ("start", "time")  # an age says it better


class Field(NamedTuple):
    """One field at one moment.

    column: numbers in steps or seconds, or indices of `words`.
    known: where it is of now; what is stale is not known.
    """

    kind: str  # number, seconds, count, code, flags, text
    column: Column
    known: Mask
    unit: str = ""
    layout: tuple[Any, ...] = ()
    message: str = ""
    words: tuple[str, ...] = ()


class Fields:
    """Finds fields by name, at one moment. `texts` outlives it."""

    def __init__(self, live: Live, texts: "Texts", now: float) -> None:
        self._live = live
        self._texts = texts
        self._now = now
        self._found: dict[str, Field] = {}
        self._fresh: dict[str, Mask] = {}
        self._ats: dict[str, Column] = {}

    def find(self, name: str) -> Field:
        """Return a field. Raises WordsError."""
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._make(name)
        return found

    def _make(self, name: str) -> Field:
        live, now = self._live, self._now
        if name in ("age", "health_age", "quiet"):
            at = live.seen if name == "quiet" else self._at(_AGES[name])
            return Field("seconds", np.maximum(now - at, 0), at > 0, "s")
        if name in ("missing", "lost"):
            return Field("count", getattr(live, name), live.present)
        if name == "state":
            return Field("code", live.states(now), live.present, words=STATES)
        if name in TEXTS:
            return Field("text", self._texts.ranks(name), live.present)
        message, _, field = name.rpartition(".")
        for of_message, part in (("report", live.report), ("health", live.health)):
            layout = part.fields.get(field)
            if message in ("", of_message) and layout is not None and field not in _TIMES:
                column = part.columns[field]
                known = column != batch.UNKNOWN
                known &= self._is_fresh(of_message)
                flag = validity_bit(field) if of_message == "report" else 0
                if flag:  # what a sensor has that stopped or is stuck is not of now
                    known &= part.columns["valid"] & flag != 0
                return _of_layout(of_message.capitalize(), layout, column, known)
        raise WordsError(f"there is no field {name!r}: {', '.join(self.names())} are")

    def _is_fresh(self, message: str) -> Mask:
        found = self._fresh.get(message)
        if found is None:
            after = self._live.quiet_after() if message == "report" else HEALTH_FRESH_S
            found = self._fresh[message] = self._now - self._at(message) <= after
        return found

    def _at(self, message: str) -> Column:
        found = self._ats.get(message)
        if found is None:
            live = self._live
            found = live.report_at() if message == "report" else live.health_at()
            self._ats[message] = found
        return found

    def names(self) -> list[str]:
        """Return every field's name."""
        found = ["node", "site", "state", "age", "health_age", "quiet", "missing", "lost"]
        for part in (self._live.report, self._live.health):
            found += [name for name in part.fields if name not in (*found, *_TIMES)]
        return found

    def compare(self, name: str, operator: str, value: str) -> tuple[Mask, Mask]:
        """Return where it holds, and where it does not; neither where nothing is known.

        Raises WordsError.
        """
        field = self.find(name)
        if value.lower() == "unknown":
            if operator not in ("=", "!="):
                raise WordsError(f"{name}: unknown goes with = and != alone")
            unknown = ~field.known
            return (unknown, field.known) if operator == "=" else (field.known, unknown)
        holds = self._holds(name, field, operator, value)
        return holds & field.known, ~holds & field.known

    def _holds(self, name: str, field: Field, operator: str, value: str) -> Mask:
        if (operator == "has") != (field.kind == "flags"):
            words = "is asked with has" if field.kind == "flags" else "has no flags"
            raise WordsError(f"{name} {words}")
        if field.kind == "text":
            return _either(name, operator, self._texts.match(name, value))
        if field.kind in ("code", "flags"):
            if value not in field.words:
                raise WordsError(f"{name} is one of {', '.join(field.words)}")
            at = field.words.index(value)
            if field.kind == "flags":
                flag: Mask = field.column >> at & 1 == 1
                return flag
            return _either(name, operator, field.column == at)
        if field.kind == "seconds":
            try:
                limit = Decimal(duration_s(value))
            except ValueError as error:
                raise WordsError(f"{name}: {error}") from None
        else:
            limit = _number(name, value)
            if field.layout:
                steps = field.layout[5]
                limit = limit * steps if steps > 0 else limit / -steps
        return _ordered(field.column, operator, limit)

    def show(self, name: str, row: int) -> Json:
        """Return one value as people read it, None where it is not known."""
        if name in TEXTS:
            return self._texts.text(name, row)
        field = self.find(name)
        if not field.known[row]:
            return None
        found = field.column[row].item()
        if field.layout:
            return values.readable(field.message, field.layout, found)
        return field.words[found] if field.kind == "code" else found


def _of_layout(message: str, layout: tuple[Any, ...], column: Column, known: Mask) -> Field:
    flags = values.flags_of(layout[0])
    codes = values.codes_of(message, layout[0]) if layout[1] in "ec" and not layout[6] else None
    kind = "flags" if flags is not None else "code" if codes is not None else "number"
    return Field(kind, column, known, layout[6], layout, message, flags or codes or ())


def _number(name: str, text: str) -> Decimal:
    try:
        found = Decimal(text.removesuffix("%"))
    except InvalidOperation:
        raise WordsError(f"{name} is a number, {text!r} is none") from None
    if not found.is_finite() or abs(found) > 1 << 60:
        raise WordsError(f"{name}: {text} is too large a number")
    return found


def _either(name: str, operator: str, equal: Mask) -> Mask:
    if operator == "=":
        return equal
    if operator == "!=":
        return ~equal
    raise WordsError(f"{name} has no order: use = or !=")


def _ordered(column: Column, operator: str, limit: Decimal) -> Mask:
    """Compare with whole numbers where the column has those, which is exact and quick."""
    if column.dtype.kind == "f":
        threshold: float | int = float(limit)
        whole = True
    else:
        threshold = int(limit.to_integral_value(rounding="ROUND_FLOOR"))
        whole = threshold == limit
        info = np.iinfo(column.dtype)
        if not info.min <= threshold < info.max:
            return np.full(len(column), (threshold < 0) == (operator in (">", ">=", "!=")))
    if operator == ">" or (operator == ">=" and not whole):
        return column > threshold
    if operator == ">=":
        return column >= threshold
    if operator == "<=" or (operator == "<" and not whole):
        return column <= threshold
    if operator == "<":
        return column < threshold
    equal: Mask = column == threshold if whole else np.zeros(len(column), np.bool_)
    return equal if operator == "=" else ~equal


class Texts:
    """Names and sites of nodes; patterns over them are remembered, as people ask again."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._sites: Mapping[str, str] = {}
        self._known = -1
        self._texts: dict[str, list[str]] = {}
        self._masks: dict[tuple[str, str], Mask] = {}
        self._ranks: dict[str, NDArray[np.int32]] = {}

    def refresh(self, sites: Mapping[str, str]) -> None:
        """Look whether there are other nodes or sites than before."""
        known = int(np.count_nonzero(self._live.present))
        if sites is self._sites and known == self._known:
            return
        self._sites, self._known = sites, known
        names = list(self._live.names)
        self._texts = {"node": names, "site": [sites.get(name, "") for name in names]}
        self._masks.clear()
        self._ranks.clear()

    def text(self, field: str, row: int) -> str | None:
        """Return a name or a site."""
        return self._texts[field][row] or None

    def match(self, field: str, pattern: str) -> Mask:
        """Say which texts fit a pattern, in either case."""
        pattern = pattern.lower()
        found = self._masks.get((field, pattern))
        if found is None:
            if _ANY_LETTERS.isdisjoint(pattern):
                hits = [text.lower() == pattern for text in self._texts[field]]
            else:
                fits = re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
                hits = [fits(text) is not None for text in self._texts[field]]
            if len(self._masks) >= _PATTERNS_KEPT:
                self._masks.clear()
            found = self._masks[field, pattern] = np.array(hits, np.bool_)
        return found

    def ranks(self, field: str) -> NDArray[np.int32]:
        """Return each row's place in the order of its text."""
        found = self._ranks.get(field)
        if found is None:
            texts = self._texts[field]
            found = np.empty(len(texts), np.int32)
            found[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
            self._ranks[field] = found
        return found
