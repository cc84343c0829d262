"""The writer over PostgreSQL. One a worker; the nodes of two workers are never the same.

Whatever fails, the caller rolls back and starts over from what is stored: then nothing is known of
what an earlier transaction came to, nor of what another worker may have written meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.api import Refused
from lampione.store import SERIES, Frame, StoredNode, StoreError, batches
from lampione.store.blocks import known, newest_of
from lampione.store.held import Held
from lampione.store.index import Index
from lampione.store.leases import LOCK_ROWS, Fence
from lampione.store.postgres import journal, typed
from lampione.store.postgres.alarms import Alarms
from lampione.store.postgres.connect import Link, shown
from lampione.store.postgres.migrate import migrate
from lampione.store.postgres.orders import Orders
from lampione.store.postgres.partitions import (
    DAY_S,
    EARLY_DAYS,
    LATE_DAYS,
    existing,
    make,
)
from lampione.store.postgres.room import Room
from lampione.store.postgres.stages import Staging

_EPOCHS_MAX = 200_000  # remembered: one a boot, years of a city
_SYNC = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)


CONTROLLER = "lampione controller"  # what the server knows a writer by


def is_half(link: Link) -> bool:
    """Say whether a store is being moved into this database."""
    return bool(link.read("SELECT to_regclass('moving') IS NOT NULL")[0][0])


class PostgresStore(Orders, Alarms, Room, Staging):
    """See `store.TelemetryStore`. For one thread."""

    def __init__(self, url: str, *, moving: bool = False):
        """`moving`: for `store.move`, not for a controller."""
        link = Link(url, settings=_SYNC, name="lampione" if moving else CONTROLLER)
        super().__init__(link)
        try:
            migrate(link)
            if not moving and link.whole(lambda: is_half(link)):
                raise StoreError(
                    f"{shown(url)} is not whole: `lampione store move` has not come to its end"
                )
        except BaseException:
            link.close()
            raise
        self._side = Link(url, autocommit=True)  # partitions are made beside the transaction
        self._epochs: dict[tuple[int, bytes, int], int] = {}
        self._boots: dict[int, tuple[int, int]] = {}  # epoch as a number, boot
        self._days: set[tuple[str, int]] = set()
        self._temporary: set[tuple[int, str]] = set()  # connection, table
        self._filled: set[str] = set()  # temporary tables, in this transaction
        self._ready: dict[int, tuple[int, Held]] = {}
        self._index = Index(self._load)
        self._unfolded: dict[int, NDArray[np.uint32]] | None = None
        self._totals: dict[str, int] = {}
        self._refused: dict[tuple[str, str], tuple[int, float]] = {}
        self._fence = Fence()

    def fence(self, holder: str, terms: Mapping[str, int]) -> None:
        """Commit only while these leases stand; others may have written what is theirs."""
        self._fence.set(holder, terms)
        self.forget()

    def commit(self) -> None:
        """Make it durable. Raises StoreError; then call `rollback`."""
        self._count()
        if not self._link.idle:
            self._fence.check(self._ask, LOCK_ROWS)
            self._link.commit()
        self._filled.clear()

    def rollback(self) -> None:
        """Forget what was written since the last commit, and what was known."""
        self._totals.clear()
        self._refused.clear()
        self.forget()
        self._link.rollback()
        self._side.close()  # made again when it is needed

    def _ask(self, sql: str, given: tuple[Any, ...]) -> list[Any]:
        return self._link.read(sql.replace("?", "%s"), given)

    def forget(self) -> None:
        """Ask the database again for what is stored: another worker may have written."""
        self._epochs.clear()
        self._boots.clear()
        self._ready.clear()
        self._index.forget()
        self._unfolded = None
        self._temporary.clear()
        self._days.clear()
        self._filled.clear()

    def close(self) -> None:
        """Close without committing."""
        self._link.close()
        self._side.close()

    def nodes(self) -> list[StoredNode]:
        """Return every node that was ever seen or commanded."""
        rows = self._link.read(
            "SELECT id, name, line, counter, hello, hello_at FROM nodes ORDER BY id"
        )
        return [StoredNode(*row) for row in rows]

    def add_node(self, name: str) -> StoredNode:
        """Make room for a node; one that another worker made meanwhile is that one."""
        number = self._next("nodes")
        # (whoever else numbers nodes has to wait for our commit, so this sees all of them)
        rows = self._link.read(
            "SELECT id, name, line, counter, hello, hello_at FROM nodes WHERE name = %s", (name,)
        )
        if rows:
            self._link.write("UPDATE ids SET nodes = nodes - 1")
            return StoredNode(*rows[0])
        self._link.write("INSERT INTO nodes (id, name) VALUES (%s, %s)", (number, name))
        return StoredNode(number, name, None, 0, None, None)

    def epoch_id(self, node: int, epoch: bytes, boot: int) -> int:
        """Return the number of a boot, new or known."""
        key = (node, epoch, boot)
        if not self._epochs:  # each node's last at once, else a start asks node by node
            for number, *known in self._link.read(
                "SELECT DISTINCT ON (node) id, node, epoch, boot FROM epochs ORDER BY node, id DESC"
            ):
                self._epochs[known[0], known[1], known[2]] = number
        found = self._epochs.get(key)
        if found is None:
            rows = self._link.read(
                "SELECT id FROM epochs WHERE node = %s AND epoch = %s AND boot = %s", key
            )
            if rows:
                found = rows[0][0]
            else:
                found = self._next("epochs")
                self._link.write(
                    "INSERT INTO epochs (id, node, epoch, boot) VALUES (%s, %s, %s, %s)",
                    (found, *key),
                )
            if len(self._epochs) > _EPOCHS_MAX:
                self._epochs.clear()
            assert found is not None
            self._epochs[key] = found
        return found

    def greet(self, node: int, epoch: int, first_seq: int, at: float, body: bytes) -> None:
        """Record a hello that was accepted."""
        self._link.write(
            "UPDATE nodes SET hello = %s, hello_at = %s WHERE id = %s", (body, at, node)
        )
        self._link.write(
            "UPDATE epochs SET first_seq = %s, hello_at = %s, superseded = false WHERE id = %s",
            (first_seq, at, epoch),
        )

    def supersede(self, node: int, epoch: int) -> None:
        """Mark the epochs of a flash that is no more."""
        self._link.write(
            "UPDATE epochs SET superseded = true WHERE node = %s AND id <> %s AND NOT superseded",
            (node, epoch),
        )

    def frames(self, frames: list[Frame]) -> int:
        """Store; return how many were new."""
        self._get_ready({frame.epoch for frame in frames} - self._boots.keys())
        series: list[tuple[int, Frame]] = []
        rows: list[tuple[Any, ...]] = []
        for frame in frames:
            node = self._index.add(frame.epoch, frame.seq)
            if node is None:
                continue
            if frame.type in SERIES:
                series.append((node, frame))
            if frame.type not in SERIES or _is_absurd(frame):
                rows.append((node, *frame))
        self._insert(
            "INSERT INTO frames (node, epoch, seq, type, received, at, body) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            rows,
        )
        if series:
            self._series(series)
        return len(series) + sum(row[3] not in SERIES for row in rows)

    def _insert(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return

        def work(db: Any) -> int:
            cursor = db.cursor()
            cursor.executemany(sql.encode(), rows)
            count: int = cursor.rowcount
            return count

        self._check(self._link.run(work), len(rows))

    def _check(self, inserted: int, expected: int) -> None:
        """Say no when rows were there that the index knows nothing of."""
        if inserted != expected:
            raise StoreError(
                f"{shown(self._link.url)}: another worker has stored these nodes' frames"
            )

    def _series(self, frames: list[tuple[int, Frame]]) -> None:
        journal.append(self._link, frames)
        whole = batches.of_frames([(node, f) for node, f in frames if not _is_absurd(f)])
        for kind, table in typed.TABLES.items():
            some = whole.take(whole.types == kind)
            if len(some.nodes):
                self._typed(kind, table, some)

    def _typed(self, kind: int, table: str, frames: batches.Batch) -> None:
        days = {(table, day) for day in np.unique(frames.at // DAY_S).tolist()}
        if not days <= self._days:
            make(self._side, days)
            self._days = existing(self._side)
        epochs, places = np.unique(frames.epochs, return_inverse=True)
        known = np.array([self._boots[epoch] for epoch in epochs.tolist()], np.int32)
        boots = typed.Boots(known[places, 0], known[places, 1])
        packed = typed.pack(kind, frames, boots)
        names = ", ".join(f'"{name}"' for name in typed.column_names(kind))
        here = self._link.made, table
        if here not in self._temporary:
            self._link.write(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS new_{table} (LIKE {table}) "
                "ON COMMIT DELETE ROWS"
            )
            self._temporary.add(here)

        def copy(db: Any) -> int:
            with db.cursor() as cursor:
                if table in self._filled:  # a commit may take more than one batch
                    cursor.execute(f"DELETE FROM new_{table}".encode())  # noqa: S608
                self._filled.add(table)
                sql = f"COPY new_{table} ({names}) FROM STDIN (FORMAT binary)"
                with cursor.copy(sql.encode()) as stream:
                    stream.write(packed)
                cursor.execute(
                    f"INSERT INTO {table} ({names}) SELECT {names} FROM new_{table} "  # noqa: S608
                    "ON CONFLICT DO NOTHING".encode()
                )
                inserted: int = cursor.rowcount
            return inserted

        self._check(self._link.run(copy), len(frames.nodes))

    def _get_ready(self, epochs: set[int]) -> None:
        """Read which numbers some boots have, in any form: for `_load`, which asks one by one."""
        if not epochs:
            return
        if self._unfolded is None:
            # Before `held` is read: what is folded meanwhile is in both.
            frames = journal.read(self._link).frames(slice(None))
            order = np.lexsort((frames.seqs, frames.epochs))
            boots, firsts = np.unique(frames.epochs[order], return_index=True)
            parts = np.split(frames.seqs[order], firsts[1:])
            self._unfolded = dict(zip(boots.tolist(), parts, strict=False))
        asked = sorted(epochs)
        rows: dict[int, list[int]] = {}
        for epoch, seq in self._link.read(
            "SELECT epoch, seq FROM frames WHERE epoch = ANY (%s) ORDER BY epoch, seq", (asked,)
        ):
            rows.setdefault(epoch, []).append(seq)
        for epoch, node, bytes_, boot, packed in self._link.read(
            "SELECT e.id, e.node, e.epoch, e.boot, h.body FROM epochs e "
            "LEFT JOIN held h ON h.epoch = e.id WHERE e.id = ANY (%s)",
            (asked,),
        ):
            held = Held.unpack(packed)
            held.update(rows.get(epoch, ()))
            held.update(self._unfolded.pop(epoch, np.empty(0, np.uint32)).tolist())
            self._boots[epoch] = typed.epoch_number(bytes_), boot
            self._ready[epoch] = node, held

    def _load(self, epoch: int) -> tuple[int, Held]:
        found = self._ready.pop(epoch, None)
        if found is None:
            raise StoreError(f"{shown(self._link.url)}: no boot has the number {epoch}")
        return found

    def refused(self, counts: dict[tuple[str, str], int], at: float) -> None:
        """Count frames that were refused."""
        for key, count in counts.items():
            self._refused[key] = self._refused.get(key, (0, 0.0))[0] + count, at

    def refusals(self) -> list[Refused]:
        """Return what was refused, of whom, why, how often."""
        self._count()
        rows = self._link.read(
            'SELECT node, reason, count, last FROM refusals ORDER BY node COLLATE "C", '
            'reason COLLATE "C"'
        )
        return [
            {"node": node or None, "reason": reason, "count": count, "last": last}
            for node, reason, count, last in rows
        ]

    def add_totals(self, totals: dict[str, int]) -> None:
        """Add to the counters that outlive a start."""
        for name, count in totals.items():
            self._totals[name] = self._totals.get(name, 0) + count

    def totals(self) -> dict[str, int]:
        """Return those counters."""
        self._count()
        return dict(self._link.read("SELECT name, value FROM totals"))

    def _count(self) -> None:
        """Add what was counted. Last, and in order: workers wait for each other's rows here."""
        self._link.write_many(
            "INSERT INTO totals AS t VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET value = t.value + excluded.value",
            sorted(self._totals.items()),
        )
        self._link.write_many(
            "INSERT INTO refusals AS r VALUES (%s, %s, %s, %s) ON CONFLICT (node, reason) "
            "DO UPDATE SET count = r.count + excluded.count, last = excluded.last",
            [(*key, *counted) for key, counted in sorted(self._refused.items())],
        )
        self._totals.clear()
        self._refused.clear()

    def latest(self, kind: int, nodes: Sequence[int] | None = None) -> dict[int, Frame]:
        """Return the newest frame of a type by node; of boots that count before the others."""
        if kind in SERIES:
            wanted = None if nodes is None else np.array(nodes, np.uint32)
            return self._latest_of_series(kind, wanted)
        rows = self._link.read(
            "SELECT DISTINCT ON (f.node) f.node, f.epoch, f.seq, f.type, f.received, f.at, f.body "
            "FROM frames f JOIN epochs e ON e.id = f.epoch "
            "WHERE f.type = %s AND (%s::integer[] IS NULL OR f.node = ANY (%s)) "
            "ORDER BY f.node, e.superseded, f.epoch DESC, f.seq DESC",
            (kind, *[None if nodes is None else list(nodes)] * 2),
        )
        return {row[0]: Frame(*row[1:]) for row in rows}

    def _latest_of_series(self, kind: int, wanted: NDArray[np.uint32] | None) -> dict[int, Frame]:
        def keep(rows: NDArray[Any]) -> NDArray[np.bool_]:
            kept: NDArray[np.bool_] = rows["type"] == kind
            return kept if wanted is None else kept & np.isin(rows["node"], wanted)

        # Batches first: what is folded meanwhile is in both.
        waiting = journal.read(self._link)
        folded = known(self._link.read("SELECT block, body FROM newest WHERE type = %s", (kind,)))
        gone = [epoch for (epoch,) in self._link.read("SELECT id FROM epochs WHERE superseded")]
        both = batches.join([each.frames(keep(each.rows)) for each in (waiting, folded)])
        newest = newest_of(both, gone)
        return dict(zip(newest.nodes.tolist(), newest.frames(), strict=True))

    def lines(self, lines: Iterable[tuple[str, int]]) -> None:
        """Keep what is counted."""
        self._link.write_many("UPDATE nodes SET line = %s WHERE id = %s", lines)

    def counter(self, node: int, counter: int) -> None:
        """Keep the last counter given to a command."""
        self._link.write("UPDATE nodes SET counter = %s WHERE id = %s", (counter, node))


def _is_absurd(frame: Frame) -> bool:
    """Say whether a frame of SERIES says a time that no partition is made for."""
    if frame.at is None:
        return not 0 <= frame.received < 2**32
    late = frame.received - frame.at
    return not -EARLY_DAYS * DAY_S <= late <= LATE_DAYS * DAY_S
