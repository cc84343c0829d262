"""UARTs: rates and noise, times on the line, plugs; on both clocks."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.board import BenchError
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.devices import UartDevice
from lampione_hil.virtual.uart import IDLE_CHARACTERS, UartLine, noise, same_rate, sampled

from tests.hil.parts import Doubler, Speed, Ticker

RATES = st.sampled_from([1200, 2400, 9600, 14400, 19200, 38400, 57600, 115200])
CHARACTER_S = 10 / 9600


# Noise


@given(st.binary(max_size=40), RATES, st.floats(0.985, 1.015))
def test_a_receiver_of_nearly_the_same_rate_hears_the_text(
    data: bytes, rate: int, off: float
) -> None:
    assert sampled(data, rate, round(rate * off)) == data
    assert same_rate(rate, round(rate * off))


@given(st.binary(min_size=1, max_size=40), RATES, RATES)
def test_noise_is_never_the_text_and_of_a_plausible_length(
    data: bytes, sent: int, heard: int
) -> None:
    if same_rate(sent, heard):
        return
    got = noise(data, sent, heard)
    assert got == noise(data, sent, heard)
    assert data not in got
    # No more than fit into the time on the line, nor than one for each bit sent.
    assert len(got) <= min(math.ceil(len(data) * heard / sent) + 1, 10 * len(data))


def test_noise_by_hand() -> None:
    # 0x55 and its frame are 0 1010 1010 1; at half the rate each pair is one bit.
    assert sampled(b"\x55", 9600, 19200)[:1] == bytes([0b01100110])
    # A break of nine low bits: a zero, then the line is low where the stop bit should be.
    assert sampled(b"\x00", 1200, 115200) == b"\x00"


# One line


def test_a_text_and_its_answer_take_their_time() -> None:
    part = Doubler()
    line = UartLine(part)
    line.supply(True, 0)
    line.set(9600, 256, True, 0)
    line.write(b"hello", 1_000_000)
    line.write(b"you", 1_000_100)
    line.advance(2_000_000)
    assert [data for _, data in part.heard] == [b"hello", b"you"]
    assert [at for at, _ in part.heard] == pytest.approx(
        [1 + 5 * CHARACTER_S, 1 + 8 * CHARACTER_S], abs=2e-6
    )
    assert line.read(100) == b"hellohelloyouyou"


def handed_over(line: UartLine) -> list[tuple[float, int]]:
    """Return when bytes could be read, and how many."""
    found: list[tuple[float, int]] = []
    while (at := line.next_us()) is not None and len(found) < 20:
        line.advance(at)
        if line.waiting:
            found.append((at / 1e6, len(line.read(1000))))
    return found


def test_the_receiver_hands_over_after_120_bytes_or_a_pause() -> None:
    line = UartLine(Doubler())
    line.supply(True, 0)
    line.set(9600, 256, True, 0)
    line.write(b"x" * 150, 0)
    parts = handed_over(line)
    assert [n for _, n in parts] == [120, 120, 60]
    ends = [(150 + n) * CHARACTER_S for n in (120, 240, 300 + IDLE_CHARACTERS)]
    assert [at for at, _ in parts] == pytest.approx(ends, abs=5e-6)


@given(
    st.lists(
        st.tuples(st.integers(0, 300_000), st.binary(min_size=1, max_size=200)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 4_000_000), max_size=20),
)
def test_nothing_is_lost_or_moved_however_time_is_cut(
    texts: list[tuple[int, bytes]], looks: list[int]
) -> None:
    got = []
    for cuts in ([], sorted(looks)):
        part = Doubler()
        line = UartLine(part)
        line.supply(True, 0)
        line.set(9600, 1 << 16, True, 0)
        now = 0
        moments = [(now := now + pause, text) for pause, text in texts]
        for cut in cuts:
            moments.append((cut, b""))
        for at, text in sorted(moments, key=lambda moment: moment[0]):
            line.write(text, at)
        line.advance(60_000_000)
        got.append((part.heard, line.read(1 << 16)))
    assert got[0] == got[1]
    assert got[0][1] == b"".join(text + text for _, text in texts)
    assert line.lost == 0


def test_a_full_buffer_loses_what_comes() -> None:
    line = UartLine(Doubler())
    line.supply(True, 0)
    line.set(9600, 256, True, 0)
    line.write(bytes(range(200)), 0)
    line.advance(10_000_000)
    assert line.read(1000) == bytes(range(200)) + bytes(range(56))
    assert line.lost == 144


def test_who_opens_in_the_middle_hears_the_rest() -> None:
    line = UartLine(Ticker(1.0, size=48))
    line.supply(True, 0)
    line.advance(1_000_000 + int(10.5e6 * CHARACTER_S))
    line.set(9600, 256, True, 1_000_000 + int(10.5e6 * CHARACTER_S))
    line.advance(1_500_000)
    assert line.read(100) == b"." * 36 + b"1\n"


def test_a_part_that_would_never_speak_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Mute has due\(\) and no next_due_s\(\)"):

        class Mute(UartDevice):
            name = "mute"

            def feed(self, data: bytes, now_s: float) -> bytes:
                return data

            def due(self, now_s: float) -> bytes:
                return b"never"


def test_a_part_that_is_always_due_does_not_stop_the_world() -> None:
    class Eager(Ticker):
        def next_due_s(self, now_s: float) -> float:
            return 0.0

    part = Eager()
    line = UartLine(part)
    line.supply(True, 0)
    line.advance(1_000_000)
    assert 990 <= part.calls <= 1001


# On a board

LISTEN = b"""
import asyncio, machine, time
line = machine.UART(1, baudrate=%d, tx=17, rx=18, rxbuf=512)
lamp = machine.PWM(machine.Pin(4), freq=1000, duty_u16=0)
def readable(stream):
    yield asyncio.core._io_queue.queue_read(stream)
