"""What a read sees while others fold, and of a chunk that is damaged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione.store import Frame, StoreError, TelemetryReader, pieces
from lampione.store.sqlite import SqliteEngine
from lampione.store.sqlite.writer import SqliteStore
from lampione_protocol import schema

from tests.controller.fake_node import text

DAY = 1_780_272_000
LATER = DAY + 9 * 86400.0


def report(epoch: int, seq: int) -> Frame:
    at = DAY + 60 * seq
    said = text(schema.REPORT, start=at - schema.EPOCH_2020, duration_s=60, clock=3, laeq=500 + seq)
    return Frame(epoch, seq, schema.REPORT, at + 1.5, at, said)


@pytest.fixture
def engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path / "x.db")


@pytest.fixture
def store(engine: SqliteEngine) -> Iterator[SqliteStore]:
    """Two nodes with a hundred minutes each."""
    made = engine.writer()
    for name in ("a-1", "b-2"):
        epoch = made.epoch_id(made.add_node(name).id, b"abcd", 1)
        made.frames([report(epoch, seq) for seq in range(100)])
    made.commit()
    yield made
    made.close()


def fold(engine: SqliteEngine) -> None:
    folder = engine.folder()
    folder.fold(LATER)
    folder.refold(LATER)
    folder.close()


def laeqs(reader: TelemetryReader) -> list[int]:
    return [
        value
        for piece in reader.series(schema.REPORT, 0, 2**33, None, ["laeq"])
        for value in piece.columns["laeq"].tolist()
    ]


def test_a_series_is_of_one_instant(
    engine: SqliteEngine, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1)
    reader = engine.reader()
    parts = reader.series(schema.REPORT, 0, 2**33)
    seen = next(parts).seqs.tolist()
    store.frames([report(epoch, seq) for epoch in (1, 2) for seq in (100, 101)])
    store.commit()
    fold(engine)
    for piece in parts:
        seen += piece.seqs.tolist()
    assert seen == [*range(100), *range(100)]
    assert laeqs(reader) == [500 + n for n in range(102)] * 2  # a new instant
    half = reader.series(schema.REPORT, 0, 2**33)
    next(half)
    assert len(reader.history("a-1", "report", 0, 2**33, ["laeq"], 999)["rows"]) == 102
    half.close()  # type: ignore[attr-defined]
    store.frames([report(1, 102)])
    store.commit()
    assert len(reader.history("a-1", "report", 0, 2**33, ["laeq"], 999)["rows"]) == 103
    reader.close()


def test_history_is_cut_and_goes_on(engine: SqliteEngine, store: SqliteStore) -> None:
    reader = engine.reader()
    for _ in range(2):
        page = reader.history("b-2", "Report", DAY + 600, DAY + 6000, ["laeq", "lamp_reason"], 30)
        assert page["more"]
        assert [row[0] for row in page["rows"]] == [DAY + 60 * n for n in range(10, 40)]
        assert page["rows"][0][1:] == [51.0, None]
        rest = reader.history("b-2", "report", DAY + 2400, DAY + 6000, ["laeq"], 60)
        assert not rest["more"]
        assert len(rest["rows"]) == 60
        fold(engine)
    with pytest.raises(KeyError):
        reader.history("b-2", "report", 0, 1, ["nothing"], 1)
    with pytest.raises(KeyError):
        reader.series(schema.REPORT, 0, 1, None, ["nothing"])
    with pytest.raises(KeyError):
        reader.rollups(3600, 0, 1, "nothing")
    reader.close()


def test_a_damaged_chunk_is_named_and_nothing_is_thrown_away(
    engine: SqliteEngine, store: SqliteStore
) -> None:
    fold(engine)
    ((number, body),) = store._read("SELECT id, body FROM chunks WHERE node = 1")
    store._write("UPDATE chunks SET body = zeroblob(99) WHERE id = ?", (number,))
    store.frames([report(1, 100), report(2, 100)])
    store.commit()
    reader = engine.reader()
    with pytest.raises(StoreError, match=f"chunk {number} is damaged"):
        laeqs(reader)
    assert len(reader.history("b-2", "report", 0, 2**33, ["laeq"], 999)["rows"]) == 101
    folder = engine.folder()
    folder.fold(LATER)  # into hours of their own
    folder.refold(LATER)
    assert store._read("SELECT count(*) FROM chunks WHERE node = 2") == [(1,)]  # others go on
    assert laeqs(reader) == [600, *(500 + n for n in range(101))]
    assert store._read("SELECT body, why FROM aside WHERE kind = 'chunk'") == [
        (bytes(99), f"chunk {number} is damaged: its checksum is wrong")
    ]
    # Whoever has it from a backup can put it back.
    store._write(
        "INSERT INTO chunks (node, type, start, span, count, body) "
        "SELECT place ->> 'node', place ->> 'type', place ->> 'start', 3600, "
        "place ->> 'count', ? FROM aside",
        (body,),
    )
    store._write("DELETE FROM aside")
    store.commit()
    assert folder.refold(LATER).chunks == 1
    folder.close()
    assert laeqs(reader) == [500 + n for n in range(101)] * 2
    reader.close()
