"""The writer over SQLite: WAL, `synchronous=FULL`, so that what was committed survives a cut."""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.api import CommandState, Refused
from lampione.store import (
    SERIES,
    Frame,
    StoredConfig,
    StoredNode,
    StoredRollout,
    StoreError,
    batches,
)
from lampione.store.blocks import newest_of
from lampione.store.held import Held
from lampione.store.index import Index
from lampione.store.leases import Fence
from lampione.store.sqlite.migrate import migrate

COMMAND_COLUMNS = (
    'c.id, n.name, c."order", c.state, c.final, c.counter, c.reason, c.level, c.value, '
    "c.created, c.expires, c.changed"
)


def command_of(row: tuple[Any, ...]) -> CommandState:
    """Return the command of a row of `COMMAND_COLUMNS`."""
    return {
        "command": row[0],
        "node": row[1],
        "order": json.loads(row[2]),
        "state": row[3],
        "final": bool(row[4]),
        "counter": row[5],
        "reason": row[6],
        "level": row[7],
        "value": row[8],
        "created": row[9],
        "expires": row[10],
        "changed": row[11],
    }


class SqliteStore:
    """See `store.TelemetryStore`. For one thread."""

    def __init__(self, path: Path):
        try:
            # Made by us, so that it is private from its first byte on.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            # The core's thread makes it and uses it; whoever waits for its end may close it.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new one; `keep.vacuum`
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA cache_size = -32768")
            migrate(self._db)
            self._db.execute("PRAGMA wal_autocheckpoint = 4000")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path}: {error}") from None
        self._path = path
        self._epochs: dict[tuple[int, bytes, int], int] = {}
        self._open = False
        self._fence = Fence()
        self._index = Index(self._load)
        self._unfolded: dict[int, NDArray[np.uint32]] | None = None  # numbers, at the start

    def fence(self, holder: str, terms: Mapping[str, int]) -> None:
        """Commit only while these leases stand; others may have written what is theirs."""
        self._fence.set(holder, terms)
        self._epochs.clear()
        self._index.forget()
        self._unfolded = None

    def _write(self, sql: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            self._begin()
            return self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _write_many(self, sql: str, rows: Iterable[Any]) -> int:
        try:
            self._begin()
            return self._db.executemany(sql, rows).rowcount
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _begin(self) -> None:
        if not self._open:
            self._db.execute("BEGIN IMMEDIATE")
            self._open = True

    def _read(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def commit(self) -> None:
        """Make it durable. Raises StoreError; then call `rollback`."""
        if self._open:
            self._fence.check(self._read)
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: {error}") from error
            self._open = False
        self._index.commit()

    def rollback(self) -> None:
        """Forget what was written since the last commit."""
        self._epochs.clear()
        self._index.rollback()
        if self._open:
            self._open = False
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

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
            frames = batches.unpack(self._read("SELECT id, body FROM batches ORDER BY id"))
            order = np.lexsort((frames.seqs, frames.epochs))
            epochs, firsts = np.unique(frames.epochs[order], return_index=True)
            parts = np.split(frames.seqs[order], firsts[1:])
            self._unfolded = dict(zip(epochs.tolist(), parts, strict=False))
        found = self._read("SELECT node, held FROM epochs WHERE id = ?", (epoch,))
        if not found:
            raise StoreError(f"{self._path}: no boot has the number {epoch}")
        node, packed = found[0]
        held = Held.unpack(packed)
        held.update(
            seq for (seq,) in self._read("SELECT seq FROM frames WHERE epoch = ?", (epoch,))
        )
        held.update(self._unfolded.pop(epoch, np.empty(0, np.uint32)).tolist())
        return node, held

    def lines(self, lines: Iterable[tuple[str, int]]) -> None:
        """Keep what is counted."""
        self._write_many("UPDATE nodes SET line = ? WHERE id = ?", lines)

    def lose(self, node: int, spans: list[list[int]], at: float, why: str) -> None:
        """Record numbers that no one holds."""
        self._write_many(
            "INSERT INTO losses (node, first, last, at, why) VALUES (?, ?, ?, ?, ?)",
            [(node, first, last, at, why) for first, last in spans],
        )

    def find(self, node: int, seq: int) -> None:
        """Take one number out of the losses."""
        rows = self._read(
            "SELECT id, first, last, at, why FROM losses "
            "WHERE node = ? AND first <= ? AND last >= ? ORDER BY id DESC LIMIT 1",
            (node, seq, seq),
        )
        for number, first, last, at, why in rows:
            self._write("DELETE FROM losses WHERE id = ?", (number,))
            left = [[first, seq - 1]] if first < seq else []
            right = [[seq + 1, last]] if seq < last else []
            self.lose(node, left + right, at, why)

    def counter(self, node: int, counter: int) -> None:
        """Keep the last counter given to a command."""
        self._write("UPDATE nodes SET counter = ? WHERE id = ?", (counter, node))

    def add_command(self, node: int, state: CommandState) -> int:
        """Record a new command; return its number."""
        number = self._write(
            'INSERT INTO commands (node, "order", state, final, created, expires, changed) '
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                node,
                json.dumps(state["order"]),
                state["state"],
                state["final"],
                state["created"],
                state["expires"],
                state["changed"],
            ),
        ).lastrowid
        assert number is not None
        return number

    def save_command(self, state: CommandState, epoch: bytes | None, frame: bytes | None) -> None:
        """Keep what became of a command."""
        self._write(
            "UPDATE commands SET state = ?, final = ?, counter = ?, epoch = ?, frame = ?, "
            "reason = ?, level = ?, value = ?, changed = ? WHERE id = ?",
            (
                state["state"],
                state["final"],
                state["counter"],
                epoch,
                frame,
                state["reason"],
                state["level"],
                state["value"],
                state["changed"],
                state["command"],
            ),
        )

    def open_commands(self) -> list[tuple[CommandState, bytes | None, bytes | None]]:
        """Return every command that is not final."""
        rows = self._read(
            f"SELECT {COMMAND_COLUMNS}, c.epoch, c.frame "  # noqa: S608
            "FROM commands c JOIN nodes n ON n.id = c.node WHERE c.final = 0 ORDER BY c.id"
        )
        return [(command_of(row), row[12], row[13]) for row in rows]

    def add_config(self, config: StoredConfig, keep: int) -> None:
        """Keep a config; forget the oldest, but for those of a rollout and the last confirmed."""
        self._write("INSERT OR REPLACE INTO configs VALUES (?, ?, ?, ?, ?, ?)", config)
        self._write(
            "DELETE FROM configs WHERE node = ?1 AND version NOT IN ("
            "SELECT version FROM (SELECT version FROM configs WHERE node = ?1 "
            "ORDER BY created DESC, version DESC LIMIT ?2) "
            "UNION SELECT version FROM rollouts WHERE node = ?1 "
            "UNION SELECT version FROM (SELECT version FROM configs WHERE node = ?1 "
            "AND confirmed IS NOT NULL ORDER BY confirmed DESC LIMIT 2))",
            (config.node, keep),
        )

    def config(self, node: int, version: int) -> StoredConfig | None:
        """Return a config that is kept."""
        rows = self._read(
            "SELECT node, version, digest, sealed, created, confirmed FROM configs "
            "WHERE node = ? AND version = ?",
            (node, version),
        )
        return StoredConfig(*rows[0]) if rows else None

    def last_config(self, node: int) -> int:
        """Return the version made last, 0: none."""
        rows = self._read(
            "SELECT version FROM configs WHERE node = ? ORDER BY created DESC, version DESC "
            "LIMIT 1",
            (node,),
        )
        return rows[0][0] if rows else 0

    def confirm_config(self, node: int, version: int, at: float) -> None:
        """The node runs it for good."""
        self._write(
            "UPDATE configs SET confirmed = ? WHERE node = ? AND version = ? AND confirmed IS NULL",
            (at, node, version),
        )

    def confirmed_before(self, node: int, version: int) -> int | None:
        """Return the version confirmed last that says something else than this one."""
        rows = self._read(
            "SELECT version FROM configs WHERE node = ?1 AND version <> ?2 "
            "AND confirmed IS NOT NULL AND digest IS NOT "
            "(SELECT digest FROM configs WHERE node = ?1 AND version = ?2) "
            "ORDER BY confirmed DESC, version DESC LIMIT 1",
            (node, version),
        )
        return rows[0][0] if rows else None

    def save_rollout(self, rollout: StoredRollout) -> None:
        """Keep what became of a rollout, the node's last."""
        self._write(
            "INSERT OR REPLACE INTO rollouts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rollout
        )

    def rollouts(self) -> list[StoredRollout]:
        """Return every node's last."""
        rows = self._read(
            "SELECT node, version, phase, sent, trial_s, first_counter, epoch, reason, created, "
            "changed FROM rollouts"
        )
        return [StoredRollout(*row) for row in rows]

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

    def lost_counts(self) -> dict[int, int]:
        """Return how many numbers each node lost."""
        return dict(self._read("SELECT node, sum(last - first + 1) FROM losses GROUP BY node"))

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
        blobs = self._read("SELECT id, body FROM batches ORDER BY id")
        blobs += self._read("SELECT block, body FROM newest WHERE type = ?", (kind,))
        newest = newest_of(batches.unpack(blobs, keep), self._superseded())
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
