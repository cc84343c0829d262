"""The instrument board by itself: its firmware on a virtual board, its host at the port."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil import instrument, interpreter
from lampione_hil.board import BenchError, BoardTimeoutError
from lampione_hil.firmware import ESP32
from lampione_hil.instrument import Heard, Instrument, InstrumentError
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices.dali_bus import DaliBus
from lampione_hil.virtual.devices.dali_gear import Gear
from lampione_protocol import bench as words
from lampione_protocol import stream

from tests.hil import instrument_rig as rig

SOURCES = Path(instrument.__file__).parents[1] / "instrument"


@pytest.fixture(scope="module")
def alone(bench: VirtualBench) -> VirtualBoard:
    """An instrument whose spare pins lead to its own inputs."""
    made = rig.board(bench, "alone")
    bench.wire(made, rig.PWM_SPARE, made, rig.PWM_IN)
    bench.wire(made, rig.PWM_SPARE, made, rig.VOLTAGE, "volts", full_uv=2_500_000)
    bench.wire(made, rig.DRIVE, made, rig.LEVEL)
    bench.wire(made, 0, made, 1, "uart")
    made.power_on()
    return made


@pytest.fixture
def held(alone: VirtualBoard) -> Iterator[Instrument]:
    with Instrument(alone.port) as made:
        yield made


def test_it_says_what_it_is_and_can(held: Instrument, alone: VirtualBoard) -> None:
    assert held.serial_number == alone.serial_number
    assert held.firmware == "0.1.0"
    assert held.capabilities == set(words.CAPABILITIES) - {"dali"}
    assert held.lacking == set()
    assert held.calibrated["pwm"] == date(2026, 5, 1)
    assert held.calibrated["tone"] == date(2028, 2, 29)
    assert held.calibrated["voltage"] is None


def test_it_measures_what_it_plays(held: Instrument) -> None:
    found = held.check("pwm")
    assert (found.verdict, found.played) == ("passed", 25_000)
    assert held.check("drive").verdict == "passed"
    found = held.check("voltage")
    assert (found.verdict, found.played) == ("passed", 50_000)  # 0.1 mV
    assert held.check("dali").verdict == "not wired"
    # its UART 0 leads to its UART 1, so that line 0 does not hear itself
    assert held.check("uart").verdict == "failed"


def test_serial_lines_say_answer_and_hear(held: Instrument) -> None:
    held.uart(1, 9600)
    held.answer_uart(1, b"ask", b"told", after_s=0.02)
    held.play_uart(0, b"xx ask", baud=9600, first_s=0.01, every_s=0.05, times=2)
    got = b""
    while got.count(b"told") < 2:
        got += held.heard_uart(0).data
    assert got == b"toldtold"
    assert held.heard_uart(1).data == b"xx askxx ask"
    held.play_uart(0, b"for ever", every_s=0.01, times=None)
    got = b""
    while got.count(b"for ever") < 3:
        got += held.heard_uart(1).data
    held.uart(0, 0)
    with pytest.raises(InstrumentError, match=r"not open \(line 0\): open it first") as error:
        held.heard_uart(0)
    assert error.value.reason == "not open"


def test_what_has_no_room_is_counted(held: Instrument) -> None:
    def end() -> Heard:
        held.play_uart(0, b"end", baud=115200, first_s=0.05)
        while b"done" not in held.heard_uart(0).data:
            pass
        return held.heard_uart(1)

    held.answer_uart(1, b"end", b"done", baud=115200)
    end()  # what was on its way from the test before is through
    held.play_uart(0, b"U" * 200, every_s=0.001, times=10)
    found = end()
    assert (found.data, found.lost) == (b"U" * 1024, 979)


def test_levels_and_edges_have_times(held: Instrument) -> None:
    held.drive(0, 0)
    assert held.level() == 0
    with pytest.raises(InstrumentError, match=r"timeout \(0 of 1 edges\)"):
        held.wait_edge(within_s=0.02)
    held.drive(0, 1)
    assert held.level() == 1
    held.drive(0, None)
    before = held.now_s()
    assert held.now_s() >= before


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda i: i.measure_pwm(3), r"out of range \(channel 3 of 1\)"),
        (lambda i: i.tone(1000, 121), "more than full scale"),
        (lambda i: i.tone(5, 90), "frequency: 20 Hz to 21600"),
        (lambda i: i.doppler(20000, 5), "frequency: 20 Hz to 10800"),
        (lambda i: i.dali_send(0xFE80), r"not wired \(no dali"),
        (lambda i: i.uart(7, 9600), "line 7 of 3"),
        (lambda i: i.uart(0, 10), "baud: 300 or more"),
        (lambda i: i.i2c_registers(0, b"x"), r"not open \(no address yet\)"),
        (lambda i: i.drive(1, 0), "channel 1 of 1"),
        (lambda i: i.press_reset(100), "hold 100000 is not from 1 to 16382"),
    ],
)
def test_what_it_cannot_do_is_refused_with_a_reason(
    held: Instrument, call: Callable[[Instrument], object], reason: str
) -> None:
    with pytest.raises(InstrumentError, match=reason):
        call(held)
    assert held.level() in (0, 1)  # and it goes on


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.binary(max_size=60).map(lambda b: b.replace(b"\x03", b""))
        | st.tuples(st.integers(1, 31), st.integers(200, 255), st.binary(max_size=40)).map(
            lambda t: stream.wrap(words.head(t[0], t[1]) + t[2])
        ),
        max_size=6,
    )
)
def test_whatever_comes_on_its_line_it_answers_the_next(
    held: Instrument, alone: VirtualBoard, rubbish: list[bytes]
) -> None:
    presses = (words.PRESS, words.TRIGGER, words.MEASURE)  # these take their time
    for piece in rubbish:
        for frame in stream.Decoder(words.FRAME_MAX).feed(piece):
            if len(frame) > 1 and frame[1] in presses:
                return
    alone.type(b"".join(rubbish))
    assert held.level() in (0, 1)


def test_ctrl_c_leads_to_the_repl_and_the_host_starts_it_again(
    bench: VirtualBench, alone: VirtualBoard
) -> None:
    with Instrument(alone.port):
        pass  # it runs
    alone.type(b"\r\x03")
    alone.wait_console("instrument: stopped")
    alone.type(b"print(6 * 7)\r")
    alone.wait_console(r"\n42\r")
    with Instrument(alone.port) as again:
        assert again.level() in (0, 1)


def test_it_is_reached_over_the_network_too(alone: VirtualBoard) -> None:
    with Instrument(alone.rfc2217) as held:
        held.play_uart(0, bytes(range(200)), baud=115200)
        assert held.serial_number == alone.serial_number


def test_silence_and_no_port_are_said(bench: VirtualBench, alone: VirtualBoard) -> None:
    with pytest.raises(BenchError, match="no board there"):
        Instrument("/nowhere/at/all").open()
    held = Instrument(alone.port, timeout_s=0.3)
    held.open()
    try:
        alone.power_off()
        with pytest.raises(BoardTimeoutError, match="no answer to Measure within"):
            held.level()
    finally:
        held.close()
        alone.power_on()


def test_dali_frames_are_sent_answered_and_seen() -> None:
    """On the virtual clock, which has the line's edges at their times."""
    world = World(street=None, air=None, lines=[DaliBus(Gear(), 17, 18)])
    try:
        with VirtualBench(clock="virtual") as bench:
            made = rig.board(bench, "dali", {"dali": {"tx": 17, "rx": 18}}, world=world)
            made.power_on()
            with Instrument(made.port, turn=lambda: bench.run_for(0.01)) as held:
                assert held.capabilities == {"dali"}
                assert held.dali_send(0xFE80) is None  # to all: level 128
                answer = held.dali_send(0xFFA0, answer=True)  # actual level?
                assert answer is not None
                assert (answer.frame, answer.bits) == (128, 8)
                assert held.dali_send(0x05A0, answer=True) is None  # nobody's address
                assert held.dali_seen() == []
    except NoInterpreterError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"uart": 5, "pwm": [{}], "i2c": {"scl": 99}, "tone": 1}']
)
def test_with_damaged_settings_it_answers_and_says_so(bench: VirtualBench, text: bytes) -> None:
    made = rig.board(bench, f"bad{len(text)}", text)
    made.power_on()
    with Instrument(made.port) as held:
        assert held.capabilities <= {"uart", "tone"}
        with pytest.raises(InstrumentError, match=r"not wired|out of range|failed"):
            held.measure_pwm()
    made.power_off()


