"""Nodes as they ship on one virtual clock, with the bench's own broker between them."""

from collections.abc import Iterator
from typing import Any

import pytest
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_protocol import schema, topics

from tests.node.configs import flash
from tests.node.controller import SHARD, VirtualController, node_files
from tests.node.test_commands import HELLO
from tests.node.test_waves import BASE, BOOST, DONE, MIDNIGHT, PIN, TIME, config

KEYS = {"one": bytes(range(32)), "two": bytes(range(1, 33))}


@pytest.fixture
def desk() -> Iterator[VirtualController]:
    try:
        with VirtualBench(clock="virtual") as bench:
            yield VirtualController(bench)
    except NoInterpreterError as error:
        pytest.skip(str(error))


def node(
    desk: VirtualController, name: str, world: World | None = None, **settings: Any
) -> VirtualBoard:
    desk.keys[name] = KEYS[name]
    files = node_files(name, KEYS[name], 1883, **{"report_interval_s": 60, **settings})
    board = desk.bench.board(name, files, world=world or World(street=None))
    board.power_on()
    return board


def set_clock(desk: VirtualController, name: str) -> None:
    desk.wait_for("a hello", lambda: desk.hellos[name])
    desk.outcome(name, desk.command(name, TIME, time=MIDNIGHT, time_ms=0), DONE)


def test_two_nodes_say_hello_report_and_obey(desk: VirtualController) -> None:
    boards = [node(desk, name) for name in KEYS]
    for name in KEYS:
        set_clock(desk, name)
    desk.run_for(185)
    for name, board in zip(KEYS, boards, strict=True):
        spans = [report["duration_s"] for report in desk.of(name, schema.REPORT)]
        assert spans[-3:] == [60, 60, 60], board.console()
        assert desk.states[name] == topics.ONLINE
        # The watermark has come: nothing was sent again after it.
        assert max(desk.copies[name].values()) == 1
        assert desk.marks[name] >= 3
    assert {said.topic.split("/")[3] for said in desk.bench.hub.published()} == set(KEYS)


def test_a_wave_passes_from_one_to_the_other(desk: VirtualController) -> None:
    parts = {"lamp": {"pin": PIN}}
    world = World(street=None)
    world.uarts[1] = Ops243(TrafficStreet(5, per_hour=0, walkers_per_hour=200))
    seer = node(desk, "one", world, parts={**parts, "radar": {"uart": 1, "tx": 15, "rx": 16}})
    other = node(desk, "two", parts=parts)
    for member, board in enumerate((seer, other)):
        board.power_off()
        board.write_files(flash(config(member)))
        board.power_on()
    for name in KEYS:
        set_clock(desk, name)
    boost = BOOST * 65_535 // 100

    def rises(board: VirtualBoard) -> int:
        """Return when the lamp began to rise above its base; how it started does not count."""
        lit = [c for c in board.trace() if c.kind == "pwm" and c.us > 1_000_000]
        return next((c.us for c in lit if c.value > (BASE + 5) * 655 + 400), 0)

    desk.wait_for("the other's light", lambda: other.pwm_duty(PIN) > boost - 400, 120)
    assert 0 < rises(seer) < rises(other)
    wave = next(s for s in desk.bench.hub.published() if s.topic.endswith("/wave"))
    assert wave.topic == f"lampione/v1/{SHARD}/path-2/wave"
    assert rises(seer) - 500_000 < wave.us < rises(other)


def test_the_same_again() -> None:
    """Two nodes, a hub that fails, air that fails: every time and every byte is the same."""
    hashes = set()
    for step_s in (0.25, 0.25, 0.25):
        try:
            with VirtualBench(clock="virtual") as bench:
                desk = VirtualController(bench, step_s)
                boards = [node(desk, name, report_interval_s=5) for name in KEYS]
                for name in KEYS:
                    set_clock(desk, name)
                bench.hub.up(False)
                desk.run_for(20)
                bench.hub.up(True)
                boards[0].world.wifi(False)
                desk.run_for(30)
                boards[0].world.wifi(True)
                boards[1].power_off()
                desk.run_for(120)
                assert desk.states["two"] == topics.OFFLINE
                for name in KEYS:
                    held = [seq for _, _, seq in desk.raw[name]]
                    assert held == list(range(min(held), max(held) + 1))
                assert len(desk.of("one", schema.REPORT)) > 30
                hashes.add(bench.trace_hash())
        except NoInterpreterError as error:
            pytest.skip(str(error))
    assert len(hashes) == 1


def test_a_clock_that_drifts_is_set_right_again(desk: VirtualController) -> None:
    """A crystal 100 ppm fast gains 0.36 s an hour; the time of the next command ends that."""
    node(desk, "one", World(street=None, crystal_ppm=100.0))
    minute_us = 60_000_000

    def set_now() -> None:
        known, ever = len(desk.hellos["one"]), 2**31 - 2
        desk.command("one", HELLO, ask=b"\1\2\3\4", expires=ever)
        desk.wait_for("a fresh challenge", lambda: len(desk.hellos["one"]) > known)
        second, us = divmod(round(desk.now_s * 1e6), 1_000_000)
        about = {"time": MIDNIGHT + second, "time_ms": us // 1000, "expires": ever}
        desk.outcome("one", desk.command("one", TIME, **about), DONE)

    def late_us() -> int:
        """Return how long after the minute, or before it, its last Report came to the hub."""
        seen = len(desk.of("one", schema.REPORT))
        desk.wait_for("two reports", lambda: len(desk.of("one", schema.REPORT)) > seen + 1, 130)
        reports = [
            said
            for said in desk.bench.hub.published()
            if said.topic.endswith("one/up") and said.payload[0] & 31 == schema.REPORT
        ]
        return (reports[-1].us + minute_us // 2) % minute_us - minute_us // 2

    desk.wait_for("a hello", lambda: desk.hellos["one"])
    set_now()
    first_us = late_us()
    desk.run_for(3600, step_s=10)
    fast_us = first_us - late_us()
    set_now()
    again_us = late_us()
    assert 350_000 < fast_us < 380_000
    assert abs(again_us - first_us) < 30_000
