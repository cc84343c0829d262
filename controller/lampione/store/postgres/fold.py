"""Folding: what the journal holds is rolled up and leaves it, in one transaction a piece.

The typed rows were there from the commit on; nothing of them is touched.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np

from lampione import batch, values
from lampione.rollup import Block
from lampione.store import BLOCK, SERIES, Folded, batches
from lampione.store.batches import Batch
from lampione.store.blocks import by_block, known, newest_of, roll_up
from lampione.store.held import Held
from lampione.store.postgres import journal
from lampione.store.postgres.connect import Link
from lampione.store.postgres.partitions import make_ahead

_FRAMES_MAX = 200_000  # in memory at a time
_LATEST = values.TYPES["report"], values.TYPES["health"]
Stop = Callable[[], bool]


class PostgresFolder:
    """See `store.Folder`. Two at a time wait for each other, and nothing counts twice."""

    def __init__(self, url: str):
        self._link = Link(url)
        self._side = Link(url, autocommit=True)

    def close(self) -> None:
        """Close the connections."""
        self._link.close()
        self._side.close()

    def fold(self, now: float, stop: Stop = lambda: False) -> Folded:
        """Roll up every batch there is; there are no chunks here."""
        frames = 0
        waiting = self._link.whole(
            lambda: self._link.read("SELECT id, count FROM batches ORDER BY oldest, id")
        )
        for piece in _pieces(waiting):
            if stop():
                break
            frames += self._link.whole(lambda piece=piece: self._fold(piece, now))  # type: ignore[misc]
        return Folded(frames, 0)

    def _fold(self, piece: list[int], now: float) -> int:
        # Deleted first: who else folds the same waits here, and then finds nothing.
        blobs = self._link.read(
            "DELETE FROM batches WHERE id = ANY (%s) RETURNING id, body", (piece,)
        )
        if not blobs:
            return 0
        packed, damaged = batches.sift(sorted(blobs))
        if damaged:
            self._link.rollback()
            journal.read(self._link)  # mends it; it is folded the next time
            return 0
        whole = packed.frames(slice(None))
        for number, part in by_block(whole):
            self._block(number, part, now)
        self._hold(whole)
        return len(whole.nodes)

    def _block(self, number: int, part: Batch, now: float) -> None:
        rolled: dict[tuple[int, str, int], Block] = {}
        for kind in SERIES:
            some = part.take(part.types == kind)
            if not len(some.nodes):
                continue
            columns = batch.decode(values.FIELDS[kind], some.bodies.tolist())
            for level, blocks in roll_up(kind, some, columns, now).items():
                for (start, measure, _), block in blocks.items():
                    place = level, measure, start
                    if place in rolled:
                        rolled[place].add(block)
                    else:
                        rolled[place] = block
        self._add(number, rolled)
        self._newest(number, part)

    def _add(self, number: int, rolled: dict[tuple[int, str, int], Block]) -> None:
        """Add to the roll-ups that are stored, locking them in order."""
        places = sorted(rolled)
        stored = self._link.read(
            "SELECT level, measure, start, body FROM rollups WHERE block = %s AND "
            "(level, measure, start) IN "
            "(SELECT * FROM unnest(%s::integer[], %s::text[], %s::bigint[])) "
            'ORDER BY level, measure COLLATE "C", start FOR UPDATE',
            (number, *(list(part) for part in zip(*places, strict=True))) if places
            else (number, [], [], []),
        )  # fmt: skip
        for level, measure, start, body in stored:
            try:
                rolled[level, measure, start].add(Block.unpack(body))
            except ValueError as error:
                place = level, start, measure, number
                why = f"roll-up {measure} of block {number}, {level} s from {start}: {error}"
                journal.put_aside(self._link, "rollup", place, why, body)
        self._link.write_many(
            "INSERT INTO rollups (level, measure, start, block, body) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (level, measure, start, block) DO UPDATE SET body = excluded.body",
            [(*place, number, rolled[place].pack()) for place in places],
        )

    def _hold(self, whole: Batch) -> None:
        """Add to the numbers that each boot has."""
        order = np.lexsort((whole.seqs, whole.epochs))
        epochs, firsts = np.unique(whole.epochs[order], return_index=True)
        parts = np.split(whole.seqs[order], firsts[1:])
        listed = epochs.tolist()
        packed = dict(
            self._link.read(
                "SELECT epoch, body FROM held WHERE epoch = ANY (%s) ORDER BY epoch FOR UPDATE",
                (listed,),
            )
        )
        known = {epoch: Held.unpack(packed.get(epoch)) for epoch in listed}
        # Events between them: without, every one would leave a hole for good.
        for epoch, seq in self._link.read(
            "SELECT f.epoch, f.seq FROM unnest(%s::integer[], %s::integer[], %s::integer[]) "
            "AS w (epoch, low, high) JOIN frames f ON f.epoch = w.epoch AND f.seq > w.low "
            "AND f.seq <= w.high ORDER BY f.epoch, f.seq",
            (
                listed,
                [
                    known[epoch].before(int(seqs[0]))
                    for epoch, seqs in zip(listed, parts, strict=True)
                ],
                [int(seqs[-1]) + 1 for seqs in parts],
            ),
        ):
            known[epoch].add(seq)
        for epoch, seqs in zip(listed, parts, strict=True):
            known[epoch].update(seqs.tolist())
        rows = [(epoch, held.pack()) for epoch, held in known.items()]
        self._link.write_many(
            "INSERT INTO held (epoch, body) VALUES (%s, %s) "
            "ON CONFLICT (epoch) DO UPDATE SET body = excluded.body",
            rows,
        )

    def _newest(self, number: int, part: Batch) -> None:
        gone: list[int] | None = None
        for kind in _LATEST:
            some = part.take(part.types == kind)
            if not len(some.nodes):
                continue
            if gone is None:
                gone = [
                    epoch
                    for (epoch,) in self._link.read(
                        "SELECT id FROM epochs WHERE superseded AND node BETWEEN %s AND %s",
                        (number * BLOCK, (number + 1) * BLOCK - 1),
                    )
                ]
            stored = self._link.read(
                "SELECT block, body FROM newest WHERE block = %s AND type = %s FOR UPDATE",
                (number, kind),
            )
            both = batches.join([known(stored).frames(slice(None)), some])
            self._link.write(
                "INSERT INTO newest (block, type, body) VALUES (%s, %s, %s) "
                "ON CONFLICT (block, type) DO UPDATE SET body = excluded.body",
                (number, kind, batches.repack(newest_of(both, gone))),
            )

    def refold(self, now: float, stop: Stop = lambda: False) -> Folded:
        """Make the partitions of the next days: nothing else is to be gathered here."""
        if not stop():
            make_ahead(self._side, max(now, time.time()))
        return Folded(0, 0)


def _pieces(waiting: list[tuple[int, int]]) -> Iterator[list[int]]:
    piece: list[int] = []
    total = 0
    for number, count in waiting:
        if piece and total + count > _FRAMES_MAX:
            yield piece
            piece, total = [], 0
        piece.append(number)
        total += count
    if piece:
        yield piece