async def listen():
    buf = bytearray(64)
    while True:
        await readable(line)
        at = time.ticks_us()
        waiting = line.any()
        n = line.readinto(buf)
        print("heard", at, waiting == n, bytes(buf[:n]))
        lamp.duty_u16(buf[0])
async def main():
    asyncio.create_task(listen())
    while True:
        await asyncio.sleep(7)
        line.write(b"seven\\n")
asyncio.run(main())
"""


def post(bench: VirtualBench, name: str, part: UartDevice, baud: int = 9600) -> VirtualBoard:
    world = World(street=None, air=None, uarts={1: part})
    made = bench.board(name, {"/main.py": LISTEN % baud}, world=world)
    made.power_on()
    return made


def heard(board: VirtualBoard) -> list[tuple[float, bytes]]:
    """Return (s, bytes) of each reading."""
    found = re.findall(r"heard (\d+) True (b'.*?')\r", board.console())
    assert len(found) == board.console().count("heard")
    return [(int(at) / 1e6, eval(data)) for at, data in found]


def test_virtual_times_are_exact_and_repeat() -> None:
    runs = []
    for steps in ((20.5,), (0.25, 6.75, 0.004, 13.496)):
        with VirtualBench(clock="virtual") as bench:
            one = post(bench, "ticker", Ticker(1.0))
            for step in steps:
                bench.run_for(step)
            runs.append((one.console(), one.trace()))
            texts = heard(one)
    assert runs[0] == runs[1]
    assert [data for _, data in texts] == [b"%d\n" % n for n in range(1, 21)]
    for n, (at, data) in enumerate(texts, 1):
        assert at == pytest.approx(n + (len(data) + IDLE_CHARACTERS) * CHARACTER_S, abs=1e-4)


def test_a_silent_line_costs_nothing() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = bench.board(
            "silent",
            {"/main.py": LISTEN.replace(b"sleep(7)", b"sleep(86400)") % 9600},
            world=World(street=None, air=None, uarts={1: Doubler()}),
        )
        one.power_on()
        bench.run_for(100 * 86400 + 1)
        told = one.world.call("doubler", "told")
        assert [(round(at), data) for at, data in told] == [
            (86400 * day, b"seven\n") for day in range(1, 101)
        ]
        assert one.console().count("heard") == 100


def test_another_rate_is_noise_both_ways() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = post(bench, "rates", Doubler(19200))
        bench.run_for(15)
        got = [data for _, data in one.world.call("doubler", "told")]
        assert len(got) == 2
        assert b"seven" not in got[0]
        assert 0 < len(b"".join(data for _, data in heard(one))) < 4 * 2 * 12
        assert "seven" not in one.console()
        one.world.set("doubler", baud=9600)
        bench.run_for(7)
        assert [data for _, data in one.world.call("doubler", "told")][2:] == [b"seven\n"]
        assert heard(one)[-1][1] == b"seven\nseven\n"


def test_a_part_changes_its_rate_and_the_board_follows() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = bench.board(
            "follows",
            {
                "/main.py": b"""
import machine, time
line = machine.UART(1, 9600, tx=17, rx=18)
print(line.any(), line.read(), line.write("baud 38400"), line.txdone())
start = time.ticks_us()
line.flush()
print("flushed", time.ticks_diff(time.ticks_us(), start), line.txdone())
time.sleep_ms(50)
print(line.any(), line.read(10), line.read(), line.any())
line.init(baudrate=38400)
line.write(b"one\\ntwo")
time.sleep_ms(50)
print(line.readline(), line.read(), line.read())
line.write(b"lost")
line.deinit()
time.sleep_ms(50)
line.init(baudrate=38400)
print(line.read())
try:
    machine.UART(1, 9600, parity=0)
except NotImplementedError as error:
    print(error)
