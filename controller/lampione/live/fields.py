"""What can be asked of a node: each field as a column, and how its values are read."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from lampione_protocol.names import SENSOR_STATES
from numpy.typing import NDArray

from lampione import batch, values
from lampione.api import Json
from lampione.live import meaning
from lampione.live.age import HEALTH_FRESH_S
from lampione.live.meaning import Kind
from lampione.live.state import OFFLINE, SILENT, STATES, Live, Mask
from lampione.live.words import Compare, Faulty, Leaf
from lampione.rollup.measures import validity_bit

Column = NDArray[Any]
_BAD_SENSORS = [SENSOR_STATES.index(state) for state in meaning.SENSOR_FAULTS]
_PATTERNS_KEPT = 64
_AGES = {"age": "report", "health_age": "health"}


class Field(NamedTuple):
    """One field at one moment.

    column: numbers in steps or seconds, or places among `kind.words`.
    known: where it is of now; what is stale is not known.
    """

    kind: Kind
    column: Column
    known: Mask


class Fields:
    """Finds fields by name, at one moment. `texts` outlives it.

    troubled: nodes that have an alarm or a lock.
    """

    def __init__(
        self, live: Live, texts: "Texts", now: float, troubled: Collection[str] = ()
    ) -> None:
        self._live = live
        self._texts = texts
        self._now = now
        self._troubled = frozenset(troubled)
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
        kind = meaning.find(name)
        if kind.kind == "seconds":
            at = live.seen if name == "quiet" else self._at(_AGES[name])
            return Field(kind, np.maximum(now - at, 0), at > 0)
        if kind.kind == "count":
            return Field(kind, getattr(live, name), live.present)
        if name == "state":
            return Field(kind, live.states(now), live.present)
        if kind.kind == "text":
            return Field(kind, self._texts.ranks(name), live.present)
        columns = getattr(live, kind.message).columns
        known = columns[kind.name] != batch.UNKNOWN
        known &= self._is_fresh(kind.message)
        flag = validity_bit(kind.name) if kind.message == "report" else 0
        if flag:  # what a sensor has that stopped or is stuck is not of now
            known &= columns["valid"] & flag != 0
        return Field(kind, columns[kind.name], known)

    def _is_fresh(self, message: str) -> Mask:
        found = self._fresh.get(message)
        if found is None:
            if message == "hello":  # it holds until the next
                found = self._live.present
            else:
                after = self._live.quiet_after() if message == "report" else HEALTH_FRESH_S
                found = self._now - self._at(message) <= after
            self._fresh[message] = found
        return found

    def _at(self, message: str) -> Column:
        found = self._ats.get(message)
        if found is None:
            live = self._live
            found = live.report_at() if message == "report" else live.health_at()
            self._ats[message] = found
        return found

    def holds(self, leaf: Leaf) -> tuple[Mask, Mask]:
        """Return where it holds, and where it does not; neither where nothing is known.

        Raises WordsError.
        """
        if isinstance(leaf, Compare):
            return self._compare(leaf)
        found = self._faulty() if isinstance(leaf, Faulty) else self._says(leaf.text)
        return found, ~found

    def _faulty(self) -> Mask:
        """Say with which something is the matter, by the last that each has told."""
        live = self._live
        found = np.isin(live.states(self._now), (OFFLINE, SILENT))
        flags = live.report.columns["faults"]
        found |= (flags != batch.UNKNOWN) & (flags != 0)
        for name, column in live.health.columns.items():
            if name.startswith("state_"):
                found |= np.isin(column, _BAD_SENSORS)
        if self._troubled:
            found |= np.array([name in self._troubled for name in live.names], np.bool_)
        return found

    def _says(self, word: str) -> Mask:
        live = self._live
        found = self._texts.hold("node", word) | self._texts.hold("site", word)
        for column, words in (
            (live.states(self._now), STATES),
            (live.report.columns["lamp_reason"], meaning.find("lamp_reason").words),
        ):
            found |= np.isin(column, [n for n, one in enumerate(words) if word in one])
        return found

    def _compare(self, asked: Compare) -> tuple[Mask, Mask]:
        meant = meaning.meaning(asked)
        field = self.find(asked.field)
        if meant.value is None:
            unknown = ~field.known
            return (field.known, unknown) if meant.operator == "!=" else (unknown, field.known)
        holds = self._holds(field, meant)
        return holds & field.known, ~holds & field.known

    def _holds(self, field: Field, meant: meaning.Meaning) -> Mask:
        kind, operator, value = meant
        if isinstance(value, Decimal):
            if kind.layout:
                steps = kind.layout[5]
                value = value * steps if steps > 0 else value / -steps
            return _ordered(field.column, operator, value)
        if isinstance(value, str):
            equal = self._texts.match(kind.name, value)
        elif kind.kind == "flags":
            equal = field.column >> value & 1 == 1
        else:
            equal = field.column == value
        return ~equal if operator == "!=" else equal

    def show(self, name: str, row: int) -> Json:
        """Return one value as people read it, None where it is not known."""
        if name in meaning.TEXTS:
            return self._texts.text(name, row)
        field = self.find(name)
        if not field.known[row]:
            return None
        found = field.column[row].item()
        kind = field.kind
        if kind.layout:
            return values.readable(kind.message.capitalize(), kind.layout, found)
        return kind.words[found] if kind.kind == "code" else found


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
        self._masks: dict[tuple[str, str, str], Mask] = {}
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
        return self._kept("match", field, pattern, meaning.fitting(pattern))

    def hold(self, field: str, word: str) -> Mask:
        """Say which texts hold a word, in either case."""
        return self._kept("hold", field, word, lambda text: word in text.lower())

    def _kept(self, how: str, field: str, text: str, fits: Callable[[str], bool]) -> Mask:
        found = self._masks.get((how, field, text))
        if found is None:
            if len(self._masks) >= _PATTERNS_KEPT:
                self._masks.clear()
            found = np.array([fits(one) for one in self._texts[field]], np.bool_)
            self._masks[how, field, text] = found
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
