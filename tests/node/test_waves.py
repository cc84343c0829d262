"""A presence wave: eight nodes of a group, a broker, and no controller."""

from collections.abc import Iterator
from functools import partial
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices.ops243 import Ops243
from lampione_hil.virtual.traffic import TrafficStreet
from lampione_light import civil, layout

from tests.brokers import Broker
from tests.node import micro
from tests.node.configs import BY_SUN, MILAN, blob, flash, section
from tests.node.controller import Controller

PIN = 5
TIME, DONE = 5, 1
MIDNIGHT = civil.day_of(2026, 1, 15) * 86_400
BASE, BOOST, HOLD_S, REACH = 30, 90, 5, 2
KEY = bytes(range(16))
NAME = b"path-2"
SEES = 3  # which of them has a radar


def config(member: int, key: bytes = KEY) -> bytes:
    return blob(
        MILAN,
        BY_SUN,
        section(layout.LAMP, bytes([BASE, 10, 100])),
        section(layout.PRESENCE, pack(">BHBB", BOOST, HOLD_S, 10, REACH)),
        section(layout.GROUP, pack(">H", member), key, NAME),
    )


def shows(board: VirtualBoard, level_percent: int, timeout_s: float = 30) -> None:
    duty = level_percent * 65_535 // 100
    board.wait_pwm(PIN, duty - 400, duty + 400, timeout_s)


@pytest.fixture
def path(bench: VirtualBench, broker: Broker) -> Iterator[list[VirtualBoard]]:
    """Eight nodes of a path at midnight; one has a radar, before which somebody walks at times.

    They got the time from a controller that has gone since.
    """
    controller = Controller(broker)
    walkers = TrafficStreet(5, per_hour=0, walkers_per_hour=200)
    boards = []
    for member in range(8):
        parts: dict[str, Any] = {"lamp": {"pin": PIN}}
        world = World(street=None)
        if member == SEES:
            parts["radar"] = {"uart": 1, "tx": 15, "rx": 16}
            world.uarts[1] = Ops243(walkers)
        board = controller.node(bench, f"wave-{member}", world, parts=parts, report_interval_s=60)
        board.write_files(flash(config(member)))
        boards.append(board)
    for board in boards:
        board.power_on()
        name = board.name
        controller.wait_for("a hello", partial(controller.hellos.__getitem__, name))
        counter = controller.command(name, TIME, time=MIDNIGHT, time_ms=0)
        controller.outcome(name, counter, DONE)
    controller.close()
    yield boards
    for board in boards:
        board.power_off()


def test_it_passes_along_without_a_controller(path: list[VirtualBoard]) -> None:
    near = [b for n, b in enumerate(path) if n != SEES and abs(n - SEES) <= REACH]
    far = [b for n, b in enumerate(path) if abs(n - SEES) > REACH]
    shows(path[SEES], BOOST, 120)
    for board in near:
        shows(board, BOOST)
    for board in far:
        assert board.pwm_duty(PIN) < 40 * 655
        assert all(change.value < 40 * 655 for change in board.trace()[-2:])
    path[SEES].world.fault("ops243", "silent")
    for board in path:
        shows(board, BASE)


SET_UP = """
import json, sys
from lampione_node.waves import Waves
from lampione_protocol.errors import ProtocolError
class Clock:
    s = 190000000
    known = 3
    def now(self):
        return self.s
    def quality(self):
        return self.known
class Lighting:
    def __init__(self):
        self.heard = []
    def reach(self):
        return 2
    def hear(self, kind, level, hold_s, member):
        self.heard.append([level, hold_s, member])
def node(member, key=bytes(16), name=b"path", epoch=b"abcd", clock=Clock()):
    group = bytes([0, member]) + key + name
    return Waves(group, "milan", epoch, Lighting(), clock)
def take(waves, frame):
    try:
        waves.take(frame)
    except ProtocolError as error:
        return type(error).__name__
    return waves._lighting.heard[-1:]
def said(waves, level=80, hold_s=30):
    waves._said_ms = None
    waves.told(level, hold_s)
    return waves.frame()
"""


def told(script: str) -> list[Any]:
    return micro.run(SET_UP + script)


def test_only_news_of_the_group_raises_light() -> None:
    script = """
a, b = node(1), node(3)
frame = said(a)
print(json.dumps([a.topic, len(frame), take(b, frame)]))
print(json.dumps([take(b, frame), take(b, said(a, 100, 9999)), take(b, frame)]))
print(json.dumps([take(a, frame), take(node(4), frame)]))         # its own, and too far away
print(json.dumps([take(node(2, key=b"x" * 16), frame), take(node(2, name=b"lane"), frame)]))
print(json.dumps([take(b, said(node(1, epoch=b"efgh")))]))        # a sender that started anew
old = said(a)
Clock.s += 61
print(json.dumps([take(b, old)]))
Clock.known = 0
print(json.dumps([take(b, said(node(1))) if said(node(1)) else "says nothing"]))
print(json.dumps([take(b, frame[:n]) for n in (0, 5, 17, len(frame) - 1)]))
"""
    truncated = "TruncatedError"
    assert told(script) == [
        ["lampione/v1/milan/path/wave", 25, [[80, 30, 1]]],
        ["ReplayError", [[100, 510, 1]], "ReplayError"],
        [[], []],
        ["SealError", "SealError"],
        [[[80, 30, 1]]],
        ["ReplayError"],
        ["says nothing"],
        [truncated, truncated, truncated, "SealError"],
    ]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 25 * 8 - 1)), min_size=30))
def test_no_forged_frame_raises_light(cases: list[tuple[bytes, int]]) -> None:
    """Random bytes, and a real frame with one bit turned."""
    script = """
b = node(2)
frame = said(node(1))
for line in sys.stdin:
    data, bit = json.loads(line)
    turned = bytearray(frame)
    turned[bit >> 3] ^= 1 << (bit & 7)
    print(json.dumps([take(b, bytes(data)), take(b, bytes(turned)), b._lighting.heard]))
"""
    given_ = [(list(data), bit) for data, bit in cases]
    for one, other, heard in micro.run(SET_UP + script, *given_):
        assert heard == []
        assert isinstance(one, str) or one == []
        assert isinstance(other, str) or other == []


def test_who_walks_on_is_told_every_two_seconds() -> None:
    script = """
import lampione_node.waves as module
now = [0]
module.ticks_ms = lambda: now[0]
a = node(1)
count = 0
for now[0] in range(0, 10000, 100):
    a.told(80, 30)
    if a.due.is_set():
        count += a.frame() is not None
print(json.dumps(count))
"""
    assert told(script) == [5]