"""
            },
            world=World(street=None, air=None, uarts={1: Doubler()}),
        )
        one.power_on()
        bench.run_for(1)
        lines = one.console().splitlines()
        flushed = int(lines[1].split()[1])
        assert lines == [
            "0 None 10 False",
            f"flushed {flushed} True",
            "20 b'baud 38400' b'baud 38400' 0",
            r"b'one\n' b'twoone\ntwo' None",
            "None",
            "the virtual board's UART: 8 bits, no parity, timeout=0",
            *lines[6:],
        ]
        assert flushed == pytest.approx(10e6 * CHARACTER_S, abs=100)


def test_plugs_and_faults_in_virtual_time() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = post(bench, "plugs", Ticker(1.0))
        bench.run_for(2.5)
        one.world.unplug("ticker")
        bench.run_for(3)
        one.world.plug("ticker")
        bench.run_for(2)
        one.world.fault("ticker", "silent")
        bench.run_for(2)
        one.world.heal("ticker")
        one.world.set("ticker.speed", period_s=0.25)
        bench.run_for(1)
        assert [(round(at, 1), data) for at, data in heard(one)] == [
            (1.0, b"1\n"),
            (2.0, b"2\n"),
            (6.0, b"1\n"),
            (7.0, b"2\n"),
            (9.5, b"3\n"),  # due since long at the new speed
            (9.8, b"4\n"),
            (10.0, b"5\n"),
            (10.3, b"6\n"),
        ]
        one.world.set("ticker", speed=Speed(0.25), count=99)
        bench.run_for(0.4)
        assert heard(one)[-1][1] == b"100\n"
        for path, wrong, said in (
            ("ticker", {"speeed": 1}, "ticker has no 'speeed'"),
            ("ticker.sped", {"x": 1}, "sped"),
            ("tick", {"x": 1}, "no part 'tick', but ticker"),
        ):
            with pytest.raises(BenchError, match=said):
                one.world.set(path, **wrong)
        with pytest.raises(BenchError, match="ticker has no fault 'crc'"):
            one.world.fault("ticker", "crc")


def test_a_part_starts_anew_with_the_boards_power_and_not_with_a_reset() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = post(bench, "supply", Ticker(1.0))
        bench.run_for(3.5)
        one.reset()
        bench.run_for(1)
        assert heard(one)[-1][1] == b"4\n"
        one.power_off()
        bench.run_for(10)
        one.power_on()
        bench.run_for(1)
        assert [data for _, data in heard(one)] == [b"1\n"]


def test_what_was_sent_before_a_reset_arrives() -> None:
    program = b"""
import machine, time
line = machine.UART(1, 9600, tx=17, rx=18)
if machine.reset_cause() == machine.PWRON_RESET:
    line.write(b"all")
    time.sleep_ms(4)
    line.write(b"half")
    time.sleep_ms(2)
    machine.reset()
"""
    with VirtualBench(clock="virtual") as bench:
        world = World(street=None, air=None, uarts={1: Doubler()})
        one = bench.board("before", {"/main.py": program}, world=world)
        one.power_on()
        bench.run_for(1)
        assert [data for _, data in one.world.call("doubler", "told")] == [b"all"]


def test_boards_do_not_share_a_part() -> None:
    with VirtualBench(clock="virtual") as bench:
        part = Ticker(1.0)
        one, other = post(bench, "one", part), post(bench, "other", part)
        one.world.unplug("ticker")
        bench.run_for(3.5)
        assert not heard(one)
        assert len(heard(other)) == 3


def test_the_wall_clock_has_the_same_line(bench: VirtualBench) -> None:
    one = post(bench, "wall", Ticker(0.02, baud=115200), 115200)
    one.wait_console(r"\d\d\\n")  # a busy computer boots late, so not the first
    one.world.unplug("ticker")
    one.world.plug("ticker")
    one.wait_console(r"(?s)\d\d\\n.*['n]1\\n.*['n]2\\n")
    one.world.set("ticker", baud=9600)
    one.world.set("ticker", count=4711)
    one.world.set("ticker", baud=115200)
    one.wait_console(r"47\d\d\\n")
    assert one.uart_lost == {1: 0}
    one.world.set("ticker", size=800)
    one.type(b"\x03")
    one.wait_prompt()
    one.type(b"time.sleep(1); print('aw' + 'ake')\r")  # and reads nothing
    one.wait_console("awake")
    assert one.uart_lost[1] > 0
    one.power_off()


def test_two_parts_of_one_name_are_refused(bench: VirtualBench) -> None:
    with pytest.raises(ValueError, match="two parts with one name"):
        bench.board("twins", world=World(uarts={1: Ticker(), 2: Ticker()}))


def test_a_models_own_mistake_is_told_and_not_waited_for() -> None:
    with VirtualBench(clock="virtual") as bench:
        one = post(bench, "mistake", Ticker(1.0))
        one.world.set("ticker", size="no number")
        with pytest.raises(BenchError, match="the part 'ticker' raised TypeError"):
            bench.run_for(2)
