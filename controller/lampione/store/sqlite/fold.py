"""Folding: batches into hours a node, hours into days; and what rolls up on the way.

A block of 1,024 nodes is folded in one transaction, which says so in `folding`; what is read and
computed for it comes before, so that the writer waits little. Whatever ends in between: each frame
is either in its batch for readers, or in a chunk and in the roll-ups; once in either. What of the
stored cannot be read is put aside in the same transaction (`aside`), and the rest goes on.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lampione import batch, values
from lampione.rollup import Block
from lampione.store import BLOCK, SERIES, Folded, Frame, StoreError, batches, chunks
from lampione.store.batches import Batch
from lampione.store.blocks import Place, by_block, chunk_rows, known, newest_of, roll_up
from lampione.store.held import Held
from lampione.store.rows import Rows, merge
from lampione.store.sqlite import aside
from lampione.store.sqlite.connect import Link, Step

HOUR_S, DAY_S = 3600, 86400
LATE_S = 7200  # a day is gathered when it has been over so long
_FRAMES_MAX = 500_000  # read at a time, packed: 30 MB
_BLOCK_MAX = 50_000  # of one block, taken apart
_OLD_ROWS = 20_000
_GROUPS_MAX = 256  # days written in one transaction
_LATEST = values.TYPES["report"], values.TYPES["health"]
_Rows = list[tuple[Any, ...]]


class SqliteFolder:
    """See `store.Folder`. For one thread, and the only one of its database."""

    def __init__(self, path: Path):
        self._path = path
        self._link = Link(path)
        self._damaged: list[tuple[str, int, str]] = []  # kind, id, why: of what is folded now

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _write(self, steps: Sequence[Step], state: tuple[int, int, int]) -> None:
        """Do it all in one transaction, if `folding` still says `state`."""

        def still() -> None:
            if self._state() != state:
                raise StoreError(f"{self._path}: somebody else folds it too")

        self._link.write(*steps, first=still)

    def _state(self) -> tuple[int, int, int]:
        found: tuple[int, int, int] = self._link.read("SELECT upto, done, old FROM folding")[0]
        return found

    def fold(self, now: float, stop: Callable[[], bool] = lambda: False) -> Folded:
        """Fold the batches that are there, then some of what an older program left in rows."""
        until = self._link.read("SELECT coalesce(max(id), 0) FROM batches")[0][0]
        frames = written = 0
        while not stop():
            done = self._fold_some(until, now, stop)
            if done is None:
                break
            frames, written = frames + done.frames, written + done.chunks
        while not stop():
            done = self._fold_old(now, stop)
            if done is None:
                break
            frames, written = frames + done.frames, written + done.chunks
        return Folded(frames, written)

    def _fold_some(self, until: int, now: float, stop: Callable[[], bool]) -> Folded | None:
        upto, done, old = state = self._state()
        if done < 0:
            upto = self._upto(until)
            if not upto:
                return None
        packed = self._packed(upto, state, now)
        blocks = packed.rows["node"] // BLOCK
        frames = written = 0
        for number in np.unique(blocks[blocks.astype(np.int64) > done]).tolist():
            if stop():
                return Folded(frames, written)
            part = packed.frames(blocks == number)
            steps, made = self._block(number, part, now)
            steps.append(("UPDATE folding SET upto = ?, done = ?", [(upto, number)]))
            self._write(steps, state)
            state = (upto, number, old)
            frames, written = frames + len(part.nodes), written + made
        self._write(
            [
                ("DELETE FROM batches WHERE id <= ?", [(upto,)]),
                ("UPDATE folding SET upto = ?, done = -1", [(upto,)]),
            ],
            state,
        )
        return Folded(frames, written)

    def _packed(self, upto: int, state: tuple[int, int, int], now: float) -> batches.Packed:
        """Return the batches that can be read; the others are put aside."""
        blobs = self._link.read("SELECT id, body FROM batches WHERE id <= ? ORDER BY id", (upto,))
        packed, damaged = batches.sift(blobs)
        if damaged:
            self._write(aside.put("batch", damaged, now), state)
        return packed

    def _aside(self, now: float) -> list[Step]:
        """Return what puts aside what was found to be damaged since the last time."""
        damaged, self._damaged = self._damaged, []
        return [
            step
            for kind in ("chunk", "rollup")
            for step in aside.put(kind, [row[1:] for row in damaged if row[0] == kind], now)
        ]

    def _upto(self, until: int) -> int:
        """Return the last batch to fold now, so that not too much comes into memory; 0: none."""
        upto = total = 0
        blocks: Counter[int] = Counter()
        for number, body in self._link.stream(
            "SELECT id, body FROM batches WHERE id <= ? ORDER BY id", (until,)
        ):
            nodes = batches.nodes_in(body)
            total += len(nodes)
            found, counts = np.unique(nodes // BLOCK, return_counts=True)
            blocks.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
            if upto and (total > _FRAMES_MAX or max(blocks.values(), default=0) > _BLOCK_MAX):
                break
            upto = number
        return upto

    def _fold_old(self, now: float, stop: Callable[[], bool]) -> Folded | None:
        """Fold rows of `frames` that an older program wrote, as if they were a batch."""
        state = self._state()
        if not state[2]:
            return None
        found = self._link.read(
            "SELECT e.node, f.epoch, f.seq, f.type, f.received, f.at, f.body "
            "FROM frames f JOIN epochs e ON e.id = f.epoch "
            "WHERE f.type IN (?, ?, ?, ?) ORDER BY f.epoch, f.seq LIMIT ?",
            (*SERIES, _OLD_ROWS),
        )
        if not found:
            self._write([("UPDATE folding SET old = 0", [()])], state)
            return None
        whole = batches.of_frames([(row[0], Frame(*row[1:])) for row in found])
        frames = written = 0
        for number, part in by_block(whole):
            if stop():
                break
            steps, made = self._block(number, part, now)
            gone = list(zip(part.epochs.tolist(), part.seqs.tolist(), strict=True))
            steps.append(("DELETE FROM frames WHERE epoch = ? AND seq = ?", gone))
            steps.append(("UPDATE folding SET old = ?", [(state[2] + 1,)]))  # who else folds sees
            self._write(steps, state)
            state = (state[0], state[1], state[2] + 1)
            frames, written = frames + len(gone), written + made
        return Folded(frames, written)

    def _block(self, number: int, part: Batch, now: float) -> tuple[list[Step], int]:
        """Return what is to be written for frames of one block, and how many chunks."""
        places: _Rows = []
        rolled: _Rows = []
        for kind in SERIES:
            some = part.take(part.types == kind)
            if not len(some.nodes):
                continue
            columns = batch.decode(values.FIELDS[kind], some.bodies.tolist())
            for place, rows in chunk_rows(kind, some, columns.sound):
                places.append(self._chunk(place, rows))
            for level, blocks in roll_up(kind, some, columns, now).items():
                for (start, measure, _), block in blocks.items():
                    rolled.append(self._rollup(level, start, measure, number, block))
        return [
            *self._aside(now),
            (
                "INSERT INTO chunks (node, type, start, span, count, body) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (node, type, start, span) "
                "DO UPDATE SET count = excluded.count, body = excluded.body",
                places,
            ),
            (
                "INSERT INTO rollups (level, start, measure, block, body) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (level, measure, start, block) DO UPDATE SET body = excluded.body",
                rolled,
            ),
            ("UPDATE epochs SET held = ? WHERE id = ?", self._held(part)),
            ("INSERT OR REPLACE INTO newest VALUES (?, ?, ?)", self._newest(number, part)),
        ], len(places)

    def _chunk(self, place: Place, rows: Rows) -> tuple[Any, ...]:
        """Return a chunk with what is stored of it, and the new rows."""
        found = self._link.read(
            "SELECT id, body FROM chunks WHERE node = ? AND type = ? AND start = ? AND span = ?",
            place,
        )
        if found:
            rows = merge(values.FIELDS[place.type], [*self._readable(found), rows])
        return (*place, len(rows.epochs), chunks.pack(rows))

    def _readable(self, stored: Iterable[tuple[int, bytes]]) -> Iterator[Rows]:
        """Give the rows of chunks, but of those that are to be put aside."""
        for number, body in stored:
            try:
                yield chunks.unpack(body, f"chunk {number}")
            except StoreError as error:
                self._damaged.append(("chunk", number, str(error)))

    def _rollup(
        self, level: int, start: int, measure: str, number: int, block: Block
    ) -> tuple[Any, ...]:
        found = self._link.read(
            "SELECT id, body FROM rollups "
            "WHERE level = ? AND measure = ? AND start = ? AND block = ?",
            (level, measure, start, number),
        )
        if found:
            try:
                block.add(Block.unpack(found[0][1]))
            except ValueError as error:
                self._damaged.append(("rollup", found[0][0], f"roll-up {found[0][0]}: {error}"))
        return level, start, measure, number, block.pack()

    def _held(self, part: Batch) -> _Rows:
        """Return the numbers that each boot has in any form, once the block is folded."""
        order = np.lexsort((part.seqs, part.epochs))
        epochs, firsts = np.unique(part.epochs[order], return_index=True)
        rows: _Rows = []
        for epoch, seqs in zip(
            epochs.tolist(), np.split(part.seqs[order], firsts[1:]), strict=True
        ):
            ((packed,),) = self._link.read("SELECT held FROM epochs WHERE id = ?", (epoch,))
            held = Held.unpack(packed)
            before = held.before(int(seqs[0]))
            held.update(seqs.tolist())
            # Events between them: without, every one would leave a hole for good.
            held.update(
                seq
                for (seq,) in self._link.read(
                    "SELECT seq FROM frames WHERE epoch = ? AND seq > ? AND seq <= ?",
                    (epoch, before, int(seqs[-1]) + 1),
                )
            )
            rows.append((held.pack(), epoch))
        return rows

    def _newest(self, number: int, part: Batch) -> _Rows:
        superseded = [
            epoch
            for (epoch,) in self._link.read(
                "SELECT id FROM epochs WHERE superseded AND node BETWEEN ? AND ?",
                (number * BLOCK, (number + 1) * BLOCK - 1),
            )
        ]
        rows: _Rows = []
        for kind in _LATEST:
            some = part.take(part.types == kind)
            if not len(some.nodes):
                continue
            stored = self._link.read(
                "SELECT block, body FROM newest WHERE block = ? AND type = ?", (number, kind)
            )
            both = batches.join([known(stored).frames(slice(None)), some])
            rows.append((number, kind, batches.repack(newest_of(both, superseded))))
        return rows

    def refold(self, now: float, stop: Callable[[], bool] = lambda: False) -> Folded:
        """Gather the hours of days that are over into days, late ones too."""
        before = (int(now) - LATE_S) // DAY_S * DAY_S
        frames = written = 0
        highest = self._link.read("SELECT coalesce(max(id), 0) FROM nodes")[0][0]
        for number in range(highest // BLOCK + 1):
            state = self._state()  # before what is read of it: who else folds changes it
            groups = self._hours(number, before)
            for first in range(0, len(groups), _GROUPS_MAX):
                if stop():
                    return Folded(frames, written)
                days: _Rows = []
                gone: _Rows = []
                for place, hours in groups[first : first + _GROUPS_MAX]:
                    day = self._day(place, hours)
                    if day is not None:
                        days.append(day)
                        frames += day[4]
                    gone += [(hour,) for hour in hours]
                self._write(
                    [
                        *self._aside(now),
                        (
                            "INSERT INTO chunks (node, type, start, span, count, body) "
                            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (node, type, start, span) "
                            "DO UPDATE SET count = excluded.count, body = excluded.body",
                            days,
                        ),
                        ("DELETE FROM chunks WHERE id = ?", gone),
                    ],
                    state,
                )
                written += len(days)
        return Folded(frames, written)

    def _hours(self, number: int, before: int) -> list[tuple[Place, list[int]]]:
        """Return the days of a block to be made, with the hours of each."""
        found: dict[Place, list[int]] = {}
        for node, kind, start, chunk in self._link.read(
            "SELECT node, type, start, id FROM chunks WHERE node BETWEEN ? AND ? AND start < ? "
            "AND span = ? ORDER BY node, type, start",
            (number * BLOCK, (number + 1) * BLOCK - 1, before, HOUR_S),
        ):
            place = Place(node, kind, start // DAY_S * DAY_S, DAY_S)
            found.setdefault(place, []).append(chunk)
        return list(found.items())

    def _day(self, place: Place, hours: list[int]) -> tuple[Any, ...] | None:
        """Return a day with what is stored of it, and these hours; None: nothing can be read."""
        marks = ", ".join("?" * len(hours))
        stored = self._link.read(
            f"SELECT id, body FROM chunks WHERE id IN ({marks}) "  # noqa: S608
            "OR (node = ? AND type = ? AND start = ? AND span = ?)",
            (*hours, *place),
        )
        parts = list(self._readable(stored))
        if not parts:
            return None
        rows = merge(values.FIELDS[place.type], parts)
        return (*place, len(rows.epochs), chunks.pack(rows))
