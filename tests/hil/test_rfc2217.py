"""rfc2217://: a board's serial line over TCP, with the lines that reset it."""

import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.virtual import VirtualBench, VirtualBoard, World
from lampione_hil.virtual.rfc2217 import ResetLines
from lampione_hil.virtual.telnet import COM_PORT, IAC, SB, SE, Events, Session, escaped

MAIN = b"import sys\nprint('main runs')\nwhile True:\n  print('heard', sys.stdin.buffer.read(3))\n"


class Heard:
    """What a session told of."""

    def __init__(self) -> None:
        self.data = b""
        self.lines: list[tuple[bool, bool]] = []
        self.session = Session(
            Events(self._data, lambda dtr, rts: self.lines.append((dtr, rts)), lambda *_: None)
        )

    def _data(self, data: bytes) -> None:
        self.data += data


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    for cut in cuts:
        yield data[:cut]
        data = data[cut:]
    yield data


@given(st.binary(max_size=200), st.lists(st.integers(0, 20)))
def test_data_comes_through_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    heard = Heard()
    middle = bytes((IAC, SB, COM_PORT, 5, 8, IAC, SE))  # DTR on, in the middle of it
    for piece in pieces(escaped(data) + middle + escaped(data), cuts):
        heard.session.take(piece)
    assert heard.data == data + data
    assert heard.lines == [(True, False)]


@given(st.lists(st.one_of(st.binary(max_size=9), st.just(b"\xff\xfa\x2c"), st.just(b"\xff\xf0"))))
def test_rubbish_is_survived(parts: list[bytes]) -> None:
    heard = Heard()
    rubbish = b"".join(parts)
    heard.session.take(rubbish)
    assert len(heard.data) <= len(rubbish)
    # Every answer is due to a few bytes: no ping-pong, no amplification.
    assert len(heard.session.out) <= 12 + 16 * len(rubbish)
    heard.session.take(bytes((IAC, SE, IAC, SE)))
    heard.data = b""
    heard.session.take(b"abc")
    assert heard.data.endswith(b"c")


@given(st.lists(st.sampled_from([(False, False), (True, False), (False, True), (True, True)])))
def test_the_reset_lines_hold_and_release_in_turn(states: list[tuple[bool, bool]]) -> None:
    seen: list[str] = []
    later: list[Any] = []
    lines = ResetLines(
        lambda _, call: later.append(call),
        lambda: seen.append("hold"),
        lambda loader: seen.append("loader" if loader else "run"),
    )
    held = False
    for dtr, rts in states:
        seen.clear()
        lines.set(dtr, rts)
        if rts and not dtr:
            assert seen == ["hold"]
            held = True
        elif held and not (dtr and rts):
            assert seen == ["loader" if dtr else "run"]
            held = False
        else:
            assert seen == []
    seen.clear()
    for call in later:
        call()
    still = held and states[-1] == (True, True)
    assert seen == (["run"] if still else [])


@pytest.fixture
def board(bench: VirtualBench) -> VirtualBoard:
    made = bench.board(f"r{len(bench.boards)}", {"/main.py": MAIN}, world=World(None, None))
    made.power_on()
    made.wait_console("main runs")
    return made


def test_pyserial_opens_it_and_resets_nothing(board: VirtualBoard) -> None:
    for _ in range(2):
        with serial.serial_for_url(board.rfc2217, baudrate=460800, timeout=5) as port:
            port.write(b"\xffab")
            assert port.read_until(b"'\r\n").startswith(b"heard b'\\xffab")
            port.baudrate = 9600
            port.parity = serial.PARITY_EVEN
            port.reset_output_buffer()
            port.reset_input_buffer()
            assert port.cts
            assert port.dsr
    assert board.boots == 1


def test_rts_is_the_reset_line(board: VirtualBoard) -> None:
    with serial.serial_for_url(board.rfc2217, timeout=5) as port:
        port.dtr = False
        port.rts = True  # now it is held
        state = board.state()
        assert (state["pid"], state["powered"], state["boots"]) == (0, True, 1)
        port.rts = False
        assert port.read_until(b"main runs\r\n").endswith(b"main runs\r\n")
        port.rts = True
        port.dtr = True  # both: the reset ends, as nothing follows
        board.wait_boots(3)
        board.power_off()
        port.dtr = False
        board.power_on()
        assert board.boots == 3, "switched on, and held in reset"
    board.wait_boots(4)  # the client is gone, and the lines with it
    board.wait_console("main runs")


def test_a_second_client_is_told_that_it_is_busy(board: VirtualBoard) -> None:
    where = ("127.0.0.1", int(board.rfc2217.rpartition(":")[2]))
    with serial.serial_for_url(board.rfc2217, timeout=5) as port:
        with socket.create_connection(where, timeout=5) as second:
            assert second.makefile("rb").read() == b"busy: another client has this port\r\n"
        port.write(b"abc")
        assert port.read_until(b"'abc'\r\n").endswith(b"'abc'\r\n")
    with serial.serial_for_url(board.rfc2217, timeout=5):
        pass


def read_on(port: Any) -> NoReturn:
    while True:
        port.read(1)


def test_a_pulled_cable_ends_both_ports(board: VirtualBoard) -> None:
    with serial.serial_for_url(board.rfc2217, timeout=5) as port:
        before = board.port
        with serial.Serial(before, timeout=5) as local:
            board.unplug()
            with pytest.raises(serial.SerialException):
                local.read(1)
        with pytest.raises(serial.SerialException):
            read_on(port)
        assert (board.port, board.rfc2217, board.running) == ("", "", False)
    board.plug()
    board.wait_console("main runs")
    with serial.Serial(board.port, timeout=5) as local:
        local.write(b"xyz")
        assert local.read_until(b"'xyz'\r\n").endswith(b"'xyz'\r\n")
    assert board.exits == ["unplugged"]
