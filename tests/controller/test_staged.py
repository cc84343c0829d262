"""Rollouts in stages over a store that is closed and opened again at any moment."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione import keys
from lampione.fleet.node import Fleet, NodeState
from lampione.fleet.staged import NO_KEY, Plan, Staged
from lampione.fleet.staged_kind import Outcome, Untouched
from lampione.fleet.stages import Rules, StagesRefused
from lampione.store.sqlite.writer import SqliteStore

NAMES = [f"n-{n}" for n in range(6)]
RULES = Rules(soak_s=60, stop_percent=20, wait_s=900)


class Fake:
    """Something that can be rolled out, to nodes that a test answers for."""

    name = "config"

    def __init__(self) -> None:
        self.moved: set[str] = set()
        self.outcomes: dict[str, Outcome | None] = {}
        self.offline: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def keep(self, _: NodeState, payload: bytes) -> bytes:
        return payload[::-1]

    def begin(self, node: NodeState, kept: bytes, options: Mapping[str, Any]) -> int:
        assert (kept[::-1].decode(), options) == (node.name, {"trial_s": 30})
        return self._ask("begin", node)

    def _ask(self, what: str, node: NodeState) -> int:
        if node.name in self.offline:
            raise Untouched("it was offline")
        self.asked.append((what, node.name))
        self.outcomes[node.name] = None
        return len(self.asked)

    def outcome(self, node: NodeState, _: int) -> Outcome | None:
        return self.outcomes.get(node.name)

    def stop(self, node: NodeState, _: int) -> None:
        self.asked.append(("stop", node.name))

    def back(self, node: NodeState, _: int, __: Mapping[str, Any]) -> int:
        return self._ask("back", node)

    def ill(self, node: NodeState, _: int) -> str | None:
        return "it has gone offline since" if node.name in self.offline else None

    def progress(self, _: NodeState, mark: int) -> str | None:
        return f"attempt {mark}"

    def end(self, *names: str, took: bool = True) -> None:
        for name in names:
            self.outcomes[name] = Outcome(took, None if took else "reverted")
            self.moved.add(name)


class World:
    """A controller that may be cut after any commit."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "db"
        self.key_file = folder / keys.FILE
        keys.new(self.key_file, NAMES)
        self.fake = Fake()
        self.now = 1000.0
        self.store = SqliteStore(self.path)
        self._start()

    def _start(self) -> None:
        self.fleet = Fleet(self.store, self.key_file, ["test"], lambda _: "test")
        self.staged = Staged(self.fleet, self.store, [self.fake], lambda: self.now)
        self.store.commit()

    def cut(self) -> None:
        self.store.commit()
        self.store.close()
        self.fake.moved.clear()
        self.store = SqliteStore(self.path)
        self._start()

    def begin(self, rules: Rules = RULES, canary: int = 1, waves: tuple[str, ...] = ()) -> int:
        number = self.staged.draft("config", "anna", rules, {"trial_s": 30})
        self.staged.add(number, {name: name.encode() for name in NAMES})
        self.staged.start(number, Plan(canary, (), waves))
        self.tick()
        return number

    def tick(self, by: float = 0.25) -> None:
        self.now += by
        self.staged.tick()
        self.store.commit()

    def phases(self, number: int) -> dict[str, str]:
        return {n["node"]: n["phase"] for n in self.staged.one(number, 0).get("nodes", [])}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


def test_a_whole_rollout(world: World) -> None:
    told: list[tuple[str, str | None]] = []
    number = world.begin(canary=2)
    assert [name for _, name in world.fake.asked] == NAMES[:2]
    shape = world.staged.one(number, 0)
    assert shape["waves"] == [{"going": 2}, {"waiting": 4}]
    assert [n["progress"] for n in shape["nodes"]][:3] == ["attempt 1", "attempt 2", None]
    world.fake.end(*NAMES[:2])
    world.tick()
    assert world.staged.one(number, 0)["state"] == "soaking"
    world.cut()
    world.tick(61)
    world.tick()
    assert [name for _, name in world.fake.asked] == NAMES
    world.fake.end(*NAMES[2:])
    world.staged.ended = lambda staged: told.append((staged["state"], staged["why"]))
    world.tick()
    assert told == [("done", None)]
    (shape,) = world.staged.all(9)
    assert (shape["state"], shape["final"], shape["author"]) == ("done", True, "anna")
    assert shape["waves"] == [{"done": 2}, {"done": 4}]
    assert [world.store.payload(number, node.id) for node in world.store.nodes()] == [None] * 6
    with pytest.raises(StagesRefused, match="no node of it has failed"):
        world.staged.act(number, "retry")
    world.staged.act(number, "revert")
    world.tick()
    world.fake.end(*NAMES)
    world.tick()
    world.tick()
    assert world.staged.all(9)[0]["state"] == "reverted"
    assert world.fake.asked[6:] == [("back", name) for name in NAMES]


