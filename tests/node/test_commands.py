"""What a node does with commands, end to end: real firmware, real broker."""

import itertools

import pytest
from lampione_hil.virtual import VirtualBench, VirtualBoard
from lampione_protocol import schema

from tests.node.controller import Controller

READ, LEVEL, RESUME, IDENTIFY, REBOOT, TIME, HELLO, FETCH = range(8)
MAINTENANCE = 10
ACCEPTED, DONE, REFUSED = range(3)
EXPIRED, NO_CHALLENGE, UNKNOWN, RANGE, NO_PART, NOT_HELD, BUSY, TOO_OLD = range(1, 9)
CLOCK_SET = 1
NOON = 217_000_000  # some second of 2026
PIN = 5

_numbers = itertools.count(1)


@pytest.fixture
def node(bench: VirtualBench, controller: Controller) -> str:
    """A node that has said hello and whose lamp burns at 100 %."""
    name = f"commands-{next(_numbers)}"
    controller.node(bench, name).power_on()
    controller.wait_for("a hello", lambda: controller.hellos[name])
    return name


def set_clock(controller: Controller, node: str, seconds: int = NOON) -> None:
    counter = controller.command(node, TIME, time=seconds, time_ms=0)
    controller.outcome(node, counter, DONE)


def duty(bench: VirtualBench, node: str) -> int:
    """Return the lamp's level in percent."""
    return round(bench.boards[node].pwm_duty(PIN) * 100 / 65535)


