"""The same operations on both engines, in any order: the same answers."""

import tempfile
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from lampione.rollup import LEVELS
from lampione.store import SERIES, Engine, Frame
from lampione.store.engine import open_engine
from lampione_protocol import schema

from tests.controller.fake_node import text
from tests.controller.store.contract import T0, event, report
from tests.controller.store.postgres_server import PostgresServer

TIMES = st.sampled_from([None, 5, T0 + 10**8]) | st.integers(0, 3 * 86_400).map(lambda n: T0 + n)
KINDS = st.sampled_from(["report", "event", "health", "hour", "odd", "log"])


def frame(kind: str, epoch: int, seq: int, at: int | None) -> Frame:
    time = T0 if at is None else max(at, schema.EPOCH_2020)
    if kind == "report":
        said = report(epoch, seq, time, 500 + seq, no2=seq)
        return said._replace(at=at)
    if kind == "event":
        return event(epoch, seq, time)._replace(at=at)
    body, number = {
        "health": (text(schema.HEALTH, energy=seq, clock=3), schema.HEALTH),
        "hour": (text(schema.HOUR, part=1, bin_1=seq), schema.HOUR),
        "odd": (b"odd" * seq, schema.RAW),
        "log": (b"log", schema.LOG),
    }[kind]
    return Frame(epoch, seq, number, time + 2.0, at, body)


