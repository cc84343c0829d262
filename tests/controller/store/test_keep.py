"""A store looked after while it is written: space, retention, vacuum, check, backup, restore."""

import os
import re
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from lampione.store import SERIES, Frame, StoreError
from lampione.store.retention import CLASSES, DEFAULT
from lampione.store.sqlite import SqliteEngine, keep
from lampione.store.sqlite.connect import Link
from lampione.store.sqlite.restore import restore
from lampione_protocol import schema

from tests.controller.store.test_kill import DAY, NODES, frame_of
from tests.controller.store.whole import frames_in

LATER = DAY + 90 * 86400.0
FRAMES = 400  # a node: some 15 hours


def never() -> bool:
    return False


def append(engine: SqliteEngine, first: int, count: int) -> None:
    """Append frames of every node."""
    store = engine.writer()
    have = {node.id for node in store.nodes()}
    for number, node in enumerate(NODES, 1):
        if node not in have:
            store._write("INSERT INTO nodes (id, name) VALUES (?, ?)", (node, f"n-{node}"))
            assert store.epoch_id(node, b"abcd", 1) == number
    store.frames(
        [frame_of(1 + n, seq) for n in range(len(NODES)) for seq in range(first, first + count)]
    )
    store.commit()
    store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with days, hours, batches and rows."""
    made = SqliteEngine(tmp_path_factory.mktemp("whole") / "x.db")
    append(made, 0, FRAMES)
    folder = made.folder()
    folder.fold(DAY)
    folder.refold(LATER)
    append(made, FRAMES, FRAMES)
    folder.fold(DAY)
    folder.close()
    append(made, 2 * FRAMES, 100)
    return made.path


@pytest.fixture
def engine(whole: Path, tmp_path: Path) -> SqliteEngine:
    """The same, to do with as one likes."""
    return SqliteEngine(Path(shutil.copy(whole, tmp_path)))


def identities(path: Path) -> set[tuple[int, int]]:
    return {(frame.epoch, frame.seq) for _, frame in frames_in(path)}


def test_space_by_class(engine: SqliteEngine) -> None:
    keeper = engine.keeper()
    found = keeper.space()
    keeper.close()
    assert set(CLASSES) < set(found)
    reports = [n for n in range(2 * FRAMES) if frame_of(1, n).type == schema.REPORT]
    assert found["reports"].rows == len(reports) * len(NODES)
    events = [n for n in range(2 * FRAMES + 100) if frame_of(1, n).type == schema.EVENT]
    assert found["events"].rows == len(events) * len(NODES)
    assert found["waiting"].rows == 90 * len(NODES)
    known = sum(space.bytes for name, space in found.items() if name != "total")
    assert known < found["total"].bytes == engine.path.stat().st_size


def test_retention_drops_what_is_older_and_nothing_else(engine: SqliteEngine) -> None:
    keeper, now = engine.keeper(), DAY + 2 * 86400.0
    before = identities(engine.path)
    assert keeper.policy() == DEFAULT
    keeper.set_policy({"reports": 86400.0, "events": 86400.0})
    policy = keeper.policy()
    assert policy["reports"] == 86400.0
    assert policy["health"] is None
    dropped = keeper.retain(policy, now, never)
    assert dropped["reports"]
    gone = before - identities(engine.path)
    assert gone
    for epoch, seq in gone:
        frame = frame_of(epoch, seq)
        assert frame.type in (schema.REPORT, schema.EVENT)
        assert frame.at is not None
        assert frame.at < now - 86400
    kept = {frame_of(epoch, seq).type for epoch, seq in identities(engine.path)}
    assert kept == {*SERIES[:2], schema.EVENT}
    assert keeper.check(full=True) == []
    assert "reports" not in keeper.retain(policy, now, never)
    keeper.close()
    # What comes again was here, and is not new.
    store = engine.writer()
    assert store.frames([frame_of(epoch, seq) for epoch, seq in gone]) == 0
    store.close()
    with pytest.raises(StoreError, match="classes are"):
        engine.keeper().set_policy({"everything": 1.0})


def test_a_long_retention_reads_some_ids_at_a_time(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    read = Link.read

    def counted(link: Link, sql: str, given: tuple[Any, ...] = ()) -> list[Any]:
        found = read(link, sql, given)
        lengths.append(len(found))
        return found

    monkeypatch.setattr(Link, "read", counted)
    monkeypatch.setattr(keep, "_ROWS_A_STEP", 7)
    keeper = engine.keeper()
    keeper.retain(dict.fromkeys(CLASSES, 1.0), LATER, never)
    assert max(lengths) <= len(CLASSES)
    space = keeper.space()
    assert not any(space[name].rows for name in CLASSES if name not in ("commands", "alarms"))
    assert keeper.check(full=True) == []
    keeper.close()


def test_space_goes_back_while_it_is_written(engine: SqliteEngine) -> None:
    store, keeper = engine.writer(), engine.keeper()
    keeper.retain(dict.fromkeys(CLASSES, 0.0), LATER, never)
    size = keeper.space()["total"].bytes
    store.frames([frame_of(1, 5000)])
    store.commit()
    freed = keeper.vacuum(never)
    assert freed > 0
    assert keeper.space()["free"].bytes == 0
    assert keeper.space()["total"].bytes <= size - freed + 4096 * 4
    assert keeper.check() == []
    store.frames([frame_of(1, 5001)])
    store.commit()
    store.close()
    keeper.close()


def test_an_old_database_shrinks_when_it_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE schema_version (version INTEGER NOT NULL, at TEXT NOT NULL)")
    db.close()
    engine = SqliteEngine(path)
    append(engine, 0, FRAMES)
    keeper = engine.keeper()
    with pytest.raises(StoreError, match="older program"):
        keeper.vacuum(never)
    keeper.vacuum(never, alone=True)
    assert keeper.vacuum(never) == 0
    keeper.close()
    assert len(identities(path)) == FRAMES * len(NODES)


def damage(path: Path, sql: str, *given: object) -> None:
    with sqlite3.connect(path) as db:
        assert db.execute(sql, given).rowcount > 0
    db.close()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "UPDATE chunks SET body = zeroblob(40) WHERE id = (SELECT max(id) FROM chunks)",
            "n-.*chunk .* damaged",
        ),
        (
            "UPDATE chunks SET count = count + 1 WHERE id = (SELECT max(id) FROM chunks)",
            "chunk .* has",
        ),
        (
            "UPDATE chunks SET start = start + span WHERE id = (SELECT max(id) FROM chunks)",
            "of another time",
        ),
        ("UPDATE batches SET body = zeroblob(40)", "batch"),
        ("UPDATE batches SET count = 1", "frames, not 1"),
        ("UPDATE epochs SET held = x'0001' WHERE id = 2", "n-2, boot 2: .* not known to be"),
        ("UPDATE epochs SET held = x'ff' WHERE id = 2", "boot 2: a boot's ranges are damaged"),
        ("UPDATE rollups SET body = x'00' WHERE level = 3600", "roll-up"),
        ("DELETE FROM rollups WHERE level = 86400 AND block = 1", "block 1 is not what"),
        ("UPDATE folding SET upto = 0, done = -1", ""),
    ],
)
def test_a_damaged_store_is_told(engine: SqliteEngine, sql: str, words: str) -> None:
    keeper = engine.keeper()
    assert keeper.check(full=True) == []
    damage(engine.path, sql)
    found = keeper.check(full=True)
    keeper.close()
    if words:
        assert found
        assert re.search(words, found[0]), found
    else:
        assert found == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "UPDATE chunks SET body = zeroblob(40) WHERE id IN "
            "(SELECT min(id) FROM chunks WHERE span = 3600 AND start = (SELECT max(start) "
            "FROM chunks WHERE type = 2 AND span = 3600) GROUP BY node)",
            r"n-\d+: \d+ messages \(report\) of .*Z \(3600 s\): chunk \d+ is damaged.*; put aside",
        ),
        ("UPDATE rollups SET body = x'00'", r"laeq.* of .*Z \(\d+ s\): roll-up \d+: .*; put aside"),
        (
            "UPDATE batches SET body = zeroblob(40) WHERE id = (SELECT max(id) FROM batches)",
            r"\d+ messages of .* to .*: batch \d+ is damaged: .*; put aside",
        ),
        ("UPDATE newest SET body = zeroblob(40)", ""),
    ],
)
def test_what_is_damaged_is_put_aside_and_the_rest_is_folded(
    engine: SqliteEngine, sql: str, words: str
) -> None:
    damage(engine.path, sql)
    folder = engine.folder()
    folder.fold(DAY)
    assert folder.fold(DAY).frames == 0
    folder.refold(LATER)
    folder.close()
    with sqlite3.connect(engine.path) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM chunks WHERE span = 3600").fetchone() == (0,)
        rows = db.execute("SELECT count(*), sum(length(body)) FROM aside").fetchone()
    db.close()
    keeper = engine.keeper()
    found = keeper.check()
    assert [line for line in found if re.match(words, line)] or not words, found
    assert keeper.space().get("damaged", (0, None)) == rows
    if "chunk" in words:  # said once: not that roll-ups know more, too
        assert all("put aside" in line for line in keeper.check(full=True))
    keeper.close()
    append(engine, 2 * FRAMES + 100, 5)  # and what comes is stored


def test_a_writer_begins_beside_what_is_damaged(
    engine: SqliteEngine, caplog: pytest.LogCaptureFixture
) -> None:
    append(engine, 2 * FRAMES + 100, 5)
    before = identities(engine.path)
    whole = engine.path.read_bytes()
    with sqlite3.connect(engine.path) as db:
        ((number, body, count),) = db.execute(
            "SELECT id, body, count FROM batches WHERE id = (SELECT min(id) FROM batches)"
        ).fetchall()
        db.execute("UPDATE batches SET body = substr(body, 2) WHERE id = ?", (number,))
        db.execute("UPDATE newest SET body = x''")
    db.close()
    assert engine.path.read_bytes() != whole
    store = engine.writer()
    assert len(store.latest(schema.REPORT)) == len(NODES), "of the batch that is whole"
    store.commit()
    assert [line for line in caplog.messages if "put aside" in line] == [
        f"batch {number} is damaged: its checksum is wrong: "
        "it is put aside, see `lampione store check`"
    ]
    assert store._read("SELECT kind, body FROM aside") == [("batch", body[1:])]
    left = identities(engine.path)
    assert left < before
    assert len(before) - len(left) == count, "the batch's messages, and no others"
    assert store.frames([frame_of(*each) for each in sorted(left)]) == 0
    assert store.frames([frame_of(*each) for each in sorted(before - left)]) == count
    store.commit()
    store.close()
    assert identities(engine.path) == before
    folder = engine.folder()
    folder.fold(DAY)
    folder.close()
    keeper = engine.keeper()
    (said,) = keeper.check(full=True)
    assert "put aside" in said
    assert keeper.space()["damaged"].rows == 1
    keeper.close()


def test_frames_that_are_there_twice_are_told(engine: SqliteEngine) -> None:
    with sqlite3.connect(engine.path) as db:
        db.execute(
            "INSERT INTO batches (count, oldest, newest, body) "
            "SELECT count, oldest, newest, body FROM batches"
        )
    db.close()
    keeper = engine.keeper()
    assert "are doubled" in keeper.check()[0]
    keeper.close()


def test_a_backup_of_one_instant_while_it_is_written(engine: SqliteEngine) -> None:
    store, keeper = engine.writer(), engine.keeper()
    before = identities(engine.path)
    parts: list[float] = []

    def progress(part: float) -> None:
        parts.append(part)
        store.frames([frame_of(1, 6000 + len(parts))])
        store.commit()

    target = engine.path.with_name("copy.db")
    keeper.backup(target, progress=progress)
    assert parts[-1] == 1
    assert identities(target) == before
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert len(identities(engine.path)) == len(before) + len(parts)
    with pytest.raises(StoreError, match="there already"):
        keeper.backup(target)
    with pytest.raises(StoreError, match="stopped"):
        keeper.backup(engine.path.with_name("other.db"), stop=lambda: True)
    with pytest.raises(StoreError, match="No such file"):
        keeper.backup(engine.path.with_name("nowhere") / "x.db")
    store.close()
    keeper.close()
    assert sorted(os.listdir(engine.path.parent)) == ["copy.db", "x.db"]


def test_a_restored_backup_is_the_store(engine: SqliteEngine) -> None:
    copy = engine.path.with_name("copy.db")
    keeper = engine.keeper()
    keeper.backup(copy)
    keeper.close()
    before = identities(engine.path)
    append(engine, 7000, 10)
    with pytest.raises(StoreError, match="--replace"):
        restore(copy, engine.path)
    aside = restore(copy, engine.path, replace=True)
    assert aside is not None
    assert identities(engine.path) == before
    assert len(identities(aside)) == len(before) + 10 * len(NODES)
    append(engine, 7000, 10)
    keeper = engine.keeper()
    assert keeper.check(full=True) == []
    keeper.close()


def test_a_damaged_backup_changes_nothing(engine: SqliteEngine, tmp_path: Path) -> None:
    before = engine.path.read_bytes()
    for content in (b"", b"no database at all" * 500, before[: len(before) // 2]):
        bad = tmp_path / "bad.db"
        bad.write_bytes(content)
        with pytest.raises(StoreError, match="is damaged"):
            restore(bad, engine.path, replace=True)
    with pytest.raises(StoreError, match="is not there"):
        restore(tmp_path / "none.db", engine.path, replace=True)
    assert engine.path.read_bytes() == before


def test_a_frame_without_a_time_is_kept_by_its_arrival(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "x.db")
    store = engine.writer()
    node = store.add_node("a")
    epoch = store.epoch_id(node.id, b"abcd", 1)
    store.frames([Frame(epoch, 1, schema.LOG, DAY, None, b"x"), frame_of(epoch, 2)])
    store.commit()
    keeper = engine.keeper()
    assert keeper.retain({"others": 10.0}, DAY + 9, never) == {}
    assert keeper.retain({"others": 10.0}, DAY + 11, never) == {"others": 1}
    keeper.close()
    store.close()


def test_what_was_put_aside_is_never_overwritten(engine: SqliteEngine) -> None:
    copy = engine.path.with_name("copy.db")
    keeper = engine.keeper()
    keeper.backup(copy)
    keeper.close()
    append(engine, 7000, 10)
    whole = identities(engine.path)
    first = restore(copy, engine.path, replace=True)
    second = restore(copy, engine.path, replace=True)
    assert first is not None
    assert second is not None
    assert first != second
    assert identities(first) == whole


def test_the_log_of_a_store_that_is_gone_is_put_aside(engine: SqliteEngine) -> None:
    copy = engine.path.with_name("copy.db")
    keeper = engine.keeper()
    keeper.backup(copy)
    keeper.close()
    before = identities(engine.path)
    log = engine.path.with_name(engine.path.name + "-wal")
    log.write_bytes(b"of another generation")
    engine.path.unlink()
    assert restore(copy, engine.path) is not None
    assert not log.exists()
    assert identities(engine.path) == before
