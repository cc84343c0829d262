"""What people ask of the fleet: `viale !online`, `laeq>65 and (lamp_level=0 or faults has lamp)`.

    question   = and { "or" and }
    and        = not { [ "and" ] not }
    not        = [ "not" | "!" ] ( "(" question ")" | comparison | "faults" | word )
    comparison = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value | field "has" flag

A word is in the name, the site, the state or the lamp's reason. `faults`: something is the matter.
A value is a number in the field's unit, a duration for an age (`10m`), a word of the protocol
(`lamp_reason=program`), a pattern with * and ? for names and sites, or `unknown`. What has blanks
or signs stands in quotes. Keeps to logic; `meaning` knows the fields.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

DEPTH_MAX = 50
TEXT_MAX = 2000
_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|[=<>()!])|"(?P<quoted>[^"]*)"|(?P<word>[^\s=<>!()"]+))"""
)
_OPERATORS = frozenset(("=", "!=", "<", "<=", ">", ">=", "has"))
_KEYWORDS = frozenset(("and", "or", "not", "has"))
_FAULTS = "faults"


class WordsError(ValueError):
    """Not a question; the text says what is wrong with it."""


class Compare(NamedTuple):
    """One comparison; `operator` of the grammar."""

    field: str
    operator: str
    value: str


class Word(NamedTuple):
    """A word of what a node is called and does, in lower case."""

    text: str


class Faulty(NamedTuple):
    """Something is the matter with it."""


class Not(NamedTuple):
    """The opposite."""

    of: "Asked"


class Every(NamedTuple):
    """All of them."""

    of: tuple["Asked", ...]


class Some(NamedTuple):
    """One of them at least."""

    of: tuple["Asked", ...]


Leaf = Compare | Word | Faulty
Asked = Leaf | Not | Every | Some


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise WordsError(f"cannot read {text[at : at + 20]!r}")
            kind = str(found.lastgroup)
            token = found[kind]
            if kind == "word" and token.lower() in _KEYWORDS:
                kind, token = "op", token.lower()
            self._tokens.append((kind, token))
            at = found.end()

    def whole(self) -> Asked:
        asked = self._any()
        if self._at < len(self._tokens):
            raise WordsError(f"{self._tokens[self._at][1]!r} is not expected there")
        return asked

    def _sees(self, *operators: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] in [
            ("op", operator) for operator in operators
        ]

    def _next_is(self, *operators: str) -> bool:
        found = self._sees(*operators)
        self._at += found
        return found

    def _any(self) -> Asked:
        found = [self._every()]
        while self._next_is("or"):
            found.append(self._every())
        return found[0] if len(found) == 1 else Some(tuple(found))

    def _every(self) -> Asked:
        found = [self._not()]
        while self._next_is("and") or self._goes_on():
            found.append(self._not())
        return found[0] if len(found) == 1 else Every(tuple(found))

    def _goes_on(self) -> bool:
        """Say whether another part begins without an `and`."""
        return self._at < len(self._tokens) and (
            self._tokens[self._at][0] != "op" or self._sees("not", "!", "(")
        )

    def _not(self) -> Asked:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise WordsError("too many parentheses")
        try:
            if self._next_is("not", "!"):
                return Not(self._not())
            if self._next_is("("):
                asked = self._any()
                if not self._next_is(")"):
                    raise WordsError("a parenthesis is not closed")
                return asked
            return self._leaf()
        finally:
            self._depth -= 1

    def _leaf(self) -> Leaf:
        first = self._tokens[self._at : self._at + 1]
        text = self._take("a word", "word", "quoted")
        if first == [("quoted", text)]:
            return Word(text.lower())
        if not self._sees(*_OPERATORS):
            return Faulty() if text.lower() == _FAULTS else Word(text.lower())
        operator = self._take("an operator", "op")
        return Compare(text.lower(), operator, self._take("a value", "word", "quoted"))

    def _take(self, what: str, *kinds: str) -> str:
        if self._at == len(self._tokens):
            raise WordsError(f"{what} is missing at the end")
        kind, token = self._tokens[self._at]
        if kind not in kinds:
            raise WordsError(f"{what} is missing before {token!r}")
        self._at += 1
        return token


def parse(text: str) -> Asked:
    """Return what a text asks. Raises WordsError."""
    if len(text) > TEXT_MAX:
        raise WordsError(f"a question has {TEXT_MAX} letters at most")
    return _Parser(text).whole()


def leaves(asked: Asked) -> Iterator[Leaf]:
    """Yield the comparisons and words of a question, in its order."""
    if isinstance(asked, Not):
        yield from leaves(asked.of)
    elif isinstance(asked, Every | Some):
        for part in asked.of:
            yield from leaves(part)
    else:
        yield asked


def fields_of(asked: Asked) -> list[str]:
    """Return the fields that a question names, in its order, each once."""
    return list(dict.fromkeys(leaf.field for leaf in leaves(asked) if isinstance(leaf, Compare)))
