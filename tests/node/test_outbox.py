"""The outbox on LittleFS: what was committed is there after any power cut, unless it was dropped.

The node's own code runs under MicroPython against a flash in memory; the model is here.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter

ROOT = Path(__file__).parents[2]
BOARD = Path(__file__).with_name("outbox_board.py")
LIMIT = 5 * 4096


def run(jobs: list[dict[str, Any]]) -> list[Any]:
    """Play lists of operations, each on a flash of its own."""
    out = interpreter.run(
        ["-X", "heapsize=32m", str(BOARD)],
        path=[ROOT / "firmware", ROOT / "protocol"],
        stdin="".join(json.dumps(job) + "\n" for job in jobs).encode(),
    )
    answers = [json.loads(line[1:]) for line in out.splitlines() if line.startswith(b"=")]
    assert len(answers) == len(jobs), out[-2000:].decode()
    return answers


def play(ops: list[list[Any]], blocks: int = 32, limit: int = LIMIT) -> list[Any]:
    answer = run([{"blocks": blocks, "limit": limit, "base": None, "ops": ops}])[0]
    assert answer is not None, "the power failed where nothing was written"
    return answer  # type: ignore[no-any-return]


def check(answers: list[Any], limit: int) -> None:
    """Hold the model against what the node said."""
    kept: dict[int, str] = {}
    torn: dict[int, str] = {}
    highest = 0
    for answer in answers:
        if answer[0] in ("kept", "torn"):
            _, seq, frame = answer
            assert seq > highest, "a number was given twice to committed frames"
            if answer[0] == "kept":
                highest = seq
                kept[seq] = frame
                torn.pop(seq, None)
            else:
                torn[seq] = frame
        elif answer[0] == "read":
            _, found, holes, facts = answer
            assert facts["segments"] * 4096 <= limit
            assert facts["bytes"] <= limit
            assert facts["next"] > highest
            read = dict(found)
            assert [seq for seq, _ in found] == sorted(read)
            missing = {seq for first, last in holes for seq in range(first, last + 1)}
            assert not missing & set(kept), "a committed frame was lost"
            for seq, frame in kept.items():
                if seq >= facts["oldest"]:
                    assert read.get(seq) == frame
            for seq, frame in read.items():
                assert frame in (kept.get(seq), torn.get(seq))
                kept[seq] = frame  # a torn commit that made it stays


operation = st.one_of(
    st.tuples(st.just("commit"), st.integers(19, 51)),
    st.tuples(st.just("commit"), st.integers(19, 51)),
    st.tuples(st.just("burst"), st.integers(1, 120)),
    st.tuples(st.just("cut"), st.integers(0, 12)),
    st.tuples(st.just("boot")),
    st.tuples(st.just("ack"), st.integers(0, 40)),
    st.tuples(st.just("remember")),
    st.tuples(st.just("read")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(operation, min_size=3, max_size=40))
def test_what_was_committed_is_read_back_after_any_cut(plan: list[tuple[Any, ...]]) -> None:
    ops: list[list[Any]] = []
    for op in plan:
        if op[0] == "burst":
            ops += [["commit", 51]] * op[1]
        elif op[0] == "boot":
            ops += [["cut", -1], ["boot"]]  # a boot reads only; nothing to tear
        else:
            ops.append(list(op))
    check(play([*ops, ["cut", -1], ["read"], ["boot"], ["read"]]), LIMIT)


def test_a_cut_at_every_write_of_a_segments_life() -> None:
    """Every write of 90 commits, which cross a segment's end and drop an old segment, is torn."""
    jobs = []
    for at in range(220):
        ops: list[list[Any]] = [["cut", at], *[["commit", 51]] * 90]
        ops += [["cut", -1], ["read"], ["boot"], ["read"]]
        base: list[list[Any]] = [*[["commit", 51]] * 120, ["boot"]]
        jobs.append({"blocks": 16, "limit": 2 * 4096, "base": base, "ops": ops})
    torn = 0
    for answers in run(jobs):
        check(answers, 2 * 4096)
        torn += sum(answer[0] == "torn" for answer in answers)
    assert torn > 200