class Machine(RuleBasedStateMachine):
    """Two stores and what is done to both."""

    server: ClassVar[PostgresServer]
    numbers = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "x.db"
        self.engines: list[Engine] = [open_engine(path), open_engine(self.server.new_database())]
        self.writers = [engine.writer() for engine in self.engines]
        self.readers = [engine.reader() for engine in self.engines]
        self.folders = [engine.folder() for engine in self.engines]
        self.clean = True  # nothing waits for a commit

    def teardown(self) -> None:
        opened: list[Any] = [*self.folders, *self.readers, *self.writers]
        for each in opened:
            each.close()
        self.folder.cleanup()

    def both(self, method: str, *given: Any) -> Any:
        """Call it on both writers; return the one answer."""
        self.clean = False
        one, other = (getattr(writer, method)(*given) for writer in self.writers)
        assert one == other, method
        return one

    @rule(name=st.sampled_from(["a", "b", "c"]))
    def add_node(self, name: str) -> None:
        if name not in [node.name for node in self.both("nodes")]:
            self.both("add_node", name)

    def epoch(self, node: int, epoch: bytes, boot: int) -> int | None:
        known = [stored.id for stored in self.both("nodes")]
        if node not in known:
            return None
        found: int = self.both("epoch_id", node, epoch, boot)
        return found

    @rule(
        node=st.integers(1, 3),
        epoch=st.sampled_from([b"aaaa", b"\xff\xff\xff\xff"]),
        boot=st.integers(0, 1),
        said=st.lists(st.tuples(KINDS, st.integers(1, 30), TIMES), min_size=1, max_size=12),
    )
    def frames(
        self, node: int, epoch: bytes, boot: int, said: list[tuple[str, int, int | None]]
    ) -> None:
        number = self.epoch(node, epoch, boot)
        if number is not None:
            self.both("frames", [frame(kind, number, seq, at) for kind, seq, at in said])

    @rule(node=st.integers(1, 3), epoch=st.sampled_from([b"aaaa", b"\xff\xff\xff\xff"]))
    def supersede(self, node: int, epoch: bytes) -> None:
        number = self.epoch(node, epoch, 0)
        if number is not None:
            self.both("supersede", node, number)

    @rule(node=st.integers(1, 3), first=st.integers(1, 9), size=st.integers(1, 9))
    def lose(self, node: int, first: int, size: int) -> None:
        if node in [stored.id for stored in self.both("nodes")]:
            self.both("lose", node, [[first, first + size]], 1.0, "why")
            self.both("find", node, first + size // 2)

    @rule(name=st.sampled_from(["x", "y"]), value=st.integers(1, 2**33))
    def add_totals(self, name: str, value: int) -> None:
        self.both("add_totals", {name: value})
        self.both("refused", {("", name): value, (name, "why"): 1}, float(value))

    @rule()
    def counts(self) -> None:
        for method in ("totals", "refusals", "lost_counts", "nodes"):
            self.both(method)

    @rule()
    def commit(self) -> None:
        self.both("commit")
        self.clean = True

    @rule()
    def rollback(self) -> None:
        self.both("rollback")
        self.clean = True

    @precondition(lambda self: self.clean)
    @rule()
    def restart(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers = [engine.writer() for engine in self.engines]

    @precondition(lambda self: self.clean)
    @rule(refold=st.booleans())
    def fold(self, refold: bool) -> None:
        one, other = (folder.fold(T0).frames for folder in self.folders)
        assert one == other
        if refold:
            for folder in self.folders:
                folder.refold(T0 + 9 * 86_400)
        for level in LEVELS:
            for measure in ("no2", "laeq_energy", "energy"):
                tables = [reader.rollups(level, 0, 4e9, measure) for reader in self.readers]
                assert tables[0].starts.tolist() == tables[1].starts.tolist()
                for name, array in tables[0].arrays.items():
                    assert np.array_equal(array, tables[1].arrays[name]), (level, measure, name)

    @precondition(lambda self: self.clean)
    @rule(kind=st.sampled_from([*SERIES, schema.EVENT]))
    def latest(self, kind: int) -> None:
        one, other = (
            {node: said._replace(received=said.received // 1) for node, said in found.items()}
            for found in (writer.latest(kind) for writer in self.writers)
        )
        assert one == other
        for writer in self.writers:
            writer.rollback()

    @precondition(lambda self: self.clean)
    @invariant()
    def readers_agree(self) -> None:
        one, other = (
            sorted((n, f._replace(received=f.received // 1)) for n, f in reader.frames())
            for reader in self.readers
        )
        assert one == other

    @precondition(lambda self: self.clean)
    @rule(
        since=st.integers(-1, 3).map(lambda n: T0 + 43_200 * n),
        kind=st.sampled_from(SERIES),
        some=st.sampled_from([None, ["a"], ["b", "c", "x"]]),
    )
    def series(self, since: int, kind: int, some: list[str] | None) -> None:
        found = []
        for reader in self.readers:
            rows = []
            for part in reader.series(kind, since, T0 + 2 * 86_400, some):
                columns = [part.columns[name].tolist() for name in sorted(part.columns)]
                rows += list(
                    zip(
                        part.nodes.tolist(),
                        part.at.tolist(),
                        part.timed.tolist(),
                        part.received.tolist(),
                        part.epochs.tolist(),
                        part.seqs.tolist(),
                        part.columns.sound.tolist(),
                        # What is not sound is of no use, whatever stands there.
                        *(
                            [
                                v if good else None
                                for v, good in zip(c, part.columns.sound, strict=True)
                            ]
                            for c in columns
                        ),
                        strict=True,
                    )
                )
            assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)
            found.append(sorted(map(repr, rows)))  # of the same second they come as they come
        assert found[0] == found[1]

    @precondition(lambda self: self.clean)
    @rule(name=st.sampled_from(["a", "b", "x"]), limit=st.integers(1, 20))
    def history(self, name: str, limit: int) -> None:
        for message in ("report", "health", "event"):
            one, other = (
                reader.history(name, message, 0, T0 + 10**9, None, limit) for reader in self.readers
            )
            assert one["more"] == other["more"]
            assert [row[0] // 1 for row in one["rows"]] == [row[0] // 1 for row in other["rows"]]
            if not one["more"]:  # of the same second they come as they come
                assert sorted(map(repr, one["rows"])) == sorted(map(repr, other["rows"]))
        losses = [sorted(map(str, reader.losses(name))) for reader in self.readers]
        assert losses[0] == losses[1]
        assert self.readers[0].epochs(name) == self.readers[1].epochs(name)
        events = [sorted(reader.events(name, 0, 1000)) for reader in self.readers]
        assert events[0] == events[1]


def check(server: PostgresServer, examples: int, steps: int) -> None:
    Machine.server = server
    run(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_both_engines_answer_alike(postgres: PostgresServer) -> None:
    check(postgres, 8, 20)


@pytest.mark.soak
def test_both_engines_answer_alike_for_long(postgres: PostgresServer) -> None:
    check(postgres, 60, 40)
