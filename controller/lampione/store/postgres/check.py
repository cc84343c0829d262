"""Is a PostgreSQL store whole? Each number is there once, and roll-ups are made again."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione.rollup import Block
from lampione.store import BLOCK, SERIES, Series, StoreError, aside, audit, batches, pieces
from lampione.store.batches import Batch
from lampione.store.blocks import FINE_KEPT_S, roll_up
from lampione.store.held import Held
from lampione.store.postgres import typed
from lampione.store.postgres.partitions import DAY_S, existing
from lampione.store.postgres.walk import PostgresSeries
from lampione.store.retention import SERIES_CLASSES

WORDS_MAX = 100
_SAMPLE = 4  # block-days whose roll-ups are made again, when not all are
_LEVELS = {"rollups-hour": 3600, "rollups-day": DAY_S}  # the finest may be there or not


def check(url: str, *, full: bool = False) -> list[str]:
    """Return what is wrong, WORDS_MAX at most. Raises StoreError when nothing can be read."""
    checker = _Checker(url)
    found = []
    try:
        for wrong in checker.wrong(full=full):
            found.append(wrong)
            if len(found) == WORDS_MAX:
                break
    finally:
        checker.close()
    return found


class _Checker(PostgresSeries):
    """A reader that looks at everything, all of one instant."""

    def wrong(self, *, full: bool) -> Iterator[str]:
        with self._instant():
            yield from aside.said(
                self._link.read("SELECT at, kind, place, why FROM aside ORDER BY at, id"),
                self.names(),
            )
            waiting: list[Batch] = []
            for number, body, count in self._link.read("SELECT id, body, count FROM batches"):
                try:
                    some = batches.unpack([(number, body)])
                except StoreError as error:
                    yield str(error)
                    continue
                if len(some.nodes) != count:
                    yield f"batch {number} has {len(some.nodes)} frames, not {count}"
                waiting.append(some)
            loose = batches.join(waiting) if waiting else batches.unpack([])
            unfolded = _identities(loose.epochs, loose.seqs)
            yield from self._numbers(unfolded)
            yield from self._rollups(unfolded, full=full)
            yield from audit.wrong(
                self._link.read(
                    "SELECT seq, at, operator, action, node, body, hash FROM audit ORDER BY seq"
                ),
                self._link.read("SELECT seq, head FROM notes"),
            )

    def _numbers(self, unfolded: NDArray[np.int64]) -> Iterator[str]:
        """Each number of a boot is there once, and is known to be."""
        for node, name in self.names().items():
            found = []
            for table in typed.TABLES.values():
                rows = self._link.read(
                    f"SELECT epoch, boot, seq FROM {table} WHERE node = %s",  # noqa: S608
                    (node,),
                )
                epochs, boots, seqs = np.array(rows, np.int64).reshape(-1, 3).T
                nodes = np.full(len(rows), node)
                found.append(_identities(self._epochs(nodes, epochs, boots), seqs))
            rows = self._link.read("SELECT epoch, seq FROM frames WHERE node = %s", (node,))
            series = np.concatenate(found)
            whole = np.concatenate([series, *[_identities(*pair) for pair in rows]], axis=None)
            doubled = len(whole) - len(np.unique(whole))
            if doubled:
                yield f"{name}: {doubled} numbers are doubled"
            known: dict[int, Held] = {}
            for epoch, packed in self._link.read(
                "SELECT h.epoch, h.body FROM held h JOIN epochs e ON e.id = h.epoch "
                "WHERE e.node = %s",
                (node,),
            ):
                try:
                    known[epoch] = Held.unpack(packed)
                except StoreError as error:
                    yield f"{name}, boot {epoch}: {error}"
            for identity in np.setdiff1d(series, unfolded).tolist():
                epoch, seq = identity >> 32, identity & 0xFFFF_FFFF
                if epoch not in known or seq not in known[epoch]:
                    yield f"{name}, boot {epoch}: {seq} is folded, and not known to be"
                    break

    def _rollups(self, unfolded: NDArray[np.int64], *, full: bool) -> Iterator[str]:
        """Roll-ups say what comes of the messages that are there."""
        gone = dict(self._link.read("SELECT class, gone FROM keeping"))
        since = max((gone.get(name, 0) for name in SERIES_CLASSES), default=0)
        days = sorted({day * DAY_S for _, day in existing(self._link)})
        highest = max(self.names(), default=-1)
        places = [
            (number, day) for number in range(highest // BLOCK + 1) for day in days if day >= since
        ]
        if not full and len(places) > _SAMPLE:
            places = random.sample(places, _SAMPLE)
        for number, day in places:
            levels = [level for name, level in _LEVELS.items() if day >= gone.get(name, 0)]
            yield from self._day(number, day, unfolded, levels)

    def _day(
        self, number: int, day: int, unfolded: NDArray[np.int64], levels: list[int]
    ) -> Iterator[str]:
        made: dict[tuple[int, int, str], Block] = {}
        ids = [n for n in self.names() if n // BLOCK == number]
        for kind in SERIES:
            for part in self._walk(kind, day, day + DAY_S, ids, None):
                folded = ~np.isin(_identities(part.epochs, part.seqs), unfolded)
                some = pieces.take(part, folded)
                # Of the finest level those that are old may be there or not.
                late = day + 2 * DAY_S + FINE_KEPT_S
                rolled = roll_up(kind, _frames(some), some.columns, late)
                for level in levels:
                    for (start, name, _), block in rolled[level].items():
                        if (level, start, name) in made:
                            made[level, start, name].add(block)
                        else:
                            made[level, start, name] = block
        stored = {}
        for level, start, name, body in self._link.read(
            "SELECT level, start, measure, body FROM rollups "
            "WHERE block = %s AND start >= %s AND start < %s AND level = ANY (%s)",
            (number, day, day + DAY_S, levels),
        ):
            try:
                stored[level, start, name] = Block.unpack(body)
            except ValueError as error:
                yield f"roll-up {name} of {start} ({level} s), block {number}: {error}"
        for level, start, name in sorted(made.keys() | stored.keys()):
            one, other = made.get((level, start, name)), stored.get((level, start, name))
            if one is None or other is None or one != other:
                yield (
                    f"roll-up {name} of {start} ({level} s), block {number} "
                    "is not what it should be"
                )


def _identities(epochs: Any, seqs: Any) -> NDArray[np.int64]:
    return np.asarray(epochs, np.int64) << 32 | np.asarray(seqs, np.int64)


def _frames(part: Series) -> Batch:
    """Return rows as `roll_up` wants them, without their bytes."""
    count = len(part.nodes)
    return Batch(
        nodes=part.nodes,
        epochs=part.epochs,
        seqs=part.seqs,
        types=np.zeros(count, np.uint8),
        received=part.received.astype(np.float64),
        at=part.at,
        timed=part.timed,
        bodies=np.empty(count, object),
    )
