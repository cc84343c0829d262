"""Questions to PostgreSQL, on a connection of their own that cannot write."""

from collections.abc import Sequence

import numpy as np
from lampione_protocol import schema

from lampione.alarms.book import Alarm
from lampione.api import CommandState, EpochRow, History, Lost
from lampione.rollup import MEASURES
from lampione.room.audit import Entry
from lampione.store import BLOCK, SERIES, RollupTable, StoredNote, histories, pieces
from lampione.store.alarms import NAMES, WHICH, alarm_of
from lampione.store.commands import COMMAND_COLUMNS, command_of
from lampione.store.postgres.walk import PostgresSeries, whole


class PostgresReader(PostgresSeries):
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
        with self._instant():
            if kind in SERIES:
                names = [field[0] for field in shown]
                parts = self._walk(kind, since, until, self._ids([node]), names)
                return histories.of_series(node, kind, shown, parts, limit)
            found = self._link.read(
                "SELECT coalesce(f.at, f.received) AS time, f.body "
                "FROM frames f JOIN nodes n ON n.id = f.node WHERE n.name = %s AND f.type = %s "
                "AND coalesce(f.at, f.received) >= %s AND coalesce(f.at, f.received) < %s "
                "ORDER BY time, f.received, f.seq LIMIT %s",
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
            found = self._link.read(
                "SELECT block, start, block, body FROM rollups WHERE level = %s AND measure = %s "
                "AND start >= %s AND start < %s AND block = ANY (%s) ORDER BY start",
                (level, measure, whole(since), whole(until), np.unique(ids // BLOCK).tolist()),
            )
        return pieces.table(rule, ids, found)

    def events(
        self, node: str | None, since: float, limit: int
    ) -> list[tuple[str, float, int | None, bytes]]:
        """Return (node, received, at, body), newest first."""
        with self._instant():
            return self._link.read(
                "SELECT n.name, f.received, f.at, f.body FROM frames f "
                "JOIN nodes n ON n.id = f.node WHERE f.type = %s AND f.received >= %s "
                "AND (%s::text IS NULL OR n.name = %s) ORDER BY f.received DESC LIMIT %s",
                (schema.EVENT, since, node, node, limit),
            )

    def commands(self, node: str | None, limit: int) -> list[CommandState]:
        """Return commands, newest first."""
        with self._instant():
            rows = self._link.read(
                f"SELECT {COMMAND_COLUMNS} FROM commands c JOIN nodes n ON n.id = c.node "  # noqa: S608
                "WHERE %s::text IS NULL OR n.name = %s ORDER BY c.id DESC LIMIT %s",
                (node, node, limit),
            )
        return [command_of(row) for row in rows]

    def audit(
        self, node: str | None, operator: str | None, since: float, before: int | None, limit: int
    ) -> list[Entry]:
        """Return entries, newest first."""
        with self._instant():
            rows = self._link.read(
                "SELECT seq, body, hash FROM audit WHERE at >= %s "
                "AND (%s::text IS NULL OR node = %s) AND (%s::text IS NULL OR operator = %s) "
                "AND (%s::bigint IS NULL OR seq < %s) ORDER BY seq DESC LIMIT %s",
                (since, node, node, operator, operator, before, before, limit),
            )
        return [Entry(*row) for row in rows]

    def audit_after(self, seq: int, limit: int) -> list[Entry]:
        """Return entries from the next after `seq` on, rising."""
        with self._instant():
            rows = self._link.read(
                "SELECT seq, body, hash FROM audit WHERE seq > %s ORDER BY seq LIMIT %s",
                (seq, limit),
            )
        return [Entry(*row) for row in rows]

    def notes(self, since: float, limit: int) -> list[StoredNote]:
        """Return notes, newest first."""
        with self._instant():
            rows = self._link.read(
                "SELECT id, at, operator, body, seq, head FROM notes WHERE at >= %s "
                "ORDER BY id DESC LIMIT %s",
                (since, limit),
            )
        return [StoredNote(*row) for row in rows]

    def alarms(self, which: str, node: str | None, since: float, limit: int) -> list[Alarm]:
        """Return alarms, newest first. Raises KeyError for another `which`."""
        with self._instant():
            rows = self._link.read(
                f"SELECT {NAMES} FROM alarms WHERE {WHICH[which]} AND changed >= %s "  # noqa: S608
                "AND (%s::text IS NULL OR node = %s OR jsonb_exists(members::jsonb, %s)) "
                "ORDER BY id DESC LIMIT %s",
                (since, node, node, node, limit),
            )
        return [alarm_of(row) for row in rows]

    def losses(self, node: str) -> list[Lost]:
        """Return what was lost, oldest first."""
        with self._instant():
            rows = self._link.read(
                "SELECT first, last, l.at, why FROM losses l JOIN nodes n ON n.id = l.node "
                "WHERE n.name = %s ORDER BY l.number",
                (node,),
            )
        return [{"first": row[0], "last": row[1], "at": row[2], "why": row[3]} for row in rows]

    def epochs(self, node: str) -> list[EpochRow]:
        """Return the boots of a node, oldest first."""
        with self._instant():
            rows = self._link.read(
                "SELECT encode(epoch, 'hex'), boot, first_seq, e.hello_at, superseded "
                "FROM epochs e JOIN nodes n ON n.id = e.node WHERE n.name = %s ORDER BY e.id",
                (node,),
            )
        return [
            {
                "epoch": row[0],
                "boot": row[1],
                "first_seq": row[2],
                "hello_at": row[3],
                "superseded": row[4],
            }
            for row in rows
        ]

    def size_bytes(self) -> int:
        """Return the size of the database."""
        with self._instant():
            size: int = self._link.read("SELECT pg_database_size(current_database())")[0][0]
        return size
