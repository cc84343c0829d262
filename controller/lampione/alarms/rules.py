"""What is judged, as data: a rule, and what it says of samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple

import numpy as np
from lampione_protocol import schema
from numpy.typing import NDArray

from lampione import batch, values
from lampione.rollup.measures import validity_bit

Severity = Literal["critical", "major", "minor", "warning"]
SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor", "warning")
"""Of ITU-T X.733, worst first; `indeterminate` is nobody's, and `cleared` is no severity here."""

Of = Literal["report", "health", "hour", "event", "state"]
KINDS: dict[Of, int] = {"report": schema.REPORT, "health": schema.HEALTH}
GAP_S: dict[Of, int] = {"report": 900, "health": 2700, "hour": 7200}
"""Samples further apart than this say nothing of the time between them."""

DAY = (6, 22)  # hours of the day of DPCM 14/11/1997

Mask = NDArray[np.bool_]
Column = NDArray[Any]


@dataclass(frozen=True)
class Rule:
    """One condition.

    Attributes:
        name: stored with alarms.
        what: in words, for people.
        of: whose samples; "state" and "event" are judged by the core, see `core.alarming`.
        field: of the report, the health or the hour (`aqi`, `laeq`).
        above, below: beyond this it begins, in the unit that people read.
        clear: where it ends, not beyond the limit.
        words: of a field of codes, one of which it is; of one of flags, one of which it has.
        limits: by day and by night, instead of `above`.
        for_s, clear_s: it begins, and ends, when that was so for this long.
        nodes, sites, profiles: patterns, of which one fits; none: all.
        mend: what to do about it.
        source: where the rule is from.
    """

    name: str
    what: str
    severity: Severity
    of: Of
    field: str = ""
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    words: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None
    for_s: int = 0
    clear_s: int = 0
    nodes: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    mend: str = ""
    source: str = "built in"

    @property
    def limit(self) -> str:
        """The limit as people read it."""
        if self.limits is not None:
            return f"> {self.limits[0]:g} by day, {self.limits[1]:g} by night, {self.unit}"
        if self.words:
            return " or ".join(self.words)
        sign, at = (">", self.above) if self.above is not None else ("<", self.below)
        return "" if at is None else f"{sign} {at:g} {self.unit}".rstrip()

    @property
    def unit(self) -> str:
        """The field's unit."""
        if self.of == "hour":
            return "dB" if self.field == "laeq" else ""
        layout = layout_of(self.of, self.field)
        return "" if layout is None else str(layout[6])

    def concerns(self, node: str, site: str, profile: str) -> bool:
        """Say whether it is judged of a node."""
        return all(
            not patterns or any(fnmatchcase(name.lower(), p.lower()) for p in patterns)
            for patterns, name in (
                (self.nodes, node),
                (self.sites, site),
                (self.profiles, profile),
            )
        )


class Verdict(NamedTuple):
    """Of samples: beyond the limit; beyond where it ends. Neither: between, or not known."""

    up: Mask
    down: Mask
    known: Mask


def layout_of(of: Of, name: str) -> tuple[Any, ...] | None:
    """Return a field's layout in the schema."""
    kind = KINDS.get(of)
    if kind is None:
        return None
    return next((f for f in values.FIELDS[kind] if f[0] == name and f[1] not in "ytx"), None)


def words_of(of: Of, name: str) -> tuple[str, ...] | None:
    """Return the words of a field of codes or flags."""
    layout = layout_of(of, name)
    if layout is None:
        return None
    flags = values.flags_of(name)
    if flags is not None:
        return flags
    coded = layout[1] in "ec" and not layout[6]
    return values.codes_of(of.capitalize(), name) if coded else None


def needed(rules: list[Rule]) -> set[str]:
    """Return the fields that rules look at."""
    found = {rule.field for rule in rules}
    return found | ({"valid"} if any(validity_bit(name) for name in found) else set())


def verdict(rule: Rule, columns: Mapping[str, Column], hours: Column | None = None) -> Verdict:
    """Judge samples.

    Args:
        columns: as `batch.decode` makes them; of hours, in units with NaN.
        hours: of the local day, each sample's; for `limits`.
    """
    column = columns[rule.field]
    if rule.of == "hour":
        known: Mask = ~np.isnan(column)
        factor = 1.0
    else:
        known = column != batch.UNKNOWN
        layout = layout_of(rule.of, rule.field)
        assert layout is not None
        factor = float(layout[5]) if layout[5] > 0 else -1.0 / layout[5]
        bit = validity_bit(rule.field) if rule.of == "report" else 0
        if bit:
            valid = columns["valid"]
            known &= (valid != batch.UNKNOWN) & (valid & bit != 0)
    if rule.words:
        up = _has(rule, column) & known
        return Verdict(up, known & ~up, known)
    if rule.limits is not None:
        assert hours is not None
        by_day = (hours >= DAY[0]) & (hours < DAY[1])
        limit = np.where(by_day, *rule.limits)
        ends = limit - (0.0 if rule.clear is None else rule.clear)
        return Verdict((column > limit) & known, (column <= ends) & known, known)
    if rule.above is not None:
        end = rule.above if rule.clear is None else rule.clear
        return Verdict((column > rule.above * factor) & known, (column <= end * factor) & known,
                       known)  # fmt: skip
    assert rule.below is not None
    end = rule.below if rule.clear is None else rule.clear
    return Verdict((column < rule.below * factor) & known, (column >= end * factor) & known, known)


def _has(rule: Rule, column: Column) -> Mask:
    words = words_of(rule.of, rule.field) or ()
    found = np.zeros(len(column), np.bool_)
    is_flags = values.flags_of(rule.field) is not None
    for word in rule.words:
        at = words.index(word)
        found |= (column >> at & 1 == 1) if is_flags else (column == at)
    return found


def shown(rule: Rule, columns: Mapping[str, Column], row: int) -> str:
    """Return a sample's value as people read it."""
    value = columns[rule.field][row].item()
    if rule.of == "hour":
        return f"{value:.1f} {rule.unit}" if rule.field == "laeq" else f"{value:g}"
    layout = layout_of(rule.of, rule.field)
    found = values.readable(rule.of.capitalize(), layout or (), value)
    if isinstance(found, list):
        return ", ".join(word for word in found if word in rule.words)
    return f"{found:g} {rule.unit}".rstrip() if isinstance(found, int | float) else str(found)
