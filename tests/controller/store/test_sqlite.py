"""The SQLite store: migrations, identity, what a rollback takes back; the batch decoder."""

import sqlite3
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import batch
from lampione.api import History
from lampione.store import SERIES, Frame, StoredConfig, StoredRollout, StoreError
from lampione.store.sqlite import SqliteEngine
from lampione.store.sqlite.migrate import migrate, migrations
from lampione.store.sqlite.reader import SqliteReader
from lampione.store.sqlite.writer import SqliteStore
from lampione_protocol import codec, names, schema
from lampione_protocol.errors import ProtocolError

from tests.controller.fake_node import text

NOW = 1_796_000_000.0
FIELDS = {name: fields for _, name, fields in names.ALL_MESSAGES}


def open_store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "x.db")


def test_it_is_private_and_durable(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert stat.S_IMODE((tmp_path / "x.db").stat().st_mode) == 0o600
    assert store._read("PRAGMA journal_mode") == [("wal",)]
    assert store._read("PRAGMA synchronous") == [(2,)]
    store.close()


def test_identity_is_node_epoch_boot_and_number(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    node = store.add_node("a-1").id
    epochs = [
        store.epoch_id(node, b"aaaa", 1),
        store.epoch_id(node, b"aaaa", 2),
        store.epoch_id(node, b"bbbb", 2),
        store.epoch_id(store.add_node("b-2").id, b"aaaa", 1),
    ]
    assert len(set(epochs)) == 4
    assert store.epoch_id(node, b"aaaa", 1) == epochs[0]
    frames = [Frame(epoch, 7, schema.REPORT, 1.0, None, b"x") for epoch in epochs]
    assert store.frames(frames) == 4
    assert store.frames([*frames, Frame(epochs[0], 8, schema.REPORT, 1.0, None, b"x")]) == 1
    store.commit()
    store.close()
    again = open_store(tmp_path)
    assert again.frames(frames) == 0
    again.close()


def test_a_rollback_takes_everything_back(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    node = store.add_node("a-1").id
    store.commit()
    store.epoch_id(node, b"aaaa", 1)
    store.counter(node, 9)
    store.refused({("", "seal"): 3}, 1.0)
    store.lose(node, [[1, 4]], 1.0, "why")
    store.rollback()
    assert store.nodes()[0].counter == 0
    assert store.refusals() == []
    assert store.lost_counts() == {}
    epoch = store.epoch_id(node, b"aaaa", 1)  # made again, not remembered
    assert store.frames([Frame(epoch, 1, 2, 1.0, None, b"")]) == 1
    store.commit()
    store.close()


def test_a_number_that_is_found_leaves_the_losses(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    node = store.add_node("a-1").id
    store.lose(node, [[1, 5]], 1.0, "why")
    for seq in (3, 1, 5, 9):
        store.find(node, seq)
    store.commit()
    reader = SqliteReader(tmp_path / "x.db")
    assert [(row["first"], row["last"]) for row in reader.losses("a-1")] == [(2, 2), (4, 4)]
    reader.close()
    store.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    reader = SqliteReader(tmp_path / "x.db")
    with pytest.raises(StoreError, match="readonly"):
        reader._read("DELETE FROM frames")
    reader.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store._write("INSERT INTO schema_version VALUES (999, '')")
    store.commit()
    store.close()
    with pytest.raises(StoreError, match="newer program"):
        open_store(tmp_path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to look at" * 30)
    with pytest.raises(StoreError, match="not a database"):
        open_store(tmp_path)


# Numbers of reports in the fixtures: rows of versions 1 and 2 are folded by later programs.
_REPORTS = {0: [], 1: [1, 2, 3, 4, 5, 6], 2: [1, 2, 3, 4, 5, 6]}
_LATER = [*range(1, 7), 60, 61, 62, 65, 66, 67, 68]


@pytest.mark.parametrize("version", range(len(migrations()) + 1))
def test_every_old_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    steps = migrations()
    path = tmp_path / "x.db"
    database = sqlite3.connect(path, isolation_level=None)
    assert migrate(database, steps[:version]) == version
    dump = Path(__file__).parents[1] / "old" / f"{version:04}.sql"
    assert dump.exists() or not version, "keep rows of each version that was released"
    if dump.exists():  # rows that a program of that version wrote
        database.executescript(dump.read_text())
    database.close()
    engine = SqliteEngine(path)
    store = engine.writer()
    assert store._read("SELECT max(version) FROM schema_version") == [(len(steps),)]
    assert store._read("PRAGMA foreign_key_check") == []
    expected = _REPORTS.get(version, _LATER)
    newest = {1: expected[-1]} if expected else {}

    def look() -> tuple[list[Frame], History]:
        reader = engine.reader()
        frames = [frame for _, frame in reader.frames()]
        history = reader.history("a-1", "report", 0, 2**33, ["start", "duration_s"], 99)
        assert sorted(f.seq for f in frames if f.type == schema.REPORT) == expected
        assert len(history["rows"]) == len(expected)
        (series,) = reader.series(schema.REPORT, 0, 2**33, ["a-1"]) if expected else [None]
        assert series is None or series.seqs.tolist() == expected
        reader.close()
        assert {n: f.seq for n, f in store.latest(schema.REPORT).items()} == newest
        return sorted(frame._replace(received=0) for frame in frames), history

    before = look()
    assert store.frames([Frame(1, seq, schema.REPORT, 1.0, None, b"x") for seq in expected]) == 0
    store.commit()
    folder = engine.folder()
    assert folder.fold(NOW).frames == (len(expected) if version < 3 else 2)
    assert look() == before
    folder.refold(NOW)
    folder.close()
    assert look() == before
    reader = engine.reader()
    days = reader.rollups(86400, 0, 2**33, "lamp_level")
    assert bool(expected) == bool(len(days.nodes))
    reader.close()
    assert store.frames([Frame(1, seq, schema.REPORT, 1.0, None, b"x") for seq in expected]) == 0
    kinds = store._read("SELECT DISTINCT type FROM frames")
    assert not {kind for (kind,) in kinds} & set(SERIES)
    store.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    migrate(database, [(1, "CREATE TABLE a (x);")])
    with pytest.raises(sqlite3.Error):
        migrate(database, [(1, ""), (2, "CREATE TABLE b (x); CREATE TABLE a (x);")])
    database.rollback()
    found = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    assert found == {"schema_version", "a"}
    database.close()


def drawn(field: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    kind, bits, low, high = field[1:5]
    if kind == "x":
        return st.none()
    if kind == "y":
        return st.binary(min_size=bits // 8, max_size=bits // 8)
    if kind == "t":
        return st.text(max_size=bits // 8 // 4)
    number = st.integers(low, high)
    return number if kind == "c" else st.none() | number


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_batch_is_decoded_as_one_by_one(name: str) -> None:
    fields = FIELDS[name]
    messages = st.tuples(*(drawn(field) for field in fields)).map(
        lambda values: codec.encode(fields, list(values))
    )
    cut = st.tuples(messages, st.integers(4, 60)).map(lambda pair: pair[0][: pair[1]])

    @given(st.lists(messages | cut | st.binary(min_size=5, max_size=45), max_size=8))
    def check(bodies: list[bytes]) -> None:
        columns = batch.decode(fields, bodies)
        for n, body in enumerate(bodies):
            try:
                expected = codec.decode(fields, body, 0, len(body))
            except ProtocolError:
                if fields[-1][1] != "t":
                    assert not columns.sound[n]
                continue
            assert columns.sound[n]
            for field, value in zip(fields, expected, strict=True):
                if field[0] in columns:
                    found = int(columns[field[0]][n])
                    assert (None if found == batch.UNKNOWN else found) == value, field[0]

    check()


def test_units() -> None:
    field = schema.REPORT_FIELDS[codec.index(schema.REPORT_FIELDS, "laeq")]
    bodies = [text(schema.REPORT, laeq=624), text(schema.REPORT)]
    column = batch.decode(schema.REPORT_FIELDS, bodies, ["laeq"])["laeq"]
    found = batch.to_units(field, column)
    assert found[0] == pytest.approx(62.4)
    assert np.isnan(found[1])


def test_configs_are_kept_as_long_as_they_may_be_needed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    node = store.add_node("a-1").id
    for version in range(1, 9):
        config = StoredConfig(node, version, bytes([version % 5] * 8), b"x", float(version), None)
        store.add_config(config, 3)
        if version <= 2:
            store.confirm_config(node, version, float(version))
    kept = [version for version in range(9) if store.config(node, version) is not None]
    assert kept == [1, 2, 6, 7, 8]
    assert store.last_config(node) == 8
    assert store.confirmed_before(node, 8) == 2
    assert store.confirmed_before(node, 2) == 1
    assert store.confirmed_before(node, 7) == 1  # 2 says the same
    store.save_rollout(StoredRollout(node, 6, "trial", 1, 300, 7, b"abcd", None, 1.0, 2.0))
    store.commit()
    store.close()
    again = open_store(tmp_path)
    (rollout,) = again.rollouts()
    assert (rollout.version, rollout.phase, rollout.epoch) == (6, "trial", b"abcd")
    again.close()


def test_a_boot_of_a_rollback_is_not_taken_for_the_next_one(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first, second = store.add_node("a-1").id, store.add_node("b-2").id
    store.commit()
    body = text(schema.REPORT, start=1, duration_s=60)
    taken = store.epoch_id(first, b"aaaa", 1)
    store.frames([Frame(taken, 1, schema.REPORT, 61.0, 1, body)])
    store.rollback()
    again = store.epoch_id(second, b"bbbb", 1)
    assert again == taken  # the number is given anew
    assert store.frames([Frame(again, 1, schema.REPORT, 61.0, 1, body)]) == 1
    store.commit()
    reader = SqliteReader(tmp_path / "x.db")
    assert [node for node, _ in reader.frames()] == [second]
    reader.close()
    store.close()
