"""Observations: values of reports, read from the store for each request and never held."""

import contextlib
import heapq
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from lampione_protocol import names
from numpy.typing import NDArray

from lampione import batch
from lampione.export.rows import Reading, Wanted
from lampione.export.text import iso
from lampione.export.things import QueryError
from lampione.export.things.catalogue import LAYOUT, STREAMS
from lampione.export.things.filters import Expression, bounds, works
from lampione.export.things.query import Options
from lampione.store import Series, TelemetryReader, pieces

EPOCH_2020 = 1577836800
_HOUR_S = 3600
_DAY_S = 86400
_GROWTH = 8
_DURATION_MAX_S = 510
_AHEAD_S = 86400  # a node's clock may be wrong


class Late(QueryError):
    """It would take too long."""

    def __init__(self) -> None:
        super().__init__(
            "this takes too long: ask for less, with $filter=phenomenonTime ge ... or of one "
            "Datastream",
            503,
        )


class Scope(NamedTuple):
    """Whose observations: nodes by name, and fields of their reports."""

    nodes: Sequence[str]
    fields: Sequence[str]


class Observation(NamedTuple):
    """One value, in the field's unit. The first five are its place in the order of time."""

    at: int
    number: int  # the node's
    epoch: int
    seq: int
    place: int  # of the field in STREAMS
    end: int
    result: float
    good: bool
    clock: int
    node: str
    field: str

    @property
    def key(self) -> tuple[int, ...]:
        """Its place in the order of time."""
        return tuple(self[:5])

    @property
    def id(self) -> str:
        """Its id."""
        return f"{self.node}:{self.field}:{self.at}:{self.epoch}:{self.seq}"

    def entity(self) -> dict[str, Any]:
        """Return its own properties."""
        whole = LAYOUT[self.field][5] <= 1
        return {
            "phenomenonTime": f"{iso(self.at)}/{iso(self.end)}",
            "resultTime": iso(self.end),
            "result": int(self.result) if whole else round(self.result, 6),
            "resultQuality": "good" if self.good else "bad",
            "parameters": {"clock": names.CLOCKS[self.clock]},
        }


def _span(expression: Expression | None) -> tuple[int, int]:
    """Return begins of intervals that every match lies within."""
    since, until = bounds(expression, "phenomenonTime")
    ended_since, ended_until = bounds(expression, "resultTime")
    return (
        max(since, ended_since - _DURATION_MAX_S, EPOCH_2020),
        min(until, ended_until, int(time.time()) + _AHEAD_S),
    )


_PLACES = {field: n for n, field in enumerate(STREAMS)}


