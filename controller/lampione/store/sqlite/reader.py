"""Questions to the SQLite store, on a connection of their own that cannot write."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from lampione_protocol import schema

from lampione.alarms.book import Alarm
from lampione.api import CommandState, EpochRow, History, Lost
from lampione.rollup import MEASURES
from lampione.room.audit import Entry
from lampione.store import BLOCK, SERIES, RollupTable, StoredNote, histories, pieces
from lampione.store.alarms import NAMES, WHICH, alarm_of
from lampione.store.commands import COMMAND_COLUMNS, command_of
from lampione.store.sqlite.walk import SqliteSeries


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
        kind, shown, limit = histories.asked(message, fields, limit)
        if kind in SERIES:
            names = [field[0] for field in shown]
            with self._instant():
                parts = self._walk(kind, since, until, self._ids([node]), names)
                return histories.of_series(node, kind, shown, parts, limit)
        found = self._read(
            "SELECT coalesce(f.at, f.received) AS time, f.body "
            "FROM epochs e JOIN nodes n ON n.id = e.node JOIN frames f ON f.epoch = e.id "
            "WHERE n.name = ? AND f.type = ? AND time >= ? AND time < ? "
            "ORDER BY time, f.received, f.seq LIMIT ?",
            (node, kind, since, until, limit + 1),
        )
        return histories.of_rows(node, kind, shown, found, limit)

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

    def audit(
        self, node: str | None, operator: str | None, since: float, before: int | None, limit: int
    ) -> list[Entry]:
        """Return entries, newest first."""
        rows = self._read(
            "SELECT seq, body, hash FROM audit WHERE at >= ?1 AND (?2 IS NULL OR node = ?2) "
            "AND (?3 IS NULL OR operator = ?3) AND (?4 IS NULL OR seq < ?4) "
            "ORDER BY seq DESC LIMIT ?5",
            (since, node, operator, before, limit),
        )
        return [Entry(*row) for row in rows]

    def audit_after(self, seq: int, limit: int) -> list[Entry]:
        """Return entries from the next after `seq` on, rising."""
        rows = self._read(
            "SELECT seq, body, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        return [Entry(*row) for row in rows]

    def notes(self, since: float, limit: int) -> list[StoredNote]:
        """Return notes, newest first."""
        rows = self._read(
            "SELECT id, at, operator, body, seq, head FROM notes WHERE at >= ? "
            "ORDER BY id DESC LIMIT ?",
            (since, limit),
        )
        return [StoredNote(*row) for row in rows]

    def alarms(self, which: str, node: str | None, since: float, limit: int) -> list[Alarm]:
        """Return alarms, newest first. Raises KeyError for another `which`."""
        rows = self._read(
            f"SELECT {NAMES} FROM alarms WHERE {WHICH[which]} AND changed >= ?1 "  # noqa: S608
            "AND (?2 IS NULL OR node = ?2 "
            "OR EXISTS (SELECT 1 FROM json_each(members) WHERE value = ?2)) "
            "ORDER BY id DESC LIMIT ?3",
            (since, node, limit),
        )
        return [alarm_of(row) for row in rows]

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
