"""The writer over SQLite."""

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.api import Refused
from lampione.store import SERIES, Frame, StoredNode, StoreError, batches
from lampione.store.blocks import known, newest_of
from lampione.store.held import Held
from lampione.store.index import Index
from lampione.store.leases import Fence
from lampione.store.sqlite import aside
from lampione.store.sqlite.alarms import SqliteAlarms
from lampione.store.sqlite.orders import SqliteOrders
from lampione.store.sqlite.room import SqliteRoom
from lampione.store.sqlite.stages import SqliteStages


class SqliteStore(SqliteAlarms, SqliteOrders, SqliteRoom, SqliteStages):
    """See `store.TelemetryStore`. For one thread."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._epochs: dict[tuple[int, bytes, int], int] = {}
        self._fence = Fence()
        self._index = Index(self._load)
        self._unfolded: dict[int, NDArray[np.uint32]] | None = None  # numbers, at the start

    def fence(self, holder: str, terms: Mapping[str, int]) -> None:
        """Commit only while these leases stand; others may have written what is theirs."""
        self._fence.set(holder, terms)
        self._forget()

    def commit(self) -> None:
        """Make it durable. Raises StoreError; then call `rollback`."""
        if self._open:
            self._fence.check(self._read)
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: {error}") from error
            self._open = False

    def rollback(self) -> None:
        """Forget what was written since the last commit."""
        self._forget()
        if self._open:
            self._open = False
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def _forget(self) -> None:
        """Ask the database again for what is stored."""
        self._epochs.clear()
        self._index.forget()
        self._unfolded = None

    def close(self) -> None:
        """Close without committing."""
        self.rollback()
        self._db.close()

    def nodes(self) -> list[StoredNode]:
        """Return every node that was ever seen or commanded."""
        rows = self._read("SELECT id, name, line, counter, hello, hello_at FROM nodes")
        return [StoredNode(*row) for row in rows]

    def add_node(self, name: str) -> StoredNode:
        """Make room for a node."""
        number = self._write("INSERT INTO nodes (name) VALUES (?)", (name,)).lastrowid
        assert number is not None
        return StoredNode(number, name, None, 0, None, None)

    def epoch_id(self, node: int, epoch: bytes, boot: int) -> int:
        """Return the number of a boot, new or known."""
        key = (node, epoch, boot)
        found = self._epochs.get(key)
        if found is None:
            rows = self._read(
                "SELECT id FROM epochs WHERE node = ? AND epoch = ? AND boot = ?", key
            )
            if rows:
                found = rows[0][0]
            else:
                found = self._write(
                    "INSERT INTO epochs (node, epoch, boot) VALUES (?, ?, ?)", key
                ).lastrowid
                assert found is not None
            if len(self._epochs) > 200_000:  # an epoch a boot: years of a city
                self._epochs.clear()
            self._epochs[key] = found
        assert found is not None
        return found

    def greet(self, node: int, epoch: int, first_seq: int, at: float, body: bytes) -> None:
        """Record a hello that was accepted."""
        self._write("UPDATE nodes SET hello = ?, hello_at = ? WHERE id = ?", (body, at, node))
        self._write(
            "UPDATE epochs SET first_seq = ?, hello_at = ?, superseded = 0 WHERE id = ?",
            (first_seq, at, epoch),
        )

    def supersede(self, node: int, epoch: int) -> None:
        """Mark the epochs of a flash that is no more."""
        self._write("UPDATE epochs SET superseded = 1 WHERE node = ? AND id <> ?", (node, epoch))

    def frames(self, frames: list[Frame]) -> int:
        """Store; return how many were new."""
        batch: list[tuple[int, Frame]] = []
        rows: list[Frame] = []
        for frame in frames:
            node = self._index.add(frame.epoch, frame.seq)
            if node is None:
                continue
            if frame.type in SERIES:
                batch.append((node, frame))
            else:
                rows.append(frame)
        if batch:
            times = [frame.received for _, frame in batch]
            self._write(
                "INSERT INTO batches (count, oldest, newest, body) VALUES (?, ?, ?, ?)",
                (len(batch), min(times), max(times), batches.pack(batch)),
            )
        if rows:
            self._write_many(
                "INSERT INTO frames (epoch, seq, type, received, at, body) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
        return len(batch) + len(rows)

    def _load(self, epoch: int) -> tuple[int, Held]:
        """Return a boot's node, and the numbers of it that are stored in any form."""
        if self._unfolded is None:
            # Before `held` is read: what is folded meanwhile is in both.
            frames = self._batches().frames(slice(None))
            order = np.lexsort((frames.seqs, frames.epochs))
            epochs, firsts = np.unique(frames.epochs[order], return_index=True)
            parts = np.split(frames.seqs[order], firsts[1:])
            self._unfolded = dict(zip(epochs.tolist(), parts, strict=False))
        # Likewise: what is dropped or folded from there goes into `held`.
        rows = self._read("SELECT seq FROM frames WHERE epoch = ?", (epoch,))
        found = self._read("SELECT node, held FROM epochs WHERE id = ?", (epoch,))
        if not found:
            raise StoreError(f"{self._path}: no boot has the number {epoch}")
        node, packed = found[0]
        held = Held.unpack(packed)
        held.update(seq for (seq,) in rows)
        held.update(self._unfolded.pop(epoch, np.empty(0, np.uint32)).tolist())
        return node, held

    def _batches(self) -> batches.Packed:
        """Return the batches that can be read; the others are put aside, in the next commit."""
        packed, damaged = batches.sift(self._read("SELECT id, body FROM batches ORDER BY id"))
        for sql, rows in aside.put("batch", damaged, time.time()):
            self._write_many(sql, rows)
        return packed

    def lines(self, lines: Iterable[tuple[str, int]]) -> None:
        """Keep what is counted."""
        self._write_many("UPDATE nodes SET line = ? WHERE id = ?", lines)

    def refused(self, counts: dict[tuple[str, str], int], at: float) -> None:
        """Count frames that were refused."""
        self._write_many(
            "INSERT INTO refusals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET count = count + excluded.count, last = excluded.last",
            [(node, reason, count, at) for (node, reason), count in counts.items()],
        )

    def refusals(self) -> list[Refused]:
        """Return what was refused, of whom, why, how often."""
        rows = self._read("SELECT node, reason, count, last FROM refusals ORDER BY node, reason")
        return [
            {"node": node or None, "reason": reason, "count": count, "last": last}
            for node, reason, count, last in rows
        ]

    def add_totals(self, totals: dict[str, int]) -> None:
        """Add to the counters that outlive a start."""
        self._write_many(
            "INSERT INTO totals VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET value = value + excluded.value",
            list(totals.items()),
        )

    def totals(self) -> dict[str, int]:
        """Return those counters."""
        return dict(self._read("SELECT name, value FROM totals"))

    def latest(self, kind: int, nodes: Sequence[int] | None = None) -> dict[int, Frame]:
        """Return the newest frame of a type by node; of boots that count before the others."""
        found: dict[int, Frame] = {}
        if kind in SERIES:
            wanted = None if nodes is None else np.array(nodes, np.uint32)
            found = self._latest_of_series(kind, wanted)
            if not self._read("SELECT old FROM folding")[0][0]:
                return found
        if nodes is None:
            nodes = [node for (node,) in self._read("SELECT id FROM nodes")]
        for node in nodes:
            frame = self._latest_row(node, kind)
            if frame is not None and (node not in found or _key(found[node]) < _key(frame)):
                found[node] = frame
        return found

    def _latest_of_series(self, kind: int, wanted: NDArray[np.uint32] | None) -> dict[int, Frame]:
        def keep(rows: NDArray[Any]) -> NDArray[np.bool_]:
            kept: NDArray[np.bool_] = rows["type"] == kind
            return kept if wanted is None else kept & np.isin(rows["node"], wanted)

        # Batches first: what is folded meanwhile is in both.
        waiting = self._batches()
        folded = known(self._read("SELECT block, body FROM newest WHERE type = ?", (kind,)))
        both = batches.join([each.frames(keep(each.rows)) for each in (waiting, folded)])
        newest = newest_of(both, self._superseded())
        return dict(zip(newest.nodes.tolist(), newest.frames(), strict=True))

    def _superseded(self) -> list[int]:
        return [epoch for (epoch,) in self._read("SELECT id FROM epochs WHERE superseded")]

    def _latest_row(self, node: int, kind: int) -> Frame | None:
        for (epoch,) in self._read(
            "SELECT id FROM epochs WHERE node = ? ORDER BY superseded, id DESC LIMIT 8", (node,)
        ):
            rows = self._read(
                "SELECT epoch, seq, type, received, at, body FROM frames "
                "WHERE epoch = ? AND type = ? ORDER BY seq DESC LIMIT 1",
                (epoch, kind),
            )
            if rows:
                return Frame(*rows[0])
        return None


def _key(frame: Frame) -> tuple[int, int]:
    return frame.epoch, frame.seq