class Source:
    """Observations of one request.

    Args:
        deadline: of time.monotonic, when to give up.
    """

    def __init__(self, reading: Reading, reader: TelemetryReader, deadline: float):
        self._reading = reading
        self._reader = reader
        self._deadline = deadline
        self._numbers = {name: number for number, name in reading.names.items()}

    def _series(self, scope: Scope, since: int, until: int) -> Generator[Series]:
        every = len(scope.nodes) == len(self._numbers)
        wanted = Wanted(
            "report",
            since,
            until,
            None if every else list(scope.nodes),
            ["duration_s", "valid", *scope.fields],
        )
        for series in self._reading.series(self._reader, wanted, timed=True):
            if time.monotonic() > self._deadline:
                raise Late
            # Pages go on from a place in this order, which two boots at one time must not blur.
            yield pieces.take(
                series, np.lexsort((series.seqs, series.epochs, series.at, series.nodes))
            )

    def _blocks(
        self, scope: Scope, since: int, until: int, expression: Expression | None
    ) -> Iterator[tuple[Series, NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]]:
        """Yield (series, which, results, ends); two columns for two fields."""
        for series in self._series(scope, since, until):
            columns = series.columns
            results = np.stack(
                [batch.to_units(LAYOUT[f], columns[f]) for f in scope.fields], axis=1
            )
            duration = columns["duration_s"]
            ends = series.at + np.where(duration == batch.UNKNOWN, 0, duration)
            which = ~np.isnan(results)
            if expression is not None:
                found = {
                    "phenomenonTime": series.at[:, None],
                    "resultTime": ends[:, None],
                    "result": results,
                }
                with np.errstate(invalid="ignore"):
                    which &= works(expression, found)
            yield series, which, results, ends

    def _found(
        self, scope: Scope, since: int, until: int, expression: Expression | None
    ) -> Generator[Observation]:
        for series, which, results, ends in self._blocks(scope, since, until, expression):
            valid = series.columns["valid"]
            for row, column in np.argwhere(which).tolist():
                field = scope.fields[column]
                sensor = STREAMS[field]
                good = sensor == "lamp" or valid[row] >> names.SENSORS.index(sensor) & 1
                number = int(series.nodes[row])
                yield Observation(
                    int(series.at[row]),
                    number,
                    int(series.epochs[row]),
                    int(series.seqs[row]),
                    _PLACES[field],
                    int(ends[row]),
                    float(results[row, column]),
                    bool(good),
                    int(series.columns["clock"][row]),
                    self._reading.names[number],
                    field,
                )

    def count(self, scope: Scope, options: Options) -> int:
        """Return how many there are, however many are shown. Raises Late."""
        since, until = _span(options.filter)
        return sum(
            int(np.count_nonzero(which))
            for _, which, _, _ in self._blocks(scope, since, until, options.filter)
        )

    def page(self, scope: Scope, options: Options, size: int) -> tuple[list[Observation], str]:
        """Return at most `size`, and what names the next page: "" when this is the last.

        By node then time, unless another order is asked for. Raises QueryError, Late.
        """
        name, descending = options.order or ("phenomenonTime", False)
        if name not in ("phenomenonTime", "resultTime", "result", "@iot.id", "id"):
            raise QueryError(f"$orderby: Observations have no {name[:40]!r} to be ordered by")
        if name == "result":
            return self._by_result(scope, options, size, descending)
        after = _token(options.token)
        wanted = options.skip + size + 1
        if descending or (options.order and len(scope.nodes) > 1):
            found = self._by_time(scope, options, after, wanted, descending=descending)
        else:
            found = self._as_stored(scope, options, after, wanted)
        shown = found[options.skip : options.skip + size]
        more = len(found) > options.skip + size and shown
        return shown, "$skiptoken=" + ":".join(map(str, shown[-1].key)) if more else ""

    def _as_stored(
        self, scope: Scope, options: Options, after: tuple[int, ...] | None, wanted: int
    ) -> list[Observation]:
        since, until = _span(options.filter)
        parts = [(scope, since)]
        if after is not None:
            names = self._reading.names
            rest = [node for node in scope.nodes if self._numbers[node] > after[1]]
            here = names.get(after[1])
            parts = [(scope._replace(nodes=[here]), max(since, after[0]))] if here else []
            parts += [(scope._replace(nodes=rest), since)] if rest else []
        found: list[Observation] = []
        for part, start in parts:
            with contextlib.closing(self._found(part, start, until, options.filter)) as pieces:
                for one in pieces:
                    if after is not None and one.number == after[1] and one.key <= after:
                        continue
                    found.append(one)
                    if len(found) >= wanted:
                        return found
        return found

    def _by_time(
        self,
        scope: Scope,
        options: Options,
        after: tuple[int, ...] | None,
        wanted: int,
        *,
        descending: bool,
    ) -> list[Observation]:
        pick = heapq.nlargest if descending else heapq.nsmallest
        found: list[Observation] = []
        for since, until in self._windows(scope, options, after, descending=descending):
            pieces: Iterator[Observation] = self._found(scope, since, until, options.filter)
            if after is not None:
                pieces = (o for o in pieces if (o.key < after if descending else o.key > after))
            found += pick(wanted - len(found), pieces, key=lambda o: o.key)
            if len(found) >= wanted:
                break
        return found

    def _by_result(
        self, scope: Scope, options: Options, size: int, descending: bool
    ) -> tuple[list[Observation], str]:
        since, until = _span(options.filter)
        pick = heapq.nlargest if descending else heapq.nsmallest
        found = pick(
            options.skip + size + 1,
            self._found(scope, since, until, options.filter),
            key=lambda o: (o.result, *o.key),
        )
        shown = found[options.skip : options.skip + size]
        more = len(found) > options.skip + size
        return shown, f"$skip={options.skip + size}" if more else ""

    def _windows(
        self, scope: Scope, options: Options, after: tuple[int, ...] | None, *, descending: bool
    ) -> Iterator[tuple[int, int]]:
        """Yield spans that together hold every match, growing, in the order asked for."""
        since, until = _span(options.filter)
        if after is not None:
            since, until = (
                (since, min(until, after[0] + 1)) if descending else (max(since, after[0]), until)
            )
        span = _HOUR_S
        while since < until:
            if span > _HOUR_S and until - since > _DAY_S:  # nothing near: where does it begin?
                since, until = self._narrowed(scope, since, until, descending=descending)
            if descending:
                yield max(since, until - span), until
                until -= span
            else:
                yield since, min(until, since + span)
                since += span
            span *= _GROWTH

    def _narrowed(
        self, scope: Scope, since: int, until: int, *, descending: bool
    ) -> tuple[int, int]:
        """Return a span without the empty days before or, descending, behind its reports."""
        low, high = since, until
        while high - low > _DAY_S:
            if time.monotonic() > self._deadline:
                raise Late
            middle = (low + high) // 2
            if descending:
                low, high = (middle, high) if self._any(scope, middle, until) else (low, middle)
            else:
                low, high = (low, middle) if self._any(scope, since, middle) else (middle, high)
        return (since, high) if descending else (low, until)

    def _any(self, scope: Scope, since: int, until: int) -> bool:
        with contextlib.closing(self._series(scope._replace(fields=[]), since, until)) as series:
            return next(series, None) is not None

    def one(self, identifier: str) -> Observation | None:
        """Return an observation by its id."""
        parts = identifier.split(":")
        numbers = [int(p) for p in parts[2:] if p.isascii() and p.isdigit() and len(p) < 12]
        if len(parts) != 5 or len(numbers) != 3:
            return None
        node, field, (at, epoch, seq) = parts[0], parts[1], numbers
        if node not in self._numbers or field not in STREAMS:
            return None
        for found in self._found(Scope([node], [field]), at, at + 1, None):
            if (found.at, found.epoch, found.seq) == (at, epoch, seq):
                return found
        return None


def _token(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) != 5 or not all(p.isascii() and p.isdigit() and len(p) < 20 for p in parts):
        raise QueryError("$skiptoken: not one of ours")
    return tuple(map(int, parts))
