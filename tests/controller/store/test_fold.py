"""Folding against a model: whatever happens in which order, every read sees what was stored."""

import random
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from lampione import batch, values
from lampione.rollup import LEVELS, MEASURES, accumulate
from lampione.store import SERIES, Frame, StoreError
from lampione.store.sqlite import SqliteEngine, fold
from lampione.store.sqlite.fold import SqliteFolder
from lampione_protocol import codec, schema

DAY = 1_780_272_000  # 2026-06-01T00:00Z
NOW = DAY + 3 * 86400.0
NODES = (1, 2, 1023, 1024, 5000)  # in three blocks
KINDS = (*SERIES, schema.EVENT)


class Killed(Exception):
    """The process ended here."""


class Torn(SqliteFolder):
    """A folder that ends before or after a transaction, with others looking on at each."""

    steps = 10**9
    watch: Any = None

    def _write(self, steps: Any, state: Any) -> None:
        self.steps -= 1
        if self.steps == 0:
            raise Killed
        super()._write(steps, state)
        if self.watch is not None:
            self.watch()
        self.steps -= 1
        if self.steps == 0:
            raise Killed


def body(kind: int, seed: int) -> bytes:
    """Return a message of any kind: mostly sound, or cut, or rubbish."""
    draw = random.Random(seed)
    said: list[Any] = []
    for name, form, _, low, high, *_ in values.FIELDS[kind]:
        known = form != "x" and (form == "c" or draw.random() < 0.8)
        if name == "valid":
            said.append(511)
        else:
            said.append(draw.randint(low, high) if known else None)
    whole = codec.encode(values.FIELDS[kind], said)
    fate = draw.random()
    return whole if fate < 0.8 else whole[: draw.randint(0, 20)] if fate < 0.9 else b"rubbish"


FRAME = st.builds(
    lambda node, boot, seq, kind, at, late, seed: (
        node,
        boot,
        Frame(0, seq, kind, at + late + 0.25, at if seed % 7 else None, body(kind, seed)),
    ),
    st.sampled_from(NODES),
    st.integers(1, 2),
    st.integers(0, 60),
    st.sampled_from(KINDS),
    st.integers(DAY - 4000, DAY + 4000) | st.integers(DAY + 86400, DAY + 90000),
    st.integers(0, 9000),
    st.integers(0, 300),
)