def test_a_level_is_accepted_ramps_and_is_done(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    counter = controller.command(node, LEVEL, level=40, ramp=5, for_s=600)
    assert controller.outcome(node, counter, ACCEPTED)["op"] == LEVEL
    assert controller.outcome(node, counter, DONE)["level"] == 40
    assert duty(bench, node) == 40
    counter = controller.command(node, READ)
    result = controller.outcome(node, counter, DONE)
    assert (result["level"], 590 <= result["value"] <= 600) == (40, True)
    counter = controller.command(node, RESUME)
    assert controller.outcome(node, counter, DONE)["level"] == 100
    assert duty(bench, node) == 100


def test_an_override_ends_by_itself(bench: VirtualBench, controller: Controller, node: str) -> None:
    counter = controller.command(node, LEVEL, level=20, for_s=1)
    assert controller.outcome(node, counter, DONE)["level"] == 20
    bench.boards[node].wait_pwm(PIN, 65535, 65535)
    controller.wait_for("its event", lambda: controller.events(node, 7))


def test_another_order_supersedes_one_that_is_not_done(controller: Controller, node: str) -> None:
    first = controller.command(node, LEVEL, level=40, ramp=600, for_s=600)
    controller.outcome(node, first, ACCEPTED)
    second = controller.command(node, LEVEL, level=50, for_s=600)
    controller.outcome(node, second, DONE)
    assert controller.outcome(node, first, REFUSED)["reason"] == BUSY


def test_identify_blinks_and_ends(bench: VirtualBench, controller: Controller, node: str) -> None:
    counter = controller.command(node, IDENTIFY, for_s=1)
    controller.outcome(node, counter, ACCEPTED)
    controller.outcome(node, counter, DONE)
    levels = {change.value for change in bench.boards[node].trace() if change.pin == PIN}
    assert len(levels) >= 2, "nothing blinked"
    bench.boards[node].wait_pwm(PIN, 65535, 65535)


@pytest.mark.parametrize(("op", "level"), [(MAINTENANCE, 0), (LEVEL, 40)])
def test_an_order_ends_a_signal(
    bench: VirtualBench, controller: Controller, node: str, op: int, level: int
) -> None:
    signal = controller.command(node, IDENTIFY, for_s=600)
    controller.outcome(node, signal, ACCEPTED)
    order = controller.command(node, op, level=level, for_s=600)
    assert controller.outcome(node, order, DONE)["level"] == level
    assert controller.outcome(node, signal, REFUSED)["reason"] == BUSY
    assert duty(bench, node) == level


def test_what_cannot_be_done_is_refused_with_the_reason(controller: Controller, node: str) -> None:
    for fields, reason in (
        ({"op": LEVEL, "level": 40, "for_s": None}, RANGE),
        ({"op": LEVEL, "level": None, "for_s": 5}, RANGE),
        ({"op": 40}, UNKNOWN),
        ({"op": LEVEL, "level": 40, "for_s": 5, "challenge": bytes(4)}, NO_CHALLENGE),
        ({"op": TIME, "time": NOON, "challenge": b"\1\2\3\4"}, NO_CHALLENGE),
        ({"op": TIME, "time": 5}, RANGE),
        ({"op": FETCH, "first_seq": 5, "last_seq": 4}, RANGE),
        ({"op": FETCH, "first_seq": 900, "last_seq": 950}, NOT_HELD),
    ):
        counter = controller.command(node, **fields)
        assert controller.outcome(node, counter, REFUSED)["reason"] == reason, fields


def test_an_expired_command_does_nothing(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    set_clock(controller, node)
    counter = controller.command(node, LEVEL, level=0, for_s=60, expires=NOON - 1)
    assert controller.outcome(node, counter, REFUSED)["reason"] == EXPIRED
    assert duty(bench, node) == 100
    # With the clock set, a command needs no challenge.
    counter = controller.command(
        node, LEVEL, level=60, for_s=60, expires=NOON + 60, challenge=bytes(4)
    )
    controller.outcome(node, counter, DONE)
    assert duty(bench, node) == 60


def test_the_clock_is_set_and_reports_follow(controller: Controller, node: str) -> None:
    controller.wait_for("a report", lambda: controller.of(node, schema.REPORT))
    set_clock(controller, node)
    event = controller.events(node, CLOCK_SET)[0]
    assert 0 <= event["time"] - NOON <= 1
    assert 0 <= event["argument"] < 30

    def dated() -> list[dict[str, int]]:
        return [r for r in controller.of(node, schema.REPORT) if r["clock"] == 3]

    controller.wait_for("reports with the time", lambda: len(dated()) >= 3)
    undated = [r for r in controller.of(node, schema.REPORT) if r["clock"] == 0]
    assert undated
    assert all(r["start"] < 100 for r in undated)
    starts = [r["start"] for r in dated()]
    assert starts == list(range(starts[0], starts[0] + len(starts)))
    assert NOON <= starts[0] <= NOON + 2
    assert all(r["duration_s"] == 1 for r in dated())


def test_a_replay_is_refused_even_after_a_reboot_and_counted(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    frame = controller.send(
        node,
        schema.COMMAND,
        [LEVEL, None, controller.hellos[node][-1]["challenge"], None, 30, 0, 600],
    )
    board = bench.boards[node]
    board.wait_pwm(PIN, 19000, 20000)
    controller.outcome(node, controller.command(node, RESUME), DONE)
    controller.publish(node, frame)
    controller.wait_for("its event", lambda: controller.events(node, 6))
    assert controller.events(node, 6)[0]["argument"] == 4_000_001
    assert duty(bench, node) == 100
    counter = controller.command(node, REBOOT)
    controller.outcome(node, counter, DONE)
    board.wait_boots(2)
    controller.wait_for("a second hello", lambda: len(controller.hellos[node]) >= 2)
    assert controller.hellos[node][-1]["last_counter"] == counter
    controller.publish(node, frame)  # of another epoch now
    controller.wait_for(
        "its event", lambda: any(e["argument"] // 1000000 == 2 for e in controller.events(node, 6))
    )
    assert duty(bench, node) == 100


def test_hello_answers_what_it_was_asked(controller: Controller, node: str) -> None:
    before = len(controller.hellos[node])
    counter = controller.command(node, HELLO, ask=b"\x11\x22\x33\x44")
    controller.outcome(node, counter, DONE)
    controller.wait_for("a hello", lambda: len(controller.hellos[node]) > before)
    assert controller.hellos[node][-1]["answer"] == b"\x11\x22\x33\x44"


def test_what_was_acknowledged_is_sent_again_when_fetched(
    controller: Controller, node: str
) -> None:
    controller.wait_for("five frames", lambda: controller.marks[node] >= 5)
    once = dict(controller.copies[node])
    counter = controller.command(node, FETCH, first_seq=2, last_seq=4)
    assert controller.outcome(node, counter, DONE)["value"] == 2
    again = [identity for identity in once if 2 <= identity[2] <= 4]
    assert len(again) == 3
    controller.wait_for("copies", lambda: all(controller.copies[node][i] > once[i] for i in again))


def test_a_node_without_a_lamp_says_so(bench: VirtualBench, controller: Controller) -> None:
    board: VirtualBoard = controller.node(bench, "no-lamp", parts={})
    board.power_on()
    controller.wait_for("a hello", lambda: controller.hellos["no-lamp"])
    counter = controller.command("no-lamp", LEVEL, level=40, for_s=5)
    result = controller.outcome("no-lamp", counter, REFUSED)
    assert (result["reason"], result["level"]) == (NO_PART, None)
