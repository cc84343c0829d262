"""DALI frames, answers and dimming curves under MicroPython; python-dali, nobody here's, agrees."""

import itertools
from decimal import Decimal, getcontext
from typing import Any

from dali import frame as dali_frame
from dali.address import GearBroadcast, GearGroup, GearShort
from dali.command import Command, from_frame
from dali.gear import general as gear
from dali.gear import led
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione_hil.virtual.devices import dali_wire as wire

from tests.node import micro

GARBLED = -1
TE_US = 1250 / 3

_CODEC = """
import json, sys
from lampione_node.drivers import dali
def ticks_diff(end, start):  # as the board's, which wrap at 2 ** 30
    return (end - start + (1 << 29) & (1 << 30) - 1) - (1 << 29)
for line in sys.stdin:
    what, values = json.loads(line)
    if what == "forward":
        out = [dali.forward(value) for value in values]
    elif what == "backward":
        out = [dali.backward(value, 0, len(value), ticks_diff) for value in values]
    elif what == "level":
        out = [[dali.level_of(value, linear) for value in values] for linear in (False, True)]
    else:
        out = [[dali.arc_of(value, linear) for value in values] for linear in (False, True)]
    print(json.dumps(out))
"""


def codec(what: str, values: list[Any]) -> Any:
    (found,) = micro.run(_CODEC, [what, values])
    return found


def manchester(bits: str) -> str:
    """The half-bits of a frame, start bit first."""
    return "".join("01" if bit == "1" else "10" for bit in "1" + bits)


def test_forward_frames_are_manchester() -> None:
    """All patterns of the first byte and of the second; the pulses of 417 and 833 µs."""
    values = [n << 8 | (n * 37 + 5) % 256 for n in range(256)] + [0, 0xFFFF, 0x5555, 0xAAAA]
    for value, pulses in zip(values, codec("forward", values), strict=True):
        levels = ""
        for n, ticks in enumerate(pulses):
            assert ticks in (4167, 8333)
            levels += str(n % 2) * (1 if ticks == 4167 else 2)
        assert levels.ljust(34, "1") == manchester(f"{value:016b}")
        assert pulses == codec_once(pulses)
        assert sum(pulses) <= 34 * 4167


def codec_once(pulses: list[int]) -> list[int]:
    """What a receiver of the model's makes of it: the same line."""
    at, changes = 0.0, [0.0]
    for ticks in pulses:
        at += ticks / 10
        changes.append(at)
    changes = changes[: len(changes) // 2 * 2]
    bits = wire.bits(changes)
    assert bits is not None
    assert len(bits) == 16
    return pulses


def durations(value: int) -> list[int]:
    """The runs of a backward frame in half-bits: low, high, low, ... without the idle end."""
    runs = [len(list(run)) for _, run in itertools.groupby(manchester(f"{value:08b}"))]
    return runs if len(runs) % 2 else runs[:-1]


def at_times(runs: list[float], start: int = 0) -> list[int]:
    return [round(at) & 0x3FFFFFFF for at in itertools.accumulate([start, *runs])]


def test_every_byte_is_understood() -> None:
    values = list(range(256))
    answers = [at_times([n * TE_US for n in durations(value)]) for value in values]
    assert codec("backward", answers) == values
    # where the board's ticks wrap
    answers = [at_times([n * TE_US for n in durations(v)], (1 << 30) - 3000) for v in values]
    assert codec("backward", answers) == values
    assert codec("backward", [[]]) == [None]


HALF, WHOLE = st.integers(334, 500), st.integers(667, 1000)


@st.composite
def jittered(draw: st.DrawFn) -> tuple[int, list[int]]:
    value = draw(st.integers(0, 255))
    runs = [draw(HALF if n == 1 else WHOLE) for n in durations(value)]
    return value, at_times([float(run) for run in runs], draw(st.integers(0, (1 << 30) - 1)))


@settings(max_examples=12, deadline=None)
@given(st.lists(jittered(), min_size=1, max_size=40))
def test_within_the_receivers_tolerances_every_byte_is_understood(drawn: list[Any]) -> None:
    assert codec("backward", [edges for _, edges in drawn]) == [value for value, _ in drawn]


LATE = st.lists(st.integers(0, 80), min_size=20, max_size=20)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), LATE), min_size=1, max_size=40))
def test_an_interrupt_may_be_80_us_late(drawn: list[tuple[int, list[int]]]) -> None:
    """The board's stamps are taken between two steps of the interpreter."""
    answers = [
        [
            at + late
            for at, late in zip(at_times([n * TE_US for n in durations(v)]), lates, strict=False)
        ]
        for v, lates in drawn
    ]
    assert codec("backward", answers) == [value for value, _ in drawn]


