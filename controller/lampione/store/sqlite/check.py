"""Is a SQLite store whole? Every chunk and batch is read, and roll-ups are made again."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampione import batch, values
from lampione.rollup import MEASURES, Block
from lampione.store import BLOCK, Frame, StoreError, aside, audit, batches, chunks
from lampione.store.batches import Batch
from lampione.store.blocks import FINE_KEPT_S, roll_up
from lampione.store.held import Held
from lampione.store.retention import ROLLUP_CLASSES, SERIES_CLASSES

Numbers = NDArray[np.int64]

WORDS_MAX = 100
_DAY_S = 86400
_NONE = np.empty(0, np.int64)
_SAMPLE = 4  # block-days whose roll-ups are made again, when not all are
_FINE = ROLLUP_CLASSES["rollups-5min"]  # what is old of it may be there or not


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
    yield from aside.said(
        db.execute("SELECT at, kind, place, why FROM aside ORDER BY id").fetchall(),
        dict(db.execute("SELECT id, name FROM nodes").fetchall()),
    )
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
    loose = None
    if waiting:
        loose = batches.join(waiting)
        loose = loose.take(np.argsort(loose.nodes, kind="stable"))
    yield from _nodes(db, loose)
    yield from _rollups(db, full=full)
    yield from audit.wrong(
        db.execute("SELECT seq, at, operator, action, node, body, hash FROM audit ORDER BY seq"),
        db.execute("SELECT seq, head FROM notes").fetchall(),
    )


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
            first, last = np.searchsorted(loose.nodes, np.array([node, node + 1], np.uint32))
            mine = slice(int(first), int(last))
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
            for seq in _not_held(held, np.concatenate([*own[:folded], _NONE]))[:1].tolist():
                yield f"{name}, boot {epoch}: {seq} is folded, and not known to be"


def _not_held(held: Held, seqs: Numbers) -> Numbers:
    borders = np.array([(-1, -1), *held.ranges], np.int64)
    place = np.searchsorted(borders[:, 0], seqs, "right") - 1
    return np.sort(seqs[borders[place, 1] < seqs])


def _rollups(db: sqlite3.Connection, *, full: bool) -> Iterator[str]:
    """Roll-ups say what comes of the messages that are there."""
    gone = dict(db.execute("SELECT class, gone FROM keeping").fetchall())
    whole_from = {kind: gone.get(name, 0) for name, kind in SERIES_CLASSES.items()}
    places = db.execute(
        "SELECT DISTINCT node / ?, start / ? * ? FROM chunks ORDER BY 1, 2", (BLOCK, _DAY_S, _DAY_S)
    ).fetchall()
    said = aside.days(db.execute("SELECT place FROM aside WHERE kind = 'chunk'"), _DAY_S)
    places = [place for place in places if place not in said]
    if not full and len(places) > _SAMPLE:
        places = random.sample(places, _SAMPLE)
    for number, day in places:
        # Of a day that is gone in part the roll-ups say more than what is left of it.
        kinds = [kind for kind, since in whole_from.items() if day >= since]
        levels = [
            level
            for name, level in ROLLUP_CLASSES.items()
            if level != _FINE and day >= gone.get(name, 0)
        ]
        try:
            yield from _day(db, number, day, kinds, levels)
        except StoreError:
            continue  # a chunk is damaged: said already


def _day(
    db: sqlite3.Connection, number: int, day: int, kinds: Sequence[int], levels: Sequence[int]
) -> Iterator[str]:
    made: dict[tuple[int, int, str], Block] = {}
    for kind in kinds:
        frames = _frames(db, number, day, kind)
        if not frames:
            continue
        some = batches.of_frames(frames)
        columns = batch.decode(values.FIELDS[kind], some.bodies.tolist())
        for level, blocks in roll_up(kind, some, columns, day + 2 * _DAY_S + FINE_KEPT_S).items():
            if level in levels:
                made.update(
                    {(level, start, name): block for (start, name, _), block in blocks.items()}
                )
    stored = {}
    for level, start, name, body in db.execute(
        "SELECT level, start, measure, body FROM rollups "
        "WHERE block = ? AND start >= ? AND start < ?",
        (number, day, day + _DAY_S),
    ):
        if level not in levels or MEASURES[name].message not in kinds:
            continue
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