BURSTS = st.lists(st.tuples(st.integers(1, 40), st.integers(19, 51)), min_size=1, max_size=12)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BURSTS)
def test_whoever_follows_reads_every_frame_once(bursts: list[tuple[int, int]]) -> None:
    """However many frames come between two looks, across the ends of segments, too."""
    follow_bursts(bursts)


@pytest.mark.soak
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BURSTS)
def test_whoever_follows_for_long_reads_every_frame_once(bursts: list[tuple[int, int]]) -> None:
    follow_bursts(bursts)


def follow_bursts(bursts: list[tuple[int, int]]) -> None:
    ops: list[list[Any]] = []
    for count, size in bursts:
        ops += [["commit", size]] * count + [["follow"]]
    follow(ops)


def test_the_last_frame_of_a_segment_is_read_though_the_next_has_begun() -> None:
    for before in range(70, 75):  # 73 records of 56 bytes fill a segment
        follow([["commit", 51]] * before + [["follow"]] + [["commit", 51]] * 2 + [["follow"]])


def follow(ops: list[list[Any]]) -> None:
    answers = play(ops, limit=1 << 20, blocks=64)
    kept = [answer[1] for answer in answers if answer[0] == "kept"]
    looks = [answer for answer in answers if answer[0] == "follow"]
    assert [seq for look in looks for seq, _ in look[1]] == kept
    assert looks[-1][2] == []


def test_the_oldest_go_first_and_only_unacknowledged_ones_count() -> None:
    ops: list[list[Any]] = [["commit", 51]] * 200 + [["ack", 100]] + [["commit", 51]] * 400
    answers = play([*ops, ["read"]])
    facts = answers[-1][3]
    assert facts["segments"] == 5
    assert facts["oldest"] > 101
    assert facts["dropped"] == facts["oldest"] - 101
    assert facts["depth"] == facts["next"] - facts["oldest"]
    check(answers, LIMIT)


def test_acknowledged_frames_stay_until_room_is_needed() -> None:
    ops: list[list[Any]] = [["commit", 40]] * 50 + [["ack", 0], ["remember"], ["boot"]]
    answers = play([*ops, ["range", 10, 12], ["read"]])
    assert [seq for seq, _ in answers[-2][1]] == [10, 11, 12]
    facts = answers[-1][3]
    assert (facts["oldest"], facts["depth"], facts["dropped"]) == (1, 0, 0)


def test_a_full_flash_costs_old_frames_and_nothing_else() -> None:
    ops: list[list[Any]] = [["commit", 51]] * 150 + [["fill", 64]] + [["commit", 51]] * 150
    answers = play([*ops, ["read"], ["boot"], ["read"]], blocks=16, limit=1 << 20)
    assert sum(answer[0] == "kept" for answer in answers) > 150
    check(answers, 1 << 20)
    assert answers[-1][3]["oldest"] > 1


def test_damage_costs_the_record_it_touches_and_is_told() -> None:
    commits: list[list[Any]] = [["commit", 51]] * 100
    for damage, holes in (
        (["damage", 0, 60, 1], 1),  # within a frame
        (["damage", 0, 56 * 4 - 1, 1], 1),  # a length
        (["damage", 0, 56 * 5, 112], 2),  # two frames whole
    ):
        answers = play([*commits, damage, ["commit", 51], ["boot"], ["read"]])
        _, found, told, facts = answers[-1]
        lost = {seq for first, last in told for seq in range(first, last + 1)}
        assert holes <= len(lost) <= holes + 1
        assert {seq for seq, _ in found} | lost == set(range(1, facts["next"]))


def test_a_damaged_end_gives_no_number_twice() -> None:
    commits: list[list[Any]] = [["commit", 51]] * 20
    answers = play([*commits, ["damage", 0, 0, 200], ["boot"], ["commit", 51], ["read"]])
    assert answers[-2][1] > 20
    assert answers[-1][2][0][0] == 17, "the four damaged frames are told as lost"
