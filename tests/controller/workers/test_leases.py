"""Leases: one holder at a time, by the database's clock; whoever lost one cannot commit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.store import Engine, Frame
from lampione.store.engine import open_engine
from lampione.store.leases import Fenced, Lease, Leases, open_leases
from lampione.workers.balance import plan
from lampione_protocol import schema


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    where = tmp_path / "x.db"
    if request.param == "postgres":
        where = request.getfixturevalue("postgres_url")
    engine = open_engine(where)
    engine.writer().close()
    return engine


@pytest.fixture
def leases(engine: Engine) -> Iterator[Leases]:
    leases = open_leases(engine)
    leases.offer(["a", "b"])
    yield leases
    leases.close()


def test_one_holder_until_it_runs_out(leases: Leases) -> None:
    assert leases.renew("one", 60) == {}
    assert leases.take("a", "one", 60) == 1
    assert leases.take("a", "two", 60) is None
    assert leases.renew("one", 60) == {"a": 1}
    assert leases.renew("two", 60) == {}
    assert leases.look() == (
        ["one", "two"],
        [Lease("a", "one", 1, True), Lease("b", "", 0, False)],
    )
    leases.renew("one", -1)  # it has run out
    assert leases.look()[0] == ["two"]
    assert leases.take("a", "two", 60) == 2
    assert leases.renew("one", 60) == {}
    leases.give_up("a", "one")  # no longer its own
    assert leases.take("a", "three", 60) is None
    leases.leave("two")
    assert leases.take("a", "three", 60) == 3
    leases.offer(["a", "c"])
    assert [lease.term for lease in leases.look()[1]] == [3, 0, 0]


def test_a_commit_needs_its_lease(leases: Leases, engine: Engine) -> None:
    term = leases.take("a", "one", 60)
    assert term is not None
    store = engine.writer()
    store.fence("one", {"a": term})
    epoch = store.epoch_id(store.add_node("n-1").id, b"aaaa", 1)
    store.commit()

    def append(seq: int) -> None:
        store.frames([Frame(epoch, seq, schema.EVENT, 1.0, None, b"x")])
        store.commit()

    append(1)
    leases.renew("one", -1)
    append(2)  # late, but nobody came in between
    assert leases.take("a", "two", 60) == term + 1
    for _ in range(2):
        with pytest.raises(Fenced) as caught:
            append(3)
        assert caught.value.shards == {"a"}
        store.rollback()
    leases.give_up("a", "two")
    term = leases.take("a", "one", 60)
    assert term is not None
    with pytest.raises(Fenced):  # by its old term
        append(3)
    store.rollback()
    store.fence("one", {"a": term})
    assert store.frames([Frame(epoch, 3, schema.EVENT, 1.0, None, b"x")]) == 1
    store.commit()
    store.close()


names = st.text("abcdef", min_size=1, max_size=3)


@given(st.sets(names, min_size=1, max_size=12), st.lists(st.sets(names, min_size=1, max_size=5),
       min_size=1, max_size=4))  # fmt: skip
def test_shares_are_fair_soon_and_then_nothing_moves(
    shards: set[str], comings: list[set[str]]
) -> None:
    holders = dict.fromkeys(shards, "")
    for workers in comings:
        holders = {s: h if h in workers else "" for s, h in holders.items()}  # others died
        moved = True
        for _ in range(len(shards) + 2):
            moved = False
            for me in sorted(workers):
                rows = [Lease(s, h, 1, bool(h)) for s, h in sorted(holders.items())]
                take, drop = plan(me, workers, rows, shards)
                assert all(not holders[s] for s in take)
                assert all(holders[s] == me for s in drop)
                holders |= dict.fromkeys(drop, "") | dict.fromkeys(take, me)
                moved |= bool(take or drop)
        assert not moved
        counts = [list(holders.values()).count(worker) for worker in workers]
        assert sum(counts) == len(shards)
        assert max(counts) - min(counts) <= 1
