"""Series out of PostgreSQL: typed rows in binary, and rows that have a body, of one instant."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione import values
from lampione.batch import Columns
from lampione.store import SERIES, Frame, Series, StoreError, batches, pieces
from lampione.store.batches import Batch
from lampione.store.postgres import typed
from lampione.store.postgres.connect import Link
from lampione.store.postgres.partitions import DAY_S, EARLY_DAYS, existing

BEHIND_DAYS = 7  # that a node keeps its messages, about
_A_DAY = 1440  # rows of a node
_DAYS_MAX = 16  # asked for at once
_ONLY_READS = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_EVER = 2**62
_LAST = 2**33  # PostgreSQL's times do not go on for ever


class PostgresSeries:
    """The connection of a reader, which cannot write, and what it reads of messages."""

    def __init__(self, url: str):
        self._link = Link(url, settings=_ONLY_READS)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    @contextmanager
    def _instant(self) -> Iterator[None]:
        """Have all questions see the same state."""
        if not self._link.idle:  # a series that is being read holds its own
            yield
            return
        try:
            yield
        finally:
            self._link.rollback()

    def series(
        self,
        kind: int,
        since: float,
        until: float,
        nodes: Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
    ) -> Iterator[Series]:
        """See `store.TelemetryReader`. All of it is of one instant."""
        pieces.check_fields(kind, fields)
        return self._series(kind, since, until, nodes, fields)

    def _series(
        self,
        kind: int,
        since: float,
        until: float,
        nodes: Sequence[str] | None,
        fields: Sequence[str] | None,
    ) -> Iterator[Series]:
        with self._instant():
            yield from pieces.gathered(self._walk(kind, since, until, self._ids(nodes), fields))

    def _walk(
        self, kind: int, since: float, until: float, ids: list[int], fields: Sequence[str] | None
    ) -> Iterator[Series]:
        """Give rows by node, then time: of some nodes, or of some days of one."""
        low, high = whole(since), whole(until)  # times are whole seconds here
        borders = self._borders(kind, low, high)
        days = (borders[-1] - borders[0]) // DAY_S + 1 if kind in SERIES else 1
        size = max(1, min(len(ids), pieces.PIECE // (_A_DAY * days)))
        if size > 1:
            borders = [low, high]
        loose = self._loose(kind, ids)
        layout = values.FIELDS[kind]
        wanted = [field[0] for field in layout if field[1] not in "xyt"]
        if fields is not None:
            wanted = [name for name in wanted if name in fields]
        for first in range(0, len(ids), size):
            group = ids[first : first + size]
            mine = loose.take(np.isin(loose.nodes, np.array(group, np.uint32)))
            for start, end in zip([low, *borders[1:-1]], [*borders[1:-1], high], strict=True):
                parts = []
                some = mine.take((mine.at >= start) & (mine.at < end))
                if len(some.nodes):
                    parts.append(pieces.of_batch(layout, some, fields))
                if kind in SERIES:
                    parts += self._typed(kind, group, start, end, wanted)
                if parts:
                    yield _in_order(pieces.join(parts))

    def _borders(self, kind: int, low: int, high: int) -> list[int]:
        """Return where to part the time, so that a node's rows come in bounded pieces."""
        table = typed.TABLES.get(kind)
        days = [day for name, day in existing(self._link) if name == table] if table else []
        first = max(low, min(days, default=0) * DAY_S)
        last = min(high, (max(days, default=0) + 1) * DAY_S)
        if first >= last:
            return [low, high]
        return [*range(first, last, _DAYS_MAX * DAY_S), last]

    def _typed(
        self, kind: int, ids: list[int], low: int, high: int, fields: Sequence[str]
    ) -> list[Series]:
        which = _which(kind, ids, low, high)
        rows = self._copy(f"SELECT {typed.question(fields)} {which}", fields)
        if not len(rows):
            return []
        long = rows["long"] != 0
        parts = []
        if long.any():
            some = self._long(kind, which)
            parts.append(pieces.of_batch(values.FIELDS[kind], some, fields))
            rows = rows[~long]
        columns = Columns({name: rows[name].astype(np.int32) for name in fields})
        columns.sound = np.ones(len(rows), np.bool_)
        parts.append(
            Series(
                nodes=rows["node"].astype(np.uint32),
                at=typed.seconds(rows["ts"]),
                timed=rows["timed"] != 0,
                received=typed.seconds(rows["received"]),
                epochs=self._epochs(rows["node"], rows["epoch"], rows["boot"]),
                seqs=rows["seq"].astype(np.uint32),
                columns=columns,
            )
        )
        return parts

    def _copy(self, question: str, fields: Sequence[str]) -> NDArray[Any]:
        def work(db: Any) -> bytes:
            with db.cursor() as cursor:
                sql = f"COPY ({question}) TO STDOUT (FORMAT binary)"
                with cursor.copy(sql.encode()) as stream:
                    return b"".join(stream)

        try:
            return typed.unpack(self._link.run(work), fields)
        except ValueError as error:
            raise StoreError(f"the server's answer cannot be read: {error}") from None

    def _long(self, kind: int, which: str) -> Batch:
        """Return the messages that have a body."""
        found = self._link.read(
            "SELECT node, epoch, boot, seq, extract(epoch FROM received)::float8, "  # noqa: S608
            "CASE WHEN timed THEN extract(epoch FROM ts)::bigint END, body "
            f"{which} AND body IS NOT NULL"
        )
        keys = np.array([row[:3] for row in found], np.int64).reshape(-1, 3).T
        epochs = self._epochs(*keys).tolist()
        return batches.of_frames(
            [
                (node, Frame(epoch, seq, kind, received, at, body))
                for (node, _, _, seq, received, at, body), epoch in zip(found, epochs, strict=True)
            ]
        )

    def _epochs(
        self, nodes: NDArray[Any], epochs: NDArray[Any], boots: NDArray[Any]
    ) -> NDArray[np.uint32]:
        """Return the numbers of boots."""
        keys = np.stack([nodes, epochs, boots]).astype(np.int64)
        unique, places = np.unique(keys, axis=1, return_inverse=True)
        known = {
            (node, typed.epoch_number(epoch), boot): number
            for number, node, epoch, boot in self._link.read(
                "SELECT id, node, epoch, boot FROM epochs WHERE node = ANY (%s)",
                (np.unique(unique[0]).tolist(),),
            )
        }
        try:
            numbers = [known[node, epoch, boot] for node, epoch, boot in unique.T.tolist()]
        except KeyError as error:
            raise StoreError(f"rows of a boot that is not known: {error}") from None
        return np.array(numbers, np.uint32)[places.reshape(-1)]

    def frames(self, nodes: Sequence[str] | None = None) -> Iterator[tuple[int, Frame]]:
        """See `store.TelemetryReader`."""
        with self._instant():
            for node in self._ids(nodes):
                for kind in SERIES:
                    for frame in self._all(kind, node):
                        yield node, frame
                for frame in self._loose(None, [node]).frames():
                    yield node, frame

    def _all(self, kind: int, node: int) -> Iterator[Frame]:
        borders = self._borders(kind, whole(-math.inf), whole(math.inf))
        for low, high in pairwise(borders):
            for _, frame in self._as_they_came(kind, _which(kind, [node], low, high)):
                yield frame

    def came(self, since: float, until: float) -> Iterator[tuple[int, Frame]]:
        """Give (node, frame) of SERIES by arrival, without what was BEHIND_DAYS on its way."""
        low, high = math.floor(since), math.floor(until) + 1
        arrived = f"received >= to_timestamp({low}) AND received < to_timestamp({high})"
        early, late = low - BEHIND_DAYS * DAY_S, high + EARLY_DAYS * DAY_S
        with self._instant():
            for kind, table in typed.TABLES.items():
                yield from self._as_they_came(
                    kind,
                    f"FROM {table} WHERE ts >= to_timestamp({early}) "
                    f"AND ts < to_timestamp({late}) AND {arrived}",
                )
            for node, *frame in self._link.read(
                "SELECT node, epoch, seq, type, received, at, body FROM frames "
                "WHERE type = ANY (%s) AND received >= %s AND received < %s",
                (list(SERIES), low, high),
            ):
                yield node, Frame(*frame)

    def _as_they_came(self, kind: int, which: str) -> Iterator[tuple[int, Frame]]:
        """Give (node, frame) of the rows of one type."""
        fields = [field[0] for field in typed.numbers(kind)]
        rows = self._copy(f"SELECT {typed.question(fields)} {which}", fields)
        if not len(rows):
            return
        long = rows["long"] != 0
        if long.any():
            some = self._long(kind, which)
            yield from zip(some.nodes.tolist(), some.frames(), strict=True)
            rows = rows[~long]
        columns = Columns({name: rows[name].astype(np.int32) for name in fields})
        bodies = typed.bodies(kind, columns, len(rows))
        received = (rows["received"].astype(np.int64) + typed.EPOCH_2000_US) / 1e6
        for node, epoch, seq, came, at, timed, body in zip(
            rows["node"].tolist(),
            self._epochs(rows["node"], rows["epoch"], rows["boot"]).tolist(),
            rows["seq"].tolist(),
            received.tolist(),
            typed.seconds(rows["ts"]).tolist(),
            rows["timed"].tolist(),
            bodies,
            strict=True,
        ):
            yield node, Frame(epoch, seq, kind, came, at if timed else None, body)

    def _loose(self, kind: int | None, ids: list[int]) -> Batch:
        """Return messages that are rows of their own, of one type or of all."""
        found = self._link.read(
            "SELECT node, epoch, seq, type, received, at, body FROM frames "
            "WHERE node = ANY (%s) AND (%s::smallint IS NULL OR type = %s) ORDER BY node",
            (ids, kind, kind),
        )
        return batches.of_frames([(row[0], Frame(*row[1:])) for row in found])

    def _ids(self, nodes: Sequence[str] | None) -> list[int]:
        """Return the ids of some nodes that exist, or of all, rising."""
        found = self._link.read(
            "SELECT id FROM nodes WHERE %s::text[] IS NULL OR name = ANY (%s) ORDER BY id",
            [None if nodes is None else list(nodes)] * 2,
        )
        return [node for (node,) in found]

    def names(self) -> dict[int, str]:
        """Return every node's name."""
        with self._instant():
            return dict(self._link.read("SELECT id, name FROM nodes ORDER BY id"))


def whole(at: float) -> int:
    """Return a border of time in whole seconds."""
    return math.ceil(max(-_EVER, min(at, _EVER)))


def _which(kind: int, ids: list[int], low: int, high: int) -> str:
    nodes = ", ".join(map(str, ids))
    low, high = (max(0, min(border, _LAST)) for border in (low, high))
    return (
        f"FROM {typed.TABLES[kind]} WHERE node IN ({nodes}) "
        f"AND ts >= to_timestamp({low}) AND ts < to_timestamp({high})"
    )


def _in_order(series: Series) -> Series:
    order = np.lexsort((series.seqs, series.epochs, series.received, series.at, series.nodes))
    return pieces.take(series, order)