TIMES = st.lists(st.integers(0, 30_000), max_size=40).map(sorted)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.one_of(TIMES, st.lists(st.integers(0, (1 << 30) - 1), max_size=64)), max_size=40)
)
def test_garbage_is_no_crash(drawn: list[list[int]]) -> None:
    for edges, found in zip(drawn, codec("backward", drawn), strict=True):
        assert found is None if not edges else -1 <= found <= 255


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 30), st.integers(250, 2000)), max_size=40
    )
)
def test_an_edge_far_out_of_place_is_no_byte(drawn: list[tuple[int, int, int]]) -> None:
    """A frame with one run of a length that no half-bit and no bit has."""
    answers = []
    for value, place, us in drawn:
        runs = [n * TE_US for n in durations(value)]
        runs[place % len(runs)] = us if us < 310 else 1020.0 + us
        answers.append(at_times(runs))
    assert codec("backward", answers) == [GARBLED] * len(drawn)


def test_frames_cut_or_doubled_are_no_bytes() -> None:
    answers = []
    for value in range(256):
        whole = at_times([n * TE_US for n in durations(value)])
        answers += [whole[:-1], whole[:-2], [*whole, whole[-1] + 3000, whole[-1] + 3417]]
    assert set(codec("backward", answers)) == {GARBLED}


# The curve

getcontext().prec = 40


def light(arc: int) -> Decimal:
    """The standard's formula, in 0.01 %."""
    return 100 * Decimal(10) ** ((arc - 1) / (Decimal(253) / 3) - 1)


def test_the_curve_at_every_level() -> None:
    arcs = list(range(255))
    found, linear = codec("level", arcs)
    assert found == [0] + [round(light(arc)) for arc in arcs[1:]]
    assert linear == [round(Decimal(arc * 10000) / 254) for arc in arcs]
    assert [found[arc] for arc in (1, 170, 229, 254)] == [10, 1009, 5053, 10000]


def test_the_curve_backwards_is_the_nearest_level() -> None:
    levels = list(range(10001))
    found, linear = codec("arc", levels)
    exact = [light(arc) for arc in range(1, 255)]
    arc = 1
    for level in levels[1:]:
        while arc < 254 and abs(exact[arc] - level) < abs(exact[arc - 1] - level):
            arc += 1
        assert found[level] == arc, level
        assert abs(Decimal(level * 254) / 10000 - linear[level]) <= max(
            Decimal("0.5"), 1 - Decimal(level * 254) / 10000
        )
    assert found[0] == linear[0] == 0
    there, straight = codec("level", found)
    back = codec("arc", there)[0]
    assert codec("level", back)[0] == there
    assert codec("arc", codec("level", list(range(255)))[1])[1] == list(range(255))
    assert min(straight[1:]) > 0


# The frames of the driver

_COMMANDS = """
import asyncio, json, sys
from lampione_node.drivers import d4i, dali_gear
class Line:
    def __init__(self, answers):
        self.sent = []
        self.answers = answers
    async def send(self, address, data, answer=False, twice=False):
        self.sent.append([address << 8 | data, answer, twice])
        return self.answers.pop(0) if answer and self.answers else None
async def run(step, gear):
    name, arguments = step
    if name in ("energy", "diagnostics"):
        return await getattr(d4i, name)(gear, *arguments)
    if name == "read":
        buf = bytearray(arguments[2])
        return await gear.read(arguments[0], arguments[1], buf, arguments[3]), list(buf)
    return await getattr(gear, name)(*arguments)
for case in sys.stdin:
    to, step, answers = json.loads(case)
    line = Line(answers)
    found = asyncio.run(run(step, dali_gear.Gear(line, **to)))
    print(json.dumps([line.sent, found]))
"""


def sent(to: dict[str, int], step: list[Any], answers: list[int | None] | None = None) -> Any:
    (found,) = micro.run(_COMMANDS, [to, step, answers or []])
    return found


def read_by_dali(frames: list[Any]) -> list[Command]:
    """What python-dali reads in frames; it says the same of answers and of sending twice."""
    found = []
    device_type = 0
    for value, answer, twice in frames:
        command = from_frame(dali_frame.ForwardFrame(16, value), devicetype=device_type)
        device_type = command.param if isinstance(command, gear.EnableDeviceType) else 0
        assert command.is_query == answer, command
        assert command.sendtwice == twice, command
        found.append(command)
    return found


def texts(frames: list[Any]) -> list[str]:
    return [str(command) for command in read_by_dali(frames)]


TO: list[tuple[dict[str, int], Any]] = [
    ({}, GearBroadcast()),
    *(({"address": n}, GearShort(n)) for n in (0, 1, 31, 63)),
    *(({"group": n}, GearGroup(n)) for n in (0, 7, 15)),
]


