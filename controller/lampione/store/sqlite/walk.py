"""Series out of a SQLite store: days, hours, batches and rows as one, of one instant."""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione import values
from lampione.store import BLOCK, SERIES, Frame, Series, batches, chunks, pieces
from lampione.store.batches import Batch
from lampione.store.sqlite.connect import in_words

DAY_S = 86400
_NODES_ONE_BY_ONE = 64
_EVER = 2**62


class SqliteSeries:
    """The connection of a reader, which cannot write, and what it reads of messages."""

    def __init__(self, path: Path):
        self._path = path
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise in_words(path, error) from None

    def _read(self, sql: str, given: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, given).fetchall()
        except sqlite3.Error as error:
            raise in_words(self._path, error) from error

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

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
        self,
        kind: int,
        since: float,
        until: float,
        ids: list[int],
        fields: Sequence[str] | None,
    ) -> Iterator[Series]:
        """Give each node's days, in order."""
        layout = values.FIELDS[kind]
        low, high = math.ceil(since), math.ceil(until)  # times are whole seconds here
        loose = self._loose(kind, low, high, ids)
        for node, mine in _of_each(ids, loose):
            days: dict[int, list[Series]] = {}
            for day in np.unique(mine.at // DAY_S).tolist() if len(mine.at) else ():
                some = mine.take(mine.at // DAY_S == day)
                days[day] = [pieces.of_batch(layout, some, fields)]
            stored: dict[int, list[tuple[int, int]]] = {}
            if kind in SERIES:
                for number, start in self._read(
                    "SELECT id, start FROM chunks WHERE node = ? AND type = ? "
                    "AND start > ? AND start < ? AND start + span > ?",
                    (node, kind, low - DAY_S, high, low),
                ):
                    stored.setdefault(start // DAY_S, []).append((number, start))
            for day in sorted(days.keys() | stored.keys()):
                parts = days.get(day, [])
                for number, _ in stored.get(day, []):
                    ((body,),) = self._read("SELECT body FROM chunks WHERE id = ?", (number,))
                    rows = chunks.unpack(body, f"chunk {number}", layout, fields)
                    parts.append(pieces.of_rows(layout, node, rows, fields))
                found = pieces.between(pieces.in_order(parts), low, high)
                if len(found.nodes):
                    yield found

    def frames(self, nodes: Sequence[str] | None = None) -> Iterator[tuple[int, Frame]]:
        """See `store.TelemetryReader`."""
        with self._instant():
            every = self._ids(nodes)
            unfolded = self._unfolded(None, every)
            for begin in range(0, len(every), BLOCK):
                ids = every[begin : begin + BLOCK]
                mine = (unfolded.nodes >= ids[0]) & (unfolded.nodes <= ids[-1])
                rows = self._rows_of(None, -_EVER, _EVER, ids)
                loose = _by_node(batches.join([unfolded.take(mine), rows]))
                for node, some in _of_each(ids, loose):
                    for number, kind, body in self._read(
                        "SELECT id, type, body FROM chunks WHERE node = ? ORDER BY type, start",
                        (node,),
                    ):
                        for frame in chunks.unpack(body, f"chunk {number}").frames(kind):
                            yield node, frame
                    for frame in some.frames():
                        yield node, frame

    def _loose(self, kind: int, low: int, high: int, ids: list[int]) -> Batch:
        """Return what is in no chunk, of one type and time, by node."""
        parts = [self._unfolded(kind, ids)]
        if kind not in SERIES or self._read("SELECT old FROM folding")[0][0]:
            parts.append(self._rows_of(kind, low, high, ids))
        whole = batches.join(parts)
        return _by_node(whole.take((whole.at >= low) & (whole.at < high)))

    def _unfolded(self, kind: int | None, ids: list[int]) -> Batch:
        """Return what is in batches alone, of one type or of all."""
        upto, done = self._read("SELECT upto, done FROM folding")[0]
        wanted = np.array(ids, np.uint32)

        def keep(rows: NDArray[Any]) -> NDArray[np.bool_]:
            kept: NDArray[np.bool_] = np.isin(rows["node"], wanted)
            return kept if kind is None else kept & (rows["type"] == kind)

        def unfolded(rows: NDArray[Any]) -> NDArray[np.bool_]:
            later: NDArray[np.bool_] = rows["node"] // BLOCK > done
            return keep(rows) & later

        if kind is not None and kind not in SERIES:
            return batches.unpack([])
        if done < 0:
            return batches.unpack(self._blobs("id > ?", 0), keep)
        return batches.join(
            [
                batches.unpack(self._blobs("id <= ?", upto), unfolded),
                batches.unpack(self._blobs("id > ?", upto), keep),
            ]
        )

    def _blobs(self, which: str, number: int) -> list[tuple[int, bytes]]:
        return self._read(
            f"SELECT id, body FROM batches WHERE {which} ORDER BY id",  # noqa: S608
            (number,),
        )

    def _rows_of(self, kind: int | None, low: int, high: int, ids: list[int]) -> Batch:
        """Return messages that are rows of their own, of one type or of all."""
        sql = (
            "SELECT e.node, f.epoch, f.seq, f.type, f.received, f.at, f.body "
            "FROM epochs e JOIN frames f ON f.epoch = e.id WHERE f.type = ifnull(?, f.type) "
            "AND coalesce(f.at, f.received) >= ? AND coalesce(f.at, f.received) < ? "
        )
        given = (kind, low, high)
        if len(ids) <= _NODES_ONE_BY_ONE:
            found = [
                row for node in ids for row in self._read(f"{sql} AND e.node = ?", (*given, node))
            ]
        else:
            known = set(ids)
            sql += "AND e.node BETWEEN ? AND ?"
            found = [row for row in self._read(sql, (*given, ids[0], ids[-1])) if row[0] in known]
        return batches.of_frames([(row[0], Frame(*row[1:])) for row in found])

    def _ids(self, nodes: Sequence[str] | None) -> list[int]:
        """Return the ids of some nodes that exist, or of all, rising."""
        if nodes is None:
            return [node for (node,) in self._read("SELECT id FROM nodes ORDER BY id")]
        if len(nodes) > _NODES_ONE_BY_ONE:
            ids = {name: node for node, name in self.names().items()}
            return sorted({ids[name] for name in nodes if name in ids})
        return sorted(
            {
                node
                for name in nodes
                for (node,) in self._read("SELECT id FROM nodes WHERE name = ?", (name,))
            }
        )

    def names(self) -> dict[int, str]:
        """Return every node's name."""
        return dict(self._read("SELECT id, name FROM nodes"))

    @contextmanager
    def _instant(self) -> Iterator[None]:
        """Have all questions see the same state."""
        if self._db.in_transaction:  # a series that is being read holds its own
            yield
            return
        self._read("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _by_node(frames: Batch) -> Batch:
    return frames.take(np.argsort(frames.nodes, kind="stable"))


def _of_each(ids: list[int], frames: Batch) -> Iterator[tuple[int, Batch]]:
    """Give each node's frames, which are sorted by node."""
    places = np.searchsorted(frames.nodes, np.array([*ids, 2**32], np.uint64)).tolist()
    for node, (first, last) in zip(ids, pairwise(places), strict=True):
        yield node, frames.take(slice(first, last))
