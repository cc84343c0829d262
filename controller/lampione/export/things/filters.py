"""`$filter`: comparisons of properties with literals, joined by and, or, not.

An expression is worked out on single values and on numpy columns alike. Times are Unix seconds;
an interval is compared by its begin.
"""

import functools
import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from lampione.export.things import QueryError

LENGTH_MAX = 2000
DEPTH_MAX = 20
_TOKEN = re.compile(
    r"\s*(?:(?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<word>[@A-Za-z_][@A-Za-z0-9_.]*(?:/[@A-Za-z_][@A-Za-z0-9_.]*)*)"
    r"|(?P<sign>[(),]))"
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_MIRRORED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
TIMES = ("phenomenonTime", "resultTime", "time")


class Comparison(NamedTuple):
    """property op value."""

    name: str
    op: str
    value: Any


class Joined(NamedTuple):
    """parts joined by "and" or "or"; "not" has one."""

    how: str
    parts: tuple["Expression", ...]


Expression = Comparison | Joined


def parse(text: str) -> Expression:
    """Read a filter. Raises QueryError."""
    if len(text) > LENGTH_MAX:
        raise QueryError(f"$filter: {LENGTH_MAX} characters at most")
    return _Parser(text).whole()


def works(expression: Expression, values: Mapping[str, Any]) -> Any:
    """Return whether it holds, of single values or of columns. Raises QueryError."""
    if isinstance(expression, Joined):
        found = [works(part, values) for part in expression.parts]
        if expression.how == "not":
            return np.logical_not(found[0])
        join = np.logical_and if expression.how == "and" else np.logical_or
        return functools.reduce(join, found)
    name, op, wanted = expression
    have: Any = values
    for step in name.removeprefix("@iot.").split("/"):
        if not isinstance(have, Mapping) or step not in have:
            raise QueryError(f"$filter: there is no property {name!r} to compare here")
        have = have[step]
    if isinstance(have, str) != isinstance(wanted, str):
        raise QueryError(f"$filter: {name} cannot be compared with {wanted!r}")
    return _COMPARE[op](have, wanted)


def bounds(expression: Expression | None, name: str) -> tuple[int, int]:
    """Return (since, until) that every match lies in, whole seconds; until is not included."""
    since, until = 0, 1 << 35
    parts = expression.parts if isinstance(expression, Joined) else ()
    if isinstance(expression, Comparison):
        parts = (expression,)
    elif expression is not None and expression.how != "and":
        return since, until
    for part in parts:
        if isinstance(part, Joined):
            if part.how == "and":
                low, high = bounds(part, name)
                since, until = max(since, low), min(until, high)
        elif part.name == name and not isinstance(part.value, str):
            if part.op in ("ge", "gt", "eq"):
                since = max(since, math.floor(part.value))
            if part.op in ("le", "lt", "eq"):
                until = min(until, math.floor(part.value) + 1)
    return since, until


class _Parser:
    def __init__(self, text: str):
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise QueryError(f"$filter: not understood from {text[at : at + 20]!r} on")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._at = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "its end")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def whole(self) -> Expression:
        found = self._or(0)
        if self._peek()[0] != "end":
            raise QueryError(f"$filter: {self._peek()[1]!r} was not expected")
        return found

    def _joined(
        self, word: str, part: Callable[[int], Expression], depth: int
    ) -> Expression:  # fmt: skip
        if depth > DEPTH_MAX:
            raise QueryError("$filter: too deep")
        parts = [part(depth)]
        while self._peek() == ("word", word):
            self._next()
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _or(self, depth: int) -> Expression:
        return self._joined("or", self._and, depth + 1)

    def _and(self, depth: int) -> Expression:
        return self._joined("and", self._unary, depth)

    def _unary(self, depth: int) -> Expression:
        if depth > DEPTH_MAX:
            raise QueryError("$filter: too deep")
        if self._peek() == ("word", "not"):
            self._next()
            return Joined("not", (self._unary(depth + 1),))
        if self._peek() == ("sign", "("):
            self._next()
            found = self._or(depth)
            if self._next() != ("sign", ")"):
                raise QueryError("$filter: a bracket is not closed")
            return found
        return self._comparison()

    def _comparison(self) -> Comparison:
        left, op, right = self._next(), self._next(), self._next()
        if left[0] == "word" and op == ("sign", "("):
            raise QueryError(f"$filter: functions as {left[1]}() are not done here", 501)
        if op[1] not in _COMPARE:
            raise QueryError(
                f"$filter: {op[1]!r} was not expected: one of {', '.join(_COMPARE)} goes"
            )
        how = op[1]
        if left[0] != "word":
            left, right, how = right, left, _MIRRORED[how]
        if left[0] != "word" or right[0] in ("word", "sign", "end"):
            raise QueryError("$filter: a property is compared with a number, 'text' or time")
        return Comparison(left[1], how, _literal(*right, is_time=left[1] in TIMES))


def _literal(kind: str, text: str, *, is_time: bool) -> Any:
    if kind == "text":
        inner = text[1:-1].replace("''", "'")
        return moment(inner) if is_time else inner
    if kind == "time":
        return moment(text)
    return float(text)


def moment(text: str) -> float:
    """Read an ISO 8601 time, UTC where it says no zone, as Unix seconds. Raises QueryError."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise QueryError(f"{text!r} is no time: write 2026-11-28T20:00:00Z") from None