def test_every_command_is_what_dali_reads() -> None:
    for to, address in TO:
        cases: list[tuple[list[Any], list[int | None], list[Command]]] = [
            (["dapc", [0]], [], [gear.DAPC(address, 0)]),
            (["dapc", [254]], [], [gear.DAPC(address, 254)]),
            (["do", [0x00]], [], [gear.Off(address)]),
            (["do", [0x05]], [], [gear.RecallMaxLevel(address)]),
            (["ask", [0x90]], [0], [gear.QueryStatus(address)]),
            (["ask", [0x92]], [255], [gear.QueryLampFailure(address)]),
            (["ask", [0xA0]], [7], [gear.QueryActualLevel(address)]),
            (
                ["be_safe", [200]],
                [254, 200, 254, 200],
                [
                    gear.QueryPowerOnLevel(address),
                    gear.DTR0(200),
                    gear.SetPowerOnLevel(address),
                    gear.QueryPowerOnLevel(address),
                    gear.QuerySystemFailureLevel(address),
                    gear.DTR0(200),
                    gear.SetSystemFailureLevel(address),
                    gear.QuerySystemFailureLevel(address),
                ],
            ),
            (
                ["fade", [200]],
                [0x47, 0, 0x11],
                [
                    gear.QueryFadeTimeFadeRate(address),
                    gear.DTR0(0),
                    gear.SetFadeTime(address),
                    gear.QueryExtendedFadeTime(address),
                    gear.DTR0(0x11),
                    gear.SetExtendedFadeTime(address),
                    gear.QueryExtendedFadeTime(address),
                ],
            ),
            (
                ["linear", []],
                [1],
                [gear.EnableDeviceType(6), led.QueryDimmingCurve(address)],
            ),
            (
                ["read", [202, 4, 2, True]],
                [1, 2, 6, 202],
                [
                    gear.DTR1(202),
                    gear.DTR0(2),
                    gear.EnableWriteMemory(address),
                    gear.WriteMemoryLocationNoReply(0xAA),
                    gear.DTR0(4),
                    gear.ReadMemoryLocation(address),
                    gear.ReadMemoryLocation(address),
                    gear.QueryContentDTR0(address),
                    gear.QueryContentDTR1(address),
                ],
            ),
        ]
        printed = micro.run(_COMMANDS, *([to, step, answers] for step, answers, _ in cases))
        for (step, _, expected), (frames, _) in zip(cases, printed, strict=True):
            assert [f.frame for f in read_by_dali(frames)] == [c.frame for c in expected], step
            assert texts(frames) == [str(c) for c in expected], step


def test_settings_that_are_right_are_not_written() -> None:
    """Nor is anything where nobody answers, or somebody else's receiver would be worn out."""
    frames, found = sent({"address": 3}, ["be_safe", [200]], [200, 200])
    assert found is True
    assert texts(frames) == [
        "QueryPowerOnLevel(<address (control gear) 3>)",
        "QuerySystemFailureLevel(<address (control gear) 3>)",
    ]
    frames, found = sent({"address": 3}, ["be_safe", [200]])
    assert found is False
    assert {value for value, _, _ in frames} == {0x07A3, 0x07A4}
    frames, found = sent({"address": 3}, ["fade", [200]])
    assert found is False
    assert {value for value, _, _ in frames} == {0x07A5, 0x07A8}


def test_a_question_is_asked_three_times() -> None:
    for answers, expected, times in (
        ([None, None, 7], 7, 3),
        ([-1, 5], 5, 2),
        ([None, -1, None, 9], None, 3),
        ([-1, -1, -1], -1, 3),
    ):
        frames, found = sent({}, ["ask", [0x90]], list(answers))
        assert (found, len(frames)) == (expected, times)


FADES_S = {
    0: 0x00,
    49: 0x00,
    50: 0x10,
    100: 0x10,
    200: 0x11,
    1600: 0x1F,
    1700: 0x21,
    16_000: 0x2F,
    20_000: 0x31,
    160_000: 0x3F,
    180_000: 0x42,
    960_000: 0x4F,
    9_000_000: 0x4F,
}


def test_extended_fades() -> None:
    script = """
import json, sys
from lampione_node.drivers.dali_gear import extended_fade
print(json.dumps([extended_fade(ms) for ms in json.loads(sys.stdin.readline())]))
"""
    (found,) = micro.run(script, list(FADES_S))
    assert found == list(FADES_S.values())


def test_a_bank_that_cannot_be_believed() -> None:
    """DTR0 or DTR1 is not where it should be: a frame was lost, the bytes are others."""
    step = ["read", [202, 4, 3, False]]
    assert sent({}, step, [1, 2, 3, 7, 202])[1] == [3, [1, 2, 3]]
    assert sent({}, step, [1, 2, 3, 6, 202])[1][0] == -1
    assert sent({}, step, [1, 2, 3, 7, 0])[1][0] == -1
    assert sent({}, step, [1, -1])[1][0] == -1
    assert sent({}, step, [1, None, 5, 202])[1][0] == 1
    assert sent({}, step, [1, None, 6, 202])[1][0] == 1
    assert sent({}, step, [None, None, None, None])[1][0] == -1


def test_addresses_that_are_none() -> None:
    script = """
import json, sys
from lampione_node.drivers.dali_gear import Gear
out = []
for to in json.loads(sys.stdin.readline()):
    try:
        Gear(None, **to)
        out.append(1)
    except ValueError:
        out.append(0)
print(json.dumps(out))
"""
    wrong = [{"address": 64}, {"address": -1}, {"group": 16}, {"address": 1, "group": 1}]
    (found,) = micro.run(script, [*wrong, {}, {"group": 0}])
    assert found == [0, 0, 0, 0, 1, 1]
