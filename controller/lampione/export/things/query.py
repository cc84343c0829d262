"""A request's address: the path to entities, and the options that say what of them is wanted."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote, urlencode

from lampione.export.things import QueryError
from lampione.export.things.filters import Expression, parse

PAGE = 100
PAGE_MAX = 1000
SKIP_MAX = 100_000
EXPANDED_MAX = 20  # of each entity, unless $top says more
EXPANDED_IN_ALL = 20_000  # by one request
_SEGMENT = re.compile(r"([A-Za-z0-9_@.$]+)(?:\((.+)\))?")
_OPTIONS = frozenset(
    {"$filter", "$orderby", "$top", "$skip", "$count", "$expand", "$select", "$skiptoken",
     "$resultFormat"}
)  # fmt: skip


class Segment(NamedTuple):
    """A step of the path: `Things('bligny-1')` has the id "bligny-1"."""

    name: str
    id: str | None


class Options(NamedTuple):
    """What is wanted. top: None where not said. token: where a page of observations goes on."""

    filter: Expression | None = None
    order: tuple[str, bool] | None = None  # property; descending
    top: int | None = None
    skip: int = 0
    counted: bool = False
    expand: tuple[tuple[str, "Options"], ...] = ()
    select: tuple[str, ...] = ()
    token: str | None = None


def path_of(text: str) -> list[Segment]:
    """Read the path below the service's root. Raises QueryError."""
    found = []
    for part in _split(text.strip("/"), "/"):
        match = _SEGMENT.fullmatch(unquote(part))
        if match is None:
            raise QueryError(f"{part[:40]!r} is no part of an address here", 404)
        found.append(Segment(match[1], None if match[2] is None else _id(match[2])))
    return found


def _id(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    raise QueryError(f"an id stands in quotes here: ('{text[:40]}')", 404)


def _split(text: str, at: str) -> list[str]:
    """Split where a sign stands outside of brackets and quotes."""
    parts, depth, quoted, last = [], 0, False, 0
    for n, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == at and depth == 0:
            parts.append(text[last:n])
            last = n + 1
    parts.append(text[last:])
    return [part for part in parts if part]


def _pairs(text: str, between: str) -> list[tuple[str, str]]:
    found = []
    for part in _split(text, between):
        name, _, value = part.partition("=")
        found.append((name.strip(), value))
    return found


def options_of(text: str) -> Options:
    """Read the part behind `?`. Raises QueryError."""
    pairs = [(unquote(n), unquote(v.replace("+", " "))) for n, v in _pairs(text, "&")]
    return _options(pairs, depth=0)


def _options(pairs: list[tuple[str, str]], depth: int) -> Options:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in _OPTIONS:
            raise QueryError(f"{name[:40]!r} is no option here")
        if name in given:
            raise QueryError(f"{name} stands there twice")
        given[name] = value
    if "$resultFormat" in given:
        raise QueryError("$resultFormat: only the usual form is done here", 501)
    return Options(
        filter=parse(given["$filter"]) if "$filter" in given else None,
        order=_order(given["$orderby"]) if "$orderby" in given else None,
        top=_whole("$top", given["$top"], 1 << 31) if "$top" in given else None,
        skip=_whole("$skip", given.get("$skip", "0"), SKIP_MAX),
        counted=_truth(given.get("$count", "false")),
        expand=tuple(_expand(part, depth) for part in _split(given.get("$expand", ""), ",")),
        select=tuple(p.strip() for p in given.get("$select", "").split(",") if p.strip()),
        token=given.get("$skiptoken"),
    )


def _expand(text: str, depth: int) -> tuple[str, Options]:
    name, bracket, rest = text.strip().partition("(")
    if depth or "/" in name:
        raise QueryError("$expand: one level is done here", 501)
    if not bracket:
        return name, Options()
    if not rest.endswith(")"):
        raise QueryError("$expand: a bracket is not closed")
    return name, _options(_pairs(rest[:-1], ";"), depth + 1)


def _order(text: str) -> tuple[str, bool]:
    words = text.split()
    if "," in text:
        raise QueryError("$orderby: by one property is done here", 501)
    if len(words) not in (1, 2) or words[0] in ("asc", "desc"):
        raise QueryError("$orderby is a property, and asc or desc behind it")
    if len(words) == 2 and words[1] not in ("asc", "desc"):
        raise QueryError(f"$orderby: {words[1][:20]!r} is neither asc nor desc")
    return words[0], words[-1] == "desc"


def _whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
        raise QueryError(f"{name} is a whole number, {most} at most")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise QueryError("$count is true or false")
    return text == "true"


def next_query(text: str, **changed: str) -> str:
    """Return the part behind `?` with these options, named without `$`, instead of its own."""
    drop = {f"${name}" for name in changed} | {"$skip", "$skiptoken"}
    kept = [(unquote(n), unquote(v.replace("+", " "))) for n, v in _pairs(text, "&")]
    pairs = [(n, v) for n, v in kept if n not in drop]
    pairs += [(f"${name}", value) for name, value in changed.items()]
    return urlencode(pairs, quote_via=quote, safe="$'(),;:/=")


def quoted(identifier: str) -> str:
    """Write an id as it stands in an address."""
    return "('" + quote(identifier.replace("'", "''"), safe=":") + "')"
