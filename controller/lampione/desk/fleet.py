"""The fleet as the screen shows it: filtered and sorted, kept so by small steps.

At 10,000 nodes a sort for every report would be all that the screen does: an update takes the
changed rows out of the order and puts them back by bisection. The order is kept rising; the other
way round it is read from its end.
"""

import time
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from lampione.desk.asking import Test, ages, asker
from lampione.desk.columns import column
from lampione.desk.present import Row, faults
from lampione.live.words import Asked, Faulty, WordsError, leaves, parse

Place = tuple[Any, str]
_AGED_S = 10.0  # how often a filter that time alone can change is asked again


class FilterError(ValueError):
    """Not a filter; the text says what is wrong with it."""


class Fleet:
    """Rows by node, and the order in which those that pass the filter are shown.

    Attributes:
        sorts: how often everything was sorted anew.
        moves: how many rows were taken out and put back.
        columns: keys of those that are shown; none: those that the terminal has room for.
        marks: nodes chosen for work on many.
        faults_only: only nodes with which something is the matter are shown.
        troubled: nodes that have an alarm or a lock.
    """

    def __init__(
        self, sites: Mapping[str, str] | None = None, now: Callable[[], float] = time.time
    ) -> None:
        """sites: by node. now: Unix seconds."""
        self._sites = sites or {}
        self._now = now
        self._rows: dict[str, Row] = {}
        self._before: dict[str, Row] = {}
        self._places: dict[str, Place] = {}
        self._order: list[Place] = []
        self._words = ""
        self._asked: Asked | None = None
        self._test: Test | None = None
        self._arranged_at = now()
        self._counts: dict[str, int] = {}
        self.sort = "node"
        self.columns: tuple[str, ...] = ()
        self.descending = False
        self.sorts = 0
        self.moves = 0
        self.marks: set[str] = set()
        self.faults_only = False
        self.troubled: Collection[str] = ()

    def __len__(self) -> int:
        return len(self._order)

    def stand(self, sites: Mapping[str, str]) -> None:
        """Know where nodes stand: {node: its site, as people call it}."""
        self._sites = sites
        for node, row in self._rows.items():
            self._rows[node] = {**row, "site": sites.get(node, "")}
        self.arrange()

    @property
    def total(self) -> int:
        """How many nodes there are, shown or not."""
        return len(self._rows)

    @property
    def words(self) -> str:
        """The filter."""
        return self._words

    @property
    def asks_for_faults(self) -> bool:
        """Say whether an alarm or a lock decides who is shown."""
        asked = self._asked
        return self.faults_only or (
            asked is not None and any(isinstance(leaf, Faulty) for leaf in leaves(asked))
        )

    def at(self, n: int) -> Row:
        """Return the row at place n of the order. Raises IndexError."""
        if self.descending:
            n = len(self._order) - 1 - n
            if n < 0:
                raise IndexError(n)
        return self._rows[self._order[n][1]]

    def get(self, node: str) -> Row | None:
        """Return a node's row."""
        return self._rows.get(node)

    def shown(self) -> list[str]:
        """Return the nodes that pass the filter, in order."""
        order = reversed(self._order) if self.descending else self._order
        return [node for _, node in order]

    def names(self, prefix: str, count: int) -> list[str]:
        """Return the first names that begin so."""
        return sorted(node for node in self._rows if node.startswith(prefix))[:count]

    def before(self, node: str) -> Row | None:
        """Return a node's row as it was before its last report."""
        return self._before.get(node)

    def index(self, node: str) -> int | None:
        """Return the place of a node in the order, None when the filter hides it."""
        place = self._places.get(node)
        if place is None:
            return None
        n = bisect_left(self._order, place)
        return len(self._order) - 1 - n if self.descending else n

    def counts(self) -> dict[str, int]:
        """Return how many nodes are in each state."""
        return {state: count for state, count in self._counts.items() if count}

    def faulty(self, row: Row) -> bool:
        """Say whether something is the matter with a node."""
        return bool(row["node"] in self.troubled or faults(row))

    def update(self, rows: Iterable[Row]) -> tuple[set[int], bool]:
        """Take rows in; return the places that changed in look, and whether any moved."""
        latest = {row["node"]: row for row in rows}
        # Many at once, as in the first snapshot: one sort is less work than so many insertions.
        many = len(latest) > 64 and len(latest) > len(self._order) // 4
        same: set[str] = set()
        fresh: list[Row] = []
        counts, sites, places = self._counts, self._sites, self._places
        order = column(self.sort).order
        all_pass = self._test is None and not self.faults_only
        for node, plain in latest.items():
            row: Row = {**plain, "site": sites.get(node, "")}
            old = self._rows.get(node)
            if old is not None:
                counts[old["state"]] -= 1
                if old["report_at"] != row["report_at"]:
                    self._before[node] = old
            counts[row["state"]] = counts.get(row["state"], 0) + 1
            self._rows[node] = row
            if many:
                continue
            place = (order(row), node) if all_pass or self._passes(row) else None
            if place != places.get(node):
                fresh.append(row)
            elif place is not None:
                same.add(node)
        if many:
            self.arrange()
            return set(), True
        if len(fresh) > 64 and len(fresh) * 100 > len(self._order):
            self._merge(fresh)
        else:
            for row in fresh:
                self._move(row)
        return {n for n in map(self.index, same) if n is not None}, bool(fresh)

    def _move(self, row: Row) -> None:
        node = row["node"]
        self.moves += 1
        old = self._places.pop(node, None)
        if old is not None:
            del self._order[bisect_left(self._order, old)]
        if self._passes(row):
            self._places[node] = place = self._place(row)
            insort(self._order, place)

    def _merge(self, rows: list[Row]) -> None:
        """Move many: what stays is sorted already, and the sort sees two runs."""
        self.moves += len(rows)
        moved = {row["node"] for row in rows}
        self._order = [place for place in self._order if place[1] not in moved]
        for row in rows:
            self._places.pop(row["node"], None)
            if self._passes(row):
                self._places[row["node"]] = place = self._place(row)
                self._order.append(place)
        self._order.sort()

    def arrange(
        self, *, sort: str | None = None, descending: bool | None = None, words: str | None = None
    ) -> None:
        """Sort and filter anew.

        Args:
            sort: a column's key.
            descending: the other way round.
            words: show the nodes that this is true of, see `lampione.live.words`.

        Raises FilterError; then everything is as it was.
        """
        if words is not None:
            words = words.strip()
            try:
                asked = parse(words) if words else None
                self._test = None if asked is None else asker(asked, self.faulty, self._now)
            except WordsError as error:
                raise FilterError(str(error)) from None
            self._asked, self._words = asked, words
        if sort is not None:
            self.sort = sort
        if descending is not None:
            self.descending = descending
        self.sorts += 1
        self._arranged_at = self._now()
        rows: Iterable[Row] = self._rows.values()
        if self._test is not None or self.faults_only:
            rows = filter(self._passes, rows)
        order = column(self.sort).order
        self._places = {(node := row["node"]): (order(row), node) for row in rows}
        self._order = sorted(self._places.values())

    def aged(self) -> bool:
        """Ask the filter again where values grow old; say whether the order may be another."""
        if (
            self._asked is None
            or self._now() < self._arranged_at + _AGED_S
            or not ages(self._asked)
        ):
            return False
        self.arrange()
        return True

    def _place(self, row: Row) -> Place:
        return column(self.sort).order(row), row["node"]

    def _passes(self, row: Row) -> bool:
        if self.faults_only and not self.faulty(row):
            return False
        return self._test is None or self._test(row)