class Folding(RuleBasedStateMachine):
    """The store, and beside it the frames that were committed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = SqliteEngine(Path(self.folder.name) / "x.db")
        self.store = self.engine.writer()
        self.model: dict[tuple[int, int], tuple[int, Frame]] = {}
        self.folded = False  # all of it

    @initialize()
    def nodes(self) -> None:
        for node in NODES:
            self.store._write("INSERT INTO nodes (id, name) VALUES (?, ?)", (node, f"n-{node}"))
        self.epochs = {
            (node, boot): self.store.epoch_id(node, b"abcd", boot)
            for node in NODES
            for boot in (1, 2)
        }
        self.store.commit()

    def _append(self, drawn: Iterable[tuple[int, int, Frame]]) -> dict[tuple[int, int], Any]:
        frames = [
            (node, frame._replace(epoch=self.epochs[node, boot])) for node, boot, frame in drawn
        ]
        new: dict[tuple[int, int], tuple[int, Frame]] = {}
        for node, frame in frames:
            if (frame.epoch, frame.seq) not in self.model:
                new.setdefault((frame.epoch, frame.seq), (node, frame))
        assert self.store.frames([frame for _, frame in frames]) == len(new)
        return new

    @rule(drawn=st.lists(FRAME, min_size=1, max_size=12))
    def append(self, drawn: list[tuple[int, int, Frame]]) -> None:
        self.model |= self._append(drawn)
        self.store.commit()
        self.folded = False

    @rule(drawn=st.lists(FRAME, min_size=1, max_size=6))
    def append_in_vain(self, drawn: list[tuple[int, int, Frame]]) -> None:
        self._append(drawn)
        self.store.rollback()

    @rule(day_later=st.booleans())
    def refold(self, day_later: bool) -> None:
        folder = self.engine.folder()
        folder.refold(NOW + 86400 * day_later)
        folder.close()

    @rule()
    def fold(self) -> None:
        folder = self.engine.folder()
        folder.fold(NOW)
        folder.close()
        self.folded = True
        assert self.store._read("SELECT count(*) FROM batches") == [(0,)]

    @rule(steps=st.integers(1, 12), refolds=st.booleans(), drawn=st.lists(FRAME, max_size=4))
    def fold_and_die(self, steps: int, refolds: bool, drawn: list[tuple[int, int, Frame]]) -> None:
        folder = Torn(self.engine.path)
        folder.steps = steps

        def watch() -> None:
            self.as_the_model()
            if drawn:
                self.append([drawn.pop()])

        folder.watch = watch
        try:
            if refolds:
                folder.refold(NOW)
            else:
                folder.fold(NOW)
        except Killed:
            pass
        folder.close()

    @rule(asked=st.integers(0, 5))
    def fold_until_told(self, asked: int) -> None:
        answers = iter([False] * asked)
        folder = self.engine.folder()
        folder.fold(NOW, lambda: next(answers, True))
        folder.close()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.engine.writer()

    @rule()
    def latest(self) -> None:
        for kind in (schema.REPORT, schema.EVENT):
            expected: dict[int, tuple[int, int]] = {}
            for key, (node, frame) in self.model.items():
                if frame.type == kind:
                    expected[node] = max(expected.get(node, key), key)
            found = self.store.latest(kind)
            assert {n: (f.epoch, f.seq) for n, f in found.items()} == expected
            assert all(self.model[key][1].body == found[n].body for n, key in expected.items())
            assert self.store.latest(kind, [1024]).keys() == expected.keys() & {1024}

    @rule(
        kind=st.sampled_from(KINDS),
        since=st.integers(DAY - 4000, DAY + 90000),
        length=st.integers(0, 90000),
        nodes=st.none() | st.lists(st.sampled_from([f"n-{node}" for node in NODES] + ["no"])),
    )
    def series(self, kind: int, since: int, length: int, nodes: list[str] | None) -> None:
        reader = self.engine.reader()
        field = values.FIELDS[kind][1][0]
        found = []
        for piece in reader.series(kind, since, since + length, nodes, [field]):
            assert piece.columns.keys() == {field}
            rows = (piece.nodes, piece.at, piece.epochs, piece.seqs)
            values_ = (piece.timed, piece.received, piece.columns[field], piece.columns.sound)
            found += list(zip(*(array.tolist() for array in (*rows, *values_)), strict=True))
        reader.close()
        assert [row[:2] for row in found] == sorted(row[:2] for row in found)
        expected = []
        for node, frame in self.model.values():
            at = int(frame.received) if frame.at is None else frame.at
            wanted = nodes is None or f"n-{node}" in nodes
            if frame.type == kind and since <= at < since + length and wanted:
                columns = batch.decode(values.FIELDS[kind], [frame.body])
                row = (node, at, frame.epoch, frame.seq, frame.at is not None)
                told = (int(frame.received), int(columns[field][0]), bool(columns.sound[0]))
                expected.append((*row, *told))
        assert sorted(found) == sorted(expected)

    @invariant()
    def as_the_model(self) -> None:
        """Every frame, once, in whatever form, at the whole second at least."""
        reader = self.engine.reader()
        found = list(reader.frames())
        reader.close()
        assert len(found) == len(self.model)
        for node, frame in found:
            owner, stored = self.model[frame.epoch, frame.seq]
            assert node == owner
            assert frame._replace(received=0.0) == stored._replace(received=0.0)
            assert int(frame.received) == int(stored.received)

    @rule()
    def rollups(self) -> None:
        """Equal to what is computed of all frames at once."""
        if not self.folded:
            return
        reader = self.engine.reader()
        ids = {node: n for n, node in enumerate(NODES)}
        for kind in SERIES:
            timed = [
                (node, frame)
                for node, frame in self.model.values()
                if frame.type == kind and frame.at is not None
            ]
            columns = batch.decode(values.FIELDS[kind], [frame.body for _, frame in timed])
            nodes = np.array([node for node, _ in timed], np.int64)
            at = np.array([frame.at for _, frame in timed], np.int64)
            for level in LEVELS[1:]:
                blocks = accumulate(level, kind, nodes, at, columns) if timed else {}
                for name, measure in MEASURES.items():
                    if measure.message != kind:
                        continue
                    table = reader.rollups(level, 0, 2**33, name)
                    assert table.nodes.tolist() == list(NODES)
                    mine = {key: block for key, block in blocks.items() if key[1] == name}
                    assert table.starts.tolist() == sorted({key[0] for key in mine})
                    for (start, _, number), block in mine.items():
                        row = table.starts.tolist().index(start)
                        for array, expected in block.arrays().items():
                            for node in NODES:
                                if node // 1024 == number:
                                    got = table.arrays[array][row, ids[node]]
                                    assert (got == expected[node % 1024]).all(), (name, array)
        reader.close()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestFolding = Folding.TestCase
TestFolding.settings = settings(
    max_examples=15,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_folding_at_length() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Folding,
        settings=settings(
            max_examples=400,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_two_folders_do_not_disturb_each_other(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "x.db")
    store = engine.writer()
    epoch = store.epoch_id(store.add_node("a-1").id, b"abcd", 1)
    store.frames([Frame(epoch, 1, schema.REPORT, 1.0, None, body(schema.REPORT, 1))])
    store.commit()
    first = Torn(engine.path)

    def other() -> None:
        first.watch = None
        second = engine.folder()
        second.fold(NOW)
        second.close()

    first.watch = other
    with pytest.raises(StoreError, match="somebody else"):
        first.fold(NOW)
    first.close()
    reader = engine.reader()
    assert len(list(reader.frames())) == 1
    reader.close()
    store.close()


class Counted(SqliteFolder):
    """A folder that says how much of a block it had in memory."""

    most = 0

    def _block(self, number: int, part: Any, now: float) -> Any:
        self.most = max(self.most, len(part.nodes))
        return super()._block(number, part, now)


def test_a_block_is_folded_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A week of a thousand nodes that came back at once is not in memory at once."""
    monkeypatch.setattr(fold, "_BLOCK_MAX", 50)
    engine = SqliteEngine(tmp_path / "x.db")
    store = engine.writer()
    epochs = [store.epoch_id(store.add_node(f"n-{n}").id, b"abcd", 1) for n in range(4)]
    for turn in range(20):
        store.frames(
            [
                Frame(epoch, seq, schema.REPORT, NOW, DAY + seq, body(schema.REPORT, seq))
                for epoch in epochs
                for seq in range(turn * 5, turn * 5 + 5)
            ]
        )
        store.commit()
    store.close()
    folder = Counted(engine.path)
    assert folder.fold(NOW).frames == 400
    assert folder.most <= 50
    folder.close()
    keeper = engine.keeper()
    assert keeper.check(full=True) == []
    keeper.close()
