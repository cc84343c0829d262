"""Configs on flash: whatever is asked and wherever the power fails, a whole one runs.

The node's own code runs under MicroPython against a flash in memory; the model is beside this file.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter
from lampione_light import layout

from tests.node.config_model import BAD, Blob, Model, Said, State

ROOT = Path(__file__).parents[2]
BOARD = Path(__file__).with_name("config_board.py")
SETTINGS = {"node": "a", "shard": "b", "parts": {"lamp": {"pin": 5}}}
Op = list[Any]


def section(number: int, content: bytes) -> bytes:
    return bytes([number]) + len(content).to_bytes(2, "big") + content


def blob(*parts: bytes) -> bytes:
    return bytes([layout.FORMAT]) + b"".join(parts)


def filler(count: int) -> bytes:
    return section(200, bytes(i & 255 for i in range(count)))


REPORTING = section(layout.REPORTING, b"\0\x1e")
BLOBS = [
    Blob(b""),
    Blob(blob(section(layout.LAMP, b"\x50"), filler(300))),
    Blob(blob(section(layout.LAMP, b"\x3c"))),
    Blob(blob(REPORTING, filler(560)), lasting=1),
    Blob(blob(REPORTING, section(layout.LAMP, b"\x46")), lasting=1),
    Blob(blob(section(layout.PARTS, b'{"lamp":')), lasting=2, bad=True),
    Blob(blob(section(201, b"dark")), dark=True),
]
MODEL = Model(BLOBS)
KNOWN = range(1, len(BLOBS))


def play(jobs: list[list[Op]], blocks: int = 32) -> list[list[dict[str, Any]]]:
    """Play lists of operations, each on a flash of its own; return what came of each operation."""
    about = {"blocks": blocks, "blobs": [b.data.hex() for b in BLOBS], "settings": SETTINGS}
    out = interpreter.run(
        ["-X", "heapsize=16m", str(BOARD)],
        path=[ROOT / "firmware", ROOT / "protocol"],
        stdin="".join(json.dumps({**about, "ops": ops}) + "\n" for ops in jobs).encode(),
    )
    answers = [json.loads(line[1:]) for line in out.splitlines() if line.startswith(b"=")]
    assert len(answers) == len(jobs), out[-2000:].decode()
    return answers


def seen(answer: dict[str, Any]) -> tuple[Any, ...]:
    files = {n: size for n, size in answer["files"].items() if n != "trial.new"}
    if files.get("new", 16) < 16:
        del files["new"]  # made, and cut before its header was there
    return answer["version"], answer["state"], answer["lit"], files


def like(state: State, answer: dict[str, Any]) -> bool:
    """Say whether a node in this state would look so."""
    version, how, lit, files = seen(answer)
    wanted = MODEL.files(state)
    return (
        (version, how, lit) == (state.runs, state.state, state.lit)
        and files.keys() == wanted.keys()
        and all(size in (0, files[name]) for name, size in wanted.items())
    )


def check(ops: list[Op], answers: list[dict[str, Any]]) -> int:
    """Hold the model against what a node said; return how often the power failed."""
    states = [State()]
    cuts = 0
    for op, answer in zip(ops, answers, strict=True):
        if op[0] == "cut":
            continue
        if op[0] == "damage":
            states = [State(**{**vars(s), op[1]: BAD}) if getattr(s, op[1]) else s for s in states]
            continue
        if answer["cut"]:
            cuts += 1
            possible = [found for s in states for found in MODEL.cut(s, op)]
            states = list(dict.fromkeys(s for s in possible if like(s, answer)))
        else:
            after = []
            for s in states:
                said = Said()
                found = MODEL.step(s, op, said)
                told = [r for r in answer["said"] if op[0] != "send" or r[1]]
                if (said.results, said.events) == (told, answer["events"]) and like(found, answer):
                    after.append(found)
            possible, states = states, list(dict.fromkeys(after))
        assert states, (op, answer, possible)
    return cuts


def push(which: int, *then: Op) -> list[Op]:
    return [["offer", which], ["send", which, 99], ["apply", which], *then]


operation = st.one_of(
    st.tuples(st.sampled_from(["offer", "apply", "confirm", "revert"]), st.sampled_from(KNOWN)),
    st.tuples(st.just("send"), st.sampled_from(KNOWN), st.integers(1, 30)),
    st.tuples(st.just("push"), st.sampled_from(KNOWN), st.booleans()),
    st.tuples(st.just("push"), st.sampled_from(KNOWN), st.booleans()),
    st.tuples(st.just("cut"), st.integers(0, 40)),
    st.tuples(st.just("expire")),
    st.tuples(st.just("boot")),
    st.tuples(st.just("damage"), st.sampled_from(["good", "old"]), st.integers(-30, 5000)),
)


def plain(plan: list[tuple[Any, ...]]) -> list[Op]:
    ops: list[Op] = []
    for op in plan:
        if op[0] == "push":
            ops += push(op[1], *([["confirm", op[1]]] if op[2] else []))
        elif op[0] == "damage":  # noticed at boot; nothing to tear meanwhile
            ops += [["cut", -1], list(op), ["boot"]]
        else:
            ops.append(list(op))
    return [*ops, ["cut", -1], ["boot"], ["boot"]]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(operation, min_size=2, max_size=25), min_size=1, max_size=10))
def test_a_node_does_as_the_model_whatever_is_asked_and_cut(
    plans: list[list[tuple[Any, ...]]],
) -> None:
    jobs = [plain(plan) for plan in plans]
    for ops, answers in zip(jobs, play(jobs), strict=True):
        check(ops, answers)


# A life with everything in it: the first config, live ones, those that restart, ways back.
LIFE: list[Op] = [
    *push(3, ["confirm", 3]),
    *push(1, ["boot"], ["apply", 1], ["confirm", 1]),
    *push(2, ["revert", 2], ["apply", 2], ["expire"], ["apply", 2], ["confirm", 2]),
    *push(4, ["revert", 4], ["apply", 4], ["expire"], ["apply", 4], ["confirm", 4]),
]


def lives(count: int, seed: int) -> None:
    """Cut at a random write or erase of the life, once and sometimes again soon after."""
    chance = random.Random(seed)
    steps = sum(answer["steps"] for answer in play([LIFE])[0])
    jobs = []
    for _ in range(count):
        ops = list(LIFE)
        at = chance.randrange(len(ops))
        ops.insert(at, ["cut", chance.randrange(40)])
        if chance.random() < 0.3:
            ops.insert(chance.randrange(at + 1, len(ops)), ["cut", chance.randrange(20)])
        jobs.append([*ops, ["cut", -1], ["boot"], *push(2, ["confirm", 2])])
    cuts = 0
    for ops, answers in zip(jobs, play(jobs), strict=True):
        cuts += check(ops, answers)
        assert answers[-1]["version"] == 2, "it takes the next config as if nothing had been"
    assert cuts > count * 0.8, (cuts, steps)


def test_power_cuts_leave_a_whole_config() -> None:
    lives(100, 4)


@pytest.mark.soak
def test_a_thousand_power_cuts_leave_a_whole_config() -> None:
    lives(1000, 44)


def test_a_cut_at_every_write_and_erase_of_a_push() -> None:
    """No step of two transactions, one live and one with a restart, is left out."""
    for which in (1, 3):
        base = push(2, ["confirm", 2])
        jobs = []
        for at in range(60):
            ops = [*base, ["cut", at], *push(which, ["confirm", which])]
            jobs.append([*ops, ["cut", -1], ["boot"], ["boot"]])
        cuts = [check(ops, answers) for ops, answers in zip(jobs, play(jobs), strict=True)]
        reached = sum(cuts)
        assert cuts == [1] * reached + [0] * (60 - reached), "every write, one after the other"
        assert reached > 10


def test_the_first_config_can_be_cut_anywhere_too() -> None:
    jobs = [
        [["cut", at], *push(which, ["confirm", which]), ["cut", -1], ["boot"], ["boot"]]
        for at in range(50)
        for which in (1, 3)
    ]
    for ops, answers in zip(jobs, play(jobs), strict=True):
        check(ops, answers)
        assert answers[-1]["version"] in (0, ops[1][1])