def test_a_failing_canary_stops_it_and_it_can_be_tried_again_after_a_cut(world: World) -> None:
    told: list[tuple[str, str | None]] = []
    world.staged.ended = lambda staged: told.append((staged["state"], staged["why"]))
    number = world.begin()
    world.fake.end("n-0", took=False)
    world.tick()
    assert told == [("stopped", "1 of 1 nodes of wave 1 failed")]
    world.cut()
    shape = world.staged.one(number, 0)
    assert (shape["state"], shape["why"]) == ("stopped", "1 of 1 nodes of wave 1 failed")
    revision = shape["revision"]
    assert world.staged.one(number, revision)["nodes"] == []
    assert len(world.staged.one(number, revision - 1)["nodes"]) == len(NAMES)  # of another start
    world.staged.act(number, "retry")
    assert [n["node"] for n in world.staged.one(number, revision)["nodes"]] == ["n-0"]
    world.tick()
    world.fake.end("n-0")
    world.tick()
    assert world.staged.one(number, 0)["state"] == "soaking"


def test_locked_offline_and_lost_keys_are_left_alone(world: World) -> None:
    world.staged.locked = {"n-0": "locked by anna: the door is open"}.get
    world.fake.offline = {"n-1"}
    number = world.begin(canary=0)
    assert [name for _, name in world.fake.asked] == NAMES[2:]
    del world.fleet.nodes["n-2"]
    world.fake.moved.add("n-2")
    world.tick()
    nodes = {n["node"]: (n["phase"], n["reason"]) for n in world.staged.one(number, 0)["nodes"]}
    assert nodes["n-0"] == ("skipped", "locked by anna: the door is open")
    assert nodes["n-1"] == ("skipped", "it was offline")
    assert nodes["n-2"] == ("skipped", NO_KEY)


def test_a_node_is_in_one_rollout_at_a_time(world: World) -> None:
    number = world.begin()
    with pytest.raises(StagesRefused, match=rf"n-3 is in rollout {number}, .* {number} abort`"):
        world.staged.check_free(["n-3"])
    with pytest.raises(StagesRefused, match="has begun"):
        world.staged.add(number, {})
    world.staged.act(number, "abort")
    world.tick()
    assert world.fake.asked[-1] == ("stop", "n-0")
    world.fake.end("n-0", took=False)
    world.tick()
    assert set(world.phases(number).values()) == {"left"}
    world.staged.check_free(["n-3"])


def test_a_failure_of_ours_stops_one_node_alone(world: World) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("a bug")

    world.fake.begin = broken  # type: ignore[method-assign,assignment]
    number = world.begin(canary=0)
    assert set(world.phases(number).values()) == {"skipped"}


_DOES = st.one_of(
    st.tuples(st.just("end"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("act"), st.sampled_from(["pause", "resume", "retry"]), st.none()),
    st.tuples(st.just("tick"), st.sampled_from([0.25, 30.0, 100.0]), st.none()),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(_DOES, st.booleans()), max_size=25))
def test_a_cut_anywhere_changes_no_outcome(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, bool]]
) -> None:
    ends = []
    for cutting in (False, True):
        world = World(tmp_path_factory.mktemp("w"))
        number = world.begin(waves=("50%",))
        for (do, what, took), cut in steps:
            if do == "end" and world.fake.outcomes.get(NAMES[what], 0) is None:
                world.fake.end(NAMES[what], took=took)
            elif do == "act":
                with contextlib.suppress(StagesRefused):
                    world.staged.act(number, what)
            elif do == "tick":
                world.tick(what)
            if cut and cutting:
                world.cut()
        world.tick()
        shape = world.staged.one(number, 0)
        ends.append((world.phases(number), shape["state"], shape["wave"], world.fake.asked))
        world.store.close()
    assert ends[0] == ends[1]
