"""Answers questions about the whole fleet as it is now: which nodes, what mean, which fifty."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.api import Selected, Summary
from lampione.live import words
from lampione.live.fields import Field, Fields, Texts
from lampione.live.state import Live, Mask

ROWS_MAX = 10_000
_NO_SITES: Mapping[str, str] = {}
_NUMBERS = frozenset(("number", "seconds", "count"))

Rows = NDArray[np.int64]


class Selector:
    """Asks one `Live`; keeps what helps the next question."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._texts = Texts(live)

    def select(
        self,
        asked: words.Asked | None,
        now: float,
        *,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        ascending: bool = False,
        top: int = ROWS_MAX,
        sites: Mapping[str, str] | None = None,
        troubled: Collection[str] = (),
    ) -> Selected:
        """Return the nodes that a question is true of, and what is known of all of them.

        Args:
            asked: nothing: all nodes.
            now: Unix seconds; what is stale by then is not known.
            fields: to show; default: those that are asked or sorted by.
            sort: by this field, greatest first, what is unknown last; default: by name.
            ascending: least first.
            top: rows of the answer; the summary is of all that match.
            sites: by node.
            troubled: nodes that have an alarm or a lock.

        Raises WordsError.
        """
        self._texts.refresh(_NO_SITES if sites is None else sites)
        known = Fields(self._live, self._texts, now, troubled)
        chosen = self._live.present
        if asked is not None:
            chosen = chosen & _masks(known, asked)[0]
        rows = np.flatnonzero(chosen)
        if fields is None:
            named = [*words.fields_of(asked)] if asked is not None else []
            fields = list(dict.fromkeys([*named, *([sort] if sort else [])]))
        shown = {name: known.find(name) for name in fields}
        first = _first(rows, known, sort, min(top, ROWS_MAX), ascending=ascending)
        show = [name for name in fields if name not in ("node", "site", "state", "age")]
        return {
            "at": now,
            "nodes": int(np.count_nonzero(self._live.present)),
            "matched": len(rows),
            "fields": list(fields),
            "units": [field.kind.unit for field in shown.values()],
            "summary": {
                name: _summary(field, rows)
                for name, field in shown.items()
                if field.kind.kind in _NUMBERS
            },
            "rows": [
                {
                    "node": known.show("node", row),
                    "site": known.show("site", row),
                    "state": known.show("state", row),
                    "age": known.show("age", row),
                    **{name: known.show(name, row) for name in show},
                }
                for row in first.tolist()
            ],
        }


def _masks(known: Fields, asked: words.Asked) -> tuple[Mask, Mask]:
    """Return where it is true and where it is false; where neither, it is not known."""
    if isinstance(asked, words.Not):
        true, false = _masks(known, asked.of)
        return false, true
    if not isinstance(asked, words.Every | words.Some):
        return known.holds(asked)
    parts = [_masks(known, part) for part in asked.of]
    trues, falses = [part[0] for part in parts], [part[1] for part in parts]
    if isinstance(asked, words.Every):
        return np.logical_and.reduce(trues), np.logical_or.reduce(falses)
    return np.logical_or.reduce(trues), np.logical_and.reduce(falses)


def _first(rows: Rows, known: Fields, sort: str | None, top: int, *, ascending: bool) -> Rows:
    """Return the first `top` of the rows in order; of equals, the lower id first."""
    field = known.find(sort or "node")
    if sort is None or field.kind.kind == "text":
        ascending = ascending or sort is None
    keys = field.column[rows]
    if keys.dtype.kind != "f":
        keys = keys.astype(np.int64)
    if not ascending:
        keys = -keys
    unknown = ~field.known[rows]
    if unknown.any():
        keys[unknown] = np.inf if keys.dtype.kind == "f" else np.iinfo(np.int64).max
    if top < len(rows):
        # Of those equal to the last that is shown any may be: they are cut after sorting.
        last = np.partition(keys, top - 1)[top - 1] if top else keys.min()
        near = np.flatnonzero(keys <= last)
        rows, keys = rows[near], keys[near]
    return rows[np.argsort(keys, kind="stable")[:top]]


def _summary(field: Field, rows: Rows) -> Summary:
    """Return how many know it, and mean, least and greatest of theirs; decibels by energy."""
    found: NDArray[Any] = field.column[rows]
    of = field.known[rows]
    if not of.all():
        found = found[of]
    if not len(found):
        return {"known": 0, "mean": None, "least": None, "greatest": None}
    steps = field.kind.layout[5] if field.kind.layout else 1
    scale = 1 / steps if steps > 0 else float(-steps)
    if field.kind.unit == "dB":
        levels = np.bincount(found)  # few levels, many nodes
        weights = 10 ** (np.arange(len(levels)) * (scale / 10))
        mean = 10 * float(np.log10(levels @ weights / len(found)))
    else:
        mean = float(found.mean(dtype=np.float64)) * scale
    return {
        "known": len(found),
        "mean": mean,
        "least": round(found.min().item() * scale, 6),
        "greatest": round(found.max().item() * scale, 6),
    }
