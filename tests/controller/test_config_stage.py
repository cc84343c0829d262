"""Configs as what a rollout in stages rolls out, on a simulated node."""

import json
from pathlib import Path

import pytest
from lampione.fleet.config_stage import REPLACED, SAME, ConfigKind
from lampione.fleet.staged import Staged
from lampione.fleet.staged_kind import Untouched
from lampione.fleet.stages import Rules, StagesRefused

from tests.controller.test_rollouts import BREAKS, REFUSED, RESTARTS, SMALL, World

OPTIONS = {"trial_s": 300}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.boot()
    return world


def begin(world: World, blob: bytes) -> tuple[ConfigKind, int]:
    """Give the node a config."""
    kind = ConfigKind(world.configs)
    kept = kind.keep(world.node, blob)
    assert blob not in kept
    mark = kind.begin(world.node, kept, OPTIONS)
    world.commit()
    return kind, mark


def test_it_is_taken_and_is_there_already_the_next_time(world: World) -> None:
    kind, mark = begin(world, RESTARTS)
    assert kind.outcome(world.node, mark) is None
    assert kind.progress(world.node, mark) == "offered"
    world.settle()
    assert kind.outcome(world.node, mark) == (True, None, False, False)
    assert kind.progress(world.node, mark) is None
    assert kind.ill(world.node, mark) is None
    world.hello()
    kind, mark = begin(world, RESTARTS)
    assert kind.outcome(world.node, mark) == (True, SAME, True, False)


def test_a_refusal_and_a_node_that_is_cut_off(world: World) -> None:
    kind, mark = begin(world, REFUSED)
    world.settle()
    outcome = kind.outcome(world.node, mark)
    assert outcome is not None
    assert (outcome.took, outcome.reason) == (False, "refused: config damaged")
    kind, mark = begin(world, BREAKS)
    world.settle()
    outcome = kind.outcome(world.node, mark)
    assert outcome is not None
    assert (outcome.took, (outcome.reason or "").partition(":")[0]) == (False, "reverted")


def test_who_is_away_is_not_touched_and_who_falls_silent_is_ill(world: World) -> None:
    kind, mark = begin(world, SMALL)
    world.settle()
    world.node.claimed, world.node.claimed_at = False, 4e9
    assert kind.ill(world.node, mark) == "it has gone offline since"
    with pytest.raises(Untouched, match="it was offline"):
        kind.begin(world.node, kind.keep(world.node, RESTARTS), OPTIONS)


def test_another_push_takes_the_place(world: World) -> None:
    kind, mark = begin(world, SMALL)
    world.configs.add(world.node, RESTARTS, 300)
    outcome = kind.outcome(world.node, mark)
    assert outcome is not None
    assert (outcome.replaced, outcome.reason) == (True, REPLACED)
    kind.stop(world.node, mark)  # it is not ours to stop
    assert world.settle()["phase"] == "confirmed"
    with pytest.raises(Untouched, match=REPLACED):
        kind.back(world.node, mark, OPTIONS)


def test_stopped_before_it_was_tried(world: World) -> None:
    kind, mark = begin(world, SMALL)
    kind.stop(world.node, mark)
    outcome = kind.outcome(world.node, mark)
    assert outcome is not None
    assert (outcome.took, outcome.reason) == (False, "cancelled: as asked")


def test_taken_back_to_what_ran_before(world: World) -> None:
    for blob in (SMALL, RESTARTS):
        kind, mark = begin(world, blob)
        world.settle()
        world.hello()
    back = kind.back(world.node, mark, OPTIONS)
    world.commit()
    assert back != mark
    world.settle()
    assert kind.outcome(world.node, back) == (True, None, False, False)
    assert world.side.flash.good[2] == SMALL


def test_another_key_cannot_read_what_was_kept(world: World) -> None:
    kind = ConfigKind(world.configs)
    kept = kind.keep(world.node, SMALL)
    world.node.key = bytes(len(world.node.key))
    with pytest.raises(Untouched, match="another key"):
        kind.begin(world.node, kept, OPTIONS)


def test_a_rollout_with_nodes_of_another_controller_waits_for_whoever_has_them_all(
    world: World,
) -> None:
    staged = Staged(world.fleet, world.store, [ConfigKind(world.configs)])
    number = staged.draft("config", "anna", Rules(), OPTIONS)
    staged.add(number, {"a-1": SMALL})
    world.store.commit()
    world.fleet._shard_of = lambda _: "elsewhere"
    staged.load()
    with pytest.raises(StagesRefused, match="another controller serves"):
        staged.act(number, "abort")
    staged.tick()
    assert json.loads(world.store.stages(1)[0].options) == OPTIONS
    assert world.store.stages(1)[0].state == "draft"