def test_the_example_of_settings_is_whole(bench: VirtualBench) -> None:
    text = (SOURCES / "instrument.json").read_bytes()
    made = rig.board(bench, "example", text)
    pins = json.loads(text)
    bench.wire(made, pins["check"]["pwm"]["pin"], made, pins["pwm"][0]["pin"])
    bench.wire(made, pins["drive"][0]["pin"], made, pins["level"][0]["pin"])
    made.power_on()
    with Instrument(made.port) as held:
        assert held.capabilities == set(words.CAPABILITIES)
        assert held.check("pwm").verdict == held.check("drive").verdict == "passed"
        with pytest.raises(InstrumentError, match=r"no power on the line\): look at the wire"):
            held.dali_send(0xFE80)
    made.power_off()


def test_what_the_board_lacks_is_listed(bench: VirtualBench) -> None:
    """Without a wire a virtual board has no interrupts and no I2CTarget."""
    made = rig.board(bench, "lacking")
    made.power_on()
    with Instrument(made.port) as held:
        assert held.lacking == {"i2c", "trigger"}
        with pytest.raises(InstrumentError, match="this MicroPython has no i2c") as error:
            held.i2c_target(0x44)
        assert error.value.reason == "not on this board"
    made.power_off()


def test_it_compiles_for_the_board_without_the_nodes_software() -> None:
    files = instrument.tree(ESP32)
    assert {"/main.py", "/lib/lampione_instrument/app.mpy"} <= set(files)
    assert not [path for path in files if "lampione_node" in path or "lampione_light" in path]


