"""Power cuts in the midst of pushes, on a whole node: it is back, reachable, on a whole config."""

import random
from collections.abc import Callable

import pytest
from lampione_hil.virtual import VirtualBench, VirtualBoard

from tests.node.controller import APPLY, CONFIRM, DONE, OFFER, REFUSED, Controller
from tests.node.test_config import SURE, TRIAL, blob, confirm, design, greeted, reporting


@pytest.fixture
def node(bench: VirtualBench, controller: Controller) -> str:
    """A node that has said hello."""
    name = f"cut-{len(controller.keys)}"
    controller.node(bench, name).power_on()
    greeted(controller, name, 1)
    return name


class BoardCutError(Exception):
    """The board has lost its power."""


def hello_of(controller: Controller, board: VirtualBoard, node: str) -> tuple[int, int]:
    """Wait for a hello of the boot that has just begun; return the config that it tells of."""
    epoch = bytes.fromhex(board.wait_console("epoch [0-9a-f]{8}", 30).split()[1])
    controller.wait_for(
        "its hello", lambda: any(h["epoch"] == epoch for h in controller.hellos[node]), 60
    )
    found = next(h for h in controller.hellos[node] if h["epoch"] == epoch)
    return found["config_version"], found["config_state"]


def push_or_cut(
    controller: Controller, board: VirtualBoard, node: str, version: int, data: bytes
) -> None:
    """Push and confirm a config. Raises BoardCutError when the power fails meanwhile."""

    def wait(what: str, condition: Callable[[], object]) -> None:
        def done() -> bool:
            if not board.running:
                raise BoardCutError
            return bool(condition())

        controller.wait_for(what, done, 60)

    def ask(op: int) -> int:
        counter = controller.setup(node, op, version, data)
        wait("an answer", lambda: controller.results(node, counter))
        assert controller.results(node, counter)[0]["outcome"] != REFUSED
        return counter

    def done(counter: int) -> bool:
        return any(r["outcome"] == DONE for r in controller.results(node, counter))

    offer = ask(OFFER)
    controller.chunks(node, version, data)
    wait("every chunk", lambda: done(offer))
    if not done(ask(APPLY)):
        wait("the trial", lambda: controller.runs(node) == (version, TRIAL))
    ask(CONFIRM)


def cut_pushes(bench: VirtualBench, controller: Controller, node: str, count: int) -> None:
    """Cut the power in the midst of pushes; each time the node is back, on a whole config."""
    chance = random.Random(count)
    board = bench.boards[node]
    before = 0
    version = cuts = 0
    while cuts < count:
        version += 1
        sections = [design(40 + version % 50), (200, bytes(200))]
        if version % 2:
            sections.append(reporting(1 + version % 5))
        data = blob(*sections)
        board.cut_power_at_write(chance.randrange(1, 60), kept=chance.random())
        try:
            push_or_cut(controller, board, node, version, data)
        except BoardCutError:
            board.cut_power_at_write(0)
            cuts += 1
            board.power_on()
            found, state = hello_of(controller, board, node)
            assert found in (before, version)
            before = found
        else:
            board.cut_power_at_write(0)
            before, state = version, SURE
        if state == TRIAL:
            assert before == version
            confirm(controller, node, version, data)


def test_after_a_power_cut_the_node_is_there_on_a_whole_config(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    cut_pushes(bench, controller, node, 4)


@pytest.mark.soak
def test_after_a_hundred_power_cuts_the_node_is_there_on_a_whole_config(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    cut_pushes(bench, controller, node, 100)
