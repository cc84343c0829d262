"""Is a SQLite store whole? Every chunk and batch is read, and roll-ups are made again."""

import random
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np

from lampione import batch, values
from lampione.rollup import Block
from lampione.store import BLOCK, SERIES, Frame, StoreError, batches, chunks
from lampione.store.batches import Batch
from lampione.store.blocks import FINE_KEPT_S, roll_up
from lampione.store.held import Held
from lampione.store.retention import SERIES_CLASSES

WORDS_MAX = 100
_DAY_S = 86400
_SAMPLE = 4  # block-days whose roll-ups are made again, when not all are
_LEVELS = (3600, 86400)


def check(db: sqlite3.Connection, *, full: bool = False) -> list[str]:
    """Return what is wrong, WORDS_MAX at most; the connection may be a reader's."""
    found = [row[0] for row in db.execute(f"PRAGMA quick_check({WORDS_MAX})") if row[0] != "ok"]
    if found:
        return found  # what else there would be to say follows from it
    db.execute("BEGIN")
    try:
        for wrong in _wrong(db, full=full):
            found.append(wrong)
            if len(found) == WORDS_MAX:
                break
    finally:
        db.execute("ROLLBACK")
    return found


def _wrong(db: sqlite3.Connection, *, full: bool) -> Iterator[str]:
    ((upto, done),) = db.execute("SELECT upto, done FROM folding").fetchall()
    waiting: list[Batch] = []
    for number, body, count in db.execute("SELECT id, body, count FROM batches ORDER BY id"):
        try:
            some = batches.unpack([(number, body)])
        except StoreError as error:
            yield str(error)
            continue
        if len(some.nodes) != count:
            yield f"batch {number} has {len(some.nodes)} frames, not {count}"
        waiting.append(some.take(some.nodes // BLOCK > done) if number <= upto else some)
    loose = batches.join(waiting) if waiting else None
    yield from _nodes(db, loose)
    yield from _rollups(db, full=full)


def _nodes(db: sqlite3.Connection, loose: Batch | None) -> Iterator[str]:
    """Each number of a boot is there once, and boots know which are folded."""
    for node, name in db.execute("SELECT id, name FROM nodes ORDER BY id").fetchall():
        epochs: list[Any] = []
        seqs: list[Any] = []
        for number, kind, start, span, count, body in db.execute(
            "SELECT id, type, start, span, count, body FROM chunks WHERE node = ?", (node,)
        ):
            where = f"{name}: chunk {number}"
            try:
                rows = chunks.unpack(body, f"chunk {number}", values.FIELDS.get(kind, ()))
            except (StoreError, ValueError) as error:
                yield f"{name}: {error}"
                continue
            if len(rows.epochs) != count:
                yield f"{where} has {len(rows.epochs)} messages, not {count}"
            if start % span or ((rows.at < start) | (rows.at >= start + span)).any():
                yield f"{where} has messages of another time"
            epochs.append(rows.epochs)
            seqs.append(rows.seqs)
        folded = len(seqs)
        if loose is not None:
            mine = loose.nodes == node
            epochs.append(loose.epochs[mine])
            seqs.append(loose.seqs[mine])
        for epoch, packed in db.execute("SELECT id, held FROM epochs WHERE node = ?", (node,)):
            try:
                held = Held.unpack(packed)
            except StoreError as error:
                yield f"{name}, boot {epoch}: {error}"
                continue
            own = [s[e == epoch] for e, s in zip(epochs, seqs, strict=True)]
            rows_of = db.execute("SELECT seq FROM frames WHERE epoch = ?", (epoch,)).fetchall()
            numbers = np.concatenate([*own, np.array(rows_of, np.int64).reshape(-1)])
            if len(np.unique(numbers)) != len(numbers):
                yield f"{name}, boot {epoch}: {len(numbers) - len(np.unique(numbers))} are doubled"
            for seq in np.unique(np.concatenate([*own[:folded], np.empty(0, np.int64)])).tolist():
                if int(seq) not in held:
                    yield f"{name}, boot {epoch}: {int(seq)} is folded, and not known to be"
                    break


def _rollups(db: sqlite3.Connection, *, full: bool) -> Iterator[str]:
    """Roll-ups say what comes of the messages that are there."""
    gone = dict(db.execute("SELECT class, gone FROM keeping").fetchall())
    since = max((gone.get(name, 0) for name in SERIES_CLASSES), default=0)
    # A day that is gone in part says more than what is left of it.
    places = db.execute(
        "SELECT DISTINCT node / ?, start / ? * ? FROM chunks WHERE start / ? * ? > ? ORDER BY 1, 2",
        (BLOCK, _DAY_S, _DAY_S, _DAY_S, _DAY_S, since),
    ).fetchall()
    if not full and len(places) > _SAMPLE:
        places = random.sample(places, _SAMPLE)
    for number, day in places:
        try:
            yield from _day(db, number, day)
        except StoreError:
            continue  # a chunk is damaged: said already


def _day(db: sqlite3.Connection, number: int, day: int) -> Iterator[str]:
    made: dict[tuple[int, int, str], Block] = {}
    for kind in SERIES:
        frames = _frames(db, number, day, kind)
        if not frames:
            continue
        some = batches.of_frames(frames)
        columns = batch.decode(values.FIELDS[kind], some.bodies.tolist())
        # Of the finest level those that are old may be there or not.
        for level, blocks in roll_up(kind, some, columns, day + 2 * _DAY_S + FINE_KEPT_S).items():
            if level in _LEVELS:
                made.update(
                    {(level, start, name): block for (start, name, _), block in blocks.items()}
                )
    stored = {}
    for level, start, name, body in db.execute(
        "SELECT level, start, measure, body FROM rollups "
        "WHERE block = ? AND start >= ? AND start < ? AND level IN (?, ?)",
        (number, day, day + _DAY_S, *_LEVELS),
    ):
        try:
            stored[level, start, name] = Block.unpack(body)
        except ValueError as error:
            yield f"roll-up {name} of {start} ({level} s), block {number}: {error}"
    for level, start, name in made.keys() | stored.keys():
        one, other = made.get((level, start, name)), stored.get((level, start, name))
        if one is None or other is None or one != other:
            yield f"roll-up {name} of {start} ({level} s), block {number} is not what it should be"


def _frames(db: sqlite3.Connection, number: int, day: int, kind: int) -> list[tuple[int, Frame]]:
    found: list[tuple[int, Frame]] = []
    for chunk, node, body in db.execute(
        "SELECT id, node, body FROM chunks WHERE node BETWEEN ? AND ? AND type = ? "
        "AND start >= ? AND start < ?",
        (number * BLOCK, (number + 1) * BLOCK - 1, kind, day, day + _DAY_S),
    ):
        rows = chunks.unpack(body, f"chunk {chunk}")
        found += [(node, frame) for frame in rows.frames(kind)]
    return found