# What is computed, on MicroPython

ASK = """
import json, sys
from lampione_instrument import app, dali, inputs, tones
for line in sys.stdin:
    what, *given = json.loads(line)
    print(json.dumps(eval(what)(*given)))
"""


def on_micropython(what: str, *asked: object) -> list[object]:
    """Return what a function of the instrument's gives for each of its arguments."""
    rows = [one if isinstance(one, tuple) else (one,) for one in asked]
    said = interpreter.run(
        ["-c", ASK],
        path=[SOURCES, SOURCES.parents[1] / "protocol"],
        stdin="".join(json.dumps([what, *row]) + "\n" for row in rows).encode(),
    )
    return [json.loads(line) for line in said.splitlines()]


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.sampled_from([8, 16, 24]).flatmap(
            lambda bits: st.tuples(st.integers(0, (1 << bits) - 1), st.just(bits))
        ),
        min_size=1,
        max_size=60,
    )
)
def test_a_dali_frame_is_the_one_that_was_sent(frames: list[tuple[int, int]]) -> None:
    sent = on_micropython("dali.pulses", *frames)
    got = on_micropython("dali.decode", *((us,) for us in sent))
    assert [tuple(g) for g in got if isinstance(g, list)] == frames


def test_a_tone_comes_within_a_thousandth() -> None:
    asked = [(100_000, 48000), (2000, 48000), (99_700, 48000), (1_234_500, 48000), (31_416, 24000)]
    for (frequency, rate), found in zip(
        asked, on_micropython("tones.periods", *asked), strict=True
    ):
        assert isinstance(found, list)
        count, samples = found
        assert samples <= 2400
        assert count * rate * 100 / samples == pytest.approx(frequency, rel=1e-3)
    assert on_micropython("tones.periods", (100_000, 48000)) == [[1, 48]]


@settings(max_examples=5, deadline=None)
@given(st.lists(st.dates(date(2020, 1, 1), date(2064, 11, 8)), min_size=1, max_size=100))
def test_dates_are_days_since_2020(dates: list[date]) -> None:
    days = [(day - date(2020, 1, 1)).days for day in dates]
    assert on_micropython("app.days", *(day.isoformat() for day in dates)) == days


def test_what_is_no_date_is_none() -> None:
    assert on_micropython("app.days", "", "2026", "a-b-c", 5, None) == [None] * 5
