"""Questions to the SQLite store, on a connection of their own that cannot write."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from lampione_protocol import schema

from lampione import batch, values
from lampione.api import CommandState, EpochRow, History, Json, Lost
from lampione.rollup import MEASURES
from lampione.store import (
    BLOCK,
    SERIES,
    RollupTable,
    pieces,
)
from lampione.store.sqlite.orders import COMMAND_COLUMNS, command_of
from lampione.store.sqlite.walk import SqliteSeries

ROWS_MAX = 10_000
DAY_S = 86400
_PIECE = 16_384  # rows of a series given at once, about
_NODES_ONE_BY_ONE = 64


class SqliteReader(SqliteSeries):
    """See `store.TelemetryReader`. For one thread at a time."""

    def history(
        self,
        node: str,
        message: str,
        since: float,
        until: float,
        fields: list[str] | None,
        limit: int,
    ) -> History:
        """Return rows by the node's clock, or by arrival where it had none.

        Raises KeyError for a message or a field that does not exist.
        """
        kind = values.TYPES[message.lower()]
        layout = {f[0]: f for f in values.FIELDS[kind] if f[1] not in "x"}
        wanted = list(layout) if fields is None else fields
        shown = [layout[name] for name in wanted]
        limit = max(1, min(limit, ROWS_MAX))
        if kind in SERIES:
            return self._history_of_series(node, kind, since, until, wanted, limit)
        found = self._read(
            "SELECT coalesce(f.at, f.received) AS time, f.body "
            "FROM epochs e JOIN nodes n ON n.id = e.node JOIN frames f ON f.epoch = e.id "
            "WHERE n.name = ? AND f.type = ? AND time >= ? AND time < ? "
            "ORDER BY time, f.received, f.seq LIMIT ?",
            (node, kind, since, until, limit + 1),
        )
        more = len(found) > limit
        found = found[:limit]
        rows: list[list[Json]] = [[at] for at, _ in found]
        bodies = [body for _, body in found]
        name = values.NAMES[kind]
        columns = batch.decode(values.FIELDS[kind], bodies, wanted) if bodies else None
        for field in shown:
            column = None if columns is None else columns.get(field[0])
            if column is None:  # bytes and text
                for row, body in zip(rows, bodies, strict=True):
                    row.append(values.try_read(kind, body).get(field[0]))
                continue
            for row, value in zip(rows, column.tolist(), strict=True):
                known = None if value == batch.UNKNOWN else value
                row.append(values.readable(name, field, known))
        if columns is not None:
            rows = [row for row, good in zip(rows, columns.sound, strict=True) if good]
        units = ["s", *(field[6] for field in shown)]
        return {
            "node": node,
            "message": name,
            "fields": ["at", *wanted],
            "units": units,
            "rows": rows,
            "more": more,
        }

    def _history_of_series(
        self, node: str, kind: int, since: float, until: float, wanted: list[str], limit: int
    ) -> History:
        """As `history`, of messages that hold numbers alone."""
        name = values.NAMES[kind]
        layout = {field[0]: field for field in values.FIELDS[kind]}
        rows: list[list[Json]] = []
        count = 0
        with self._instant():
            for part in self._walk(kind, since, until, self._ids([node]), wanted):
                columns = [
                    [
                        values.readable(name, layout[field], None if v == batch.UNKNOWN else v)
                        for v in part.columns[field].tolist()
                    ]
                    for field in wanted
                ]
                left = limit - count
                for row, sound in zip(
                    zip(part.at.tolist(), *columns, strict=True),
                    part.columns.sound.tolist()[: max(left, 0)],
                    strict=False,
                ):
                    if sound:
                        rows.append(list(row))
                count += len(part.nodes)
                if count > limit:
                    break
        return {
            "node": node,
            "message": name,
            "fields": ["at", *wanted],
            "units": ["s", *(layout[field][6] for field in wanted)],
            "rows": rows,
            "more": count > limit,
        }

    def rollups(
        self,
        level: int,
        since: float,
        until: float,
        measure: str,
        nodes: Sequence[str] | None = None,
    ) -> RollupTable:
        """See `store.TelemetryReader`. Raises KeyError for what is not measured."""
        rule = MEASURES[measure]
        with self._instant():
            ids = np.array(self._ids(nodes), np.uint32)
            found = self._read(
                "SELECT id, start, block, body FROM rollups "
                "WHERE level = ? AND measure = ? AND start >= ? AND start < ? ORDER BY start",
                (level, measure, math.ceil(since), math.ceil(until)),
            )
        wanted = set((ids // BLOCK).tolist())
        return pieces.table(rule, ids, [row for row in found if row[2] in wanted])

    def events(
        self, node: str | None, since: float, limit: int
    ) -> list[tuple[str, float, int | None, bytes]]:
        """Return (node, received, at, body), newest first."""
        which = "" if node is None else "AND n.name = ?"
        given: tuple[Any, ...] = (since,) + (() if node is None else (node,))
        return self._read(
            "SELECT n.name, f.received, f.at, f.body "  # noqa: S608
            "FROM frames f JOIN epochs e ON e.id = f.epoch JOIN nodes n ON n.id = e.node "
            f"WHERE f.type = {schema.EVENT} AND f.received >= ? {which} "
            "ORDER BY f.received DESC LIMIT ?",
            (*given, limit),
        )

    def commands(self, node: str | None, limit: int) -> list[CommandState]:
        """Return commands, newest first."""
        which = "" if node is None else "WHERE n.name = ?"
        rows = self._read(
            f"SELECT {COMMAND_COLUMNS} FROM commands c JOIN nodes n ON n.id = c.node "  # noqa: S608
            f"{which} ORDER BY c.id DESC LIMIT ?",
            (*(() if node is None else (node,)), limit),
        )
        return [command_of(row) for row in rows]

    def losses(self, node: str) -> list[Lost]:
        """Return what was lost, oldest first."""
        rows = self._read(
            "SELECT first, last, l.at, why FROM losses l JOIN nodes n ON n.id = l.node "
            "WHERE n.name = ? ORDER BY l.id",
            (node,),
        )
        return [{"first": row[0], "last": row[1], "at": row[2], "why": row[3]} for row in rows]

    def epochs(self, node: str) -> list[EpochRow]:
        """Return the boots of a node, oldest first."""
        rows = self._read(
            "SELECT hex(epoch), boot, first_seq, e.hello_at, superseded "
            "FROM epochs e JOIN nodes n ON n.id = e.node WHERE n.name = ? ORDER BY e.id",
            (node,),
        )
        return [
            {
                "epoch": row[0].lower(),
                "boot": row[1],
                "first_seq": row[2],
                "hello_at": row[3],
                "superseded": bool(row[4]),
            }
            for row in rows
        ]

    def size_bytes(self) -> int:
        """Return the size of the database and its log."""
        return sum(
            p.stat().st_size
            for p in (self._path, self._path.with_name(self._path.name + "-wal"))
            if p.exists()
        )
