"""The serial line of a board: what it does, and what it says when something is wrong."""

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from lampione_hil.real import line
from lampione_hil.real.errors import (
    BoardCodeError,
    BoardSilentError,
    CablePulledError,
    NoBoardError,
    NotMicroPythonError,
    PortBusyError,
    PortPermissionError,
)
from lampione_hil.real.repl import Repl
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World

MAIN = b"import time\nprint('main runs')\nwhile True: time.sleep_ms(20)\n"


@pytest.fixture(scope="module")
def board(bench: VirtualBench) -> VirtualBoard:
    made = bench.board("repl", {"/main.py": MAIN}, world=World(street=None, air=SteadyAir()))
    made.power_on()
    made.wait_console("main runs")
    return made


@pytest.mark.parametrize("url", [False, True], ids=["path", "rfc2217"])
def test_code_values_and_files(board: VirtualBoard, url: bool) -> None:
    data = bytes(range(256)) * 9
    done: list[int] = []
    with Repl.open(board.rfc2217 if url else board.port) as repl:
        assert repl.exec("for n in range(3): print(n)").split() == [b"0", b"1", b"2"]
        assert repl.eval("{'a': [1, None, b'x']}") == {"a": [1, None, b"x"]}
        repl.write_file("/data", data, lambda n, of: done.append(n))
        assert repl.read_file("/data") == data
        assert repl.eval("__import__('os').listdir('/')") == ["data", "main.py"]
        assert repl.sha256("/data") == hashlib.sha256(data).digest()
        repl.remove("/data")
        repl.remove("/data")
        assert repl.sha256("/data") is None
        with pytest.raises(FileNotFoundError):
            repl.read_file("/data")
        with pytest.raises(BoardCodeError, match="the board says ZeroDivisionError") as error:
            repl.exec("def f(): 1 / 0\nf()")
        assert "line 1, in f" in error.value.traceback
        with pytest.raises(NotMicroPythonError, match="not what was expected"):
            repl.eval("object()")
    assert done == [1024, 2048, len(data)]


def test_running_code_can_be_talked_with(board: VirtualBoard) -> None:
    with Repl.open(board.port) as repl:
        repl.begin(
            "import sys\nfor n in range(2):\n print('more')\n print(sys.stdin.buffer.read(3))"
        )
        assert repl.readline() == "more"
        repl.send(b"a\x04b")
        assert repl.readline() == "b'a\\x04b'"
        assert repl.readline() == "more"
        repl.send(b"abc")
        assert repl.readline() == "b'abc'"
        assert repl.readline() is None
        repl.end()
        assert repl.eval("1 + 1") == 2


def test_resets(board: VirtualBoard) -> None:
    with Repl.open(board.port) as repl:
        repl.exec("x = 5")
        repl.soft_reset()
        with pytest.raises(BoardCodeError, match="NameError"):
            repl.eval("x")
        repl.reset()
        assert repl.wait_text("main (runs)", 10)
        assert repl.wait_text("never", 0.1) is None


def test_every_wait_ends_and_the_next_one_works(board: VirtualBoard) -> None:
    with Repl.open(board.port) as repl:
        with pytest.raises(BoardSilentError, match="press its reset button"):
            repl.exec("import time\nwhile True: time.sleep_ms(5)", 0.2)
        repl.enter()
        assert repl.eval("7") == 7


def test_a_wait_can_be_ended_from_outside(board: VirtualBoard) -> None:
    class Enough(Exception):
        pass

    def check() -> None:
        raise Enough

    with Repl.open(board.port) as repl:
        repl.begin("import time\ntime.sleep(60)")
        repl.check = check
        with pytest.raises(Enough):
            repl.end(60)
        repl.check = None
        repl.enter()


def test_what_else_comes_during_a_transfer_is_no_harm(board: VirtualBoard) -> None:
    """A chip's own log does that."""
    with Repl.open(board.port) as repl:
        read = repl._line.read
        pieces = [b"I (42) wifi: state\r\n"]

        def noisy(size: int = 1) -> bytes:
            if size == 1 and pieces:
                repl._line.put_back(pieces.pop())
            return read(size)

        repl._line.read = noisy  # type: ignore[method-assign]
        assert repl.exec("#" + "x" * 2000 + "\nprint(8)").strip() == b"8"
        assert not pieces


def test_a_pulled_cable(board: VirtualBoard) -> None:
    with Repl.open(board.port) as repl:
        board.unplug()
        with pytest.raises(CablePulledError, match="the cable was pulled, or the board lost"):
            repl.eval("1")
    board.plug()
    board.wait_console("main runs")


HOLD = """
import sys, serial
port = serial.serial_for_url(sys.argv[1], exclusive=True)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_busy_port_says_by_whom(board: VirtualBoard) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, board.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(PortBusyError, match=rf"in use by python.* \(process {other.pid}\)"):
            Repl.open(board.port)
        assert other.stdin
        other.stdin.close()


def test_no_port_and_no_right() -> None:
    with pytest.raises(NoBoardError, match="/dev/nothing-here: no board there"):
        Repl.open("/dev/nothing-here")
    with pytest.raises(NoBoardError, match="nobody answers there"):
        Repl.open("rfc2217://127.0.0.1:1")
    with pytest.raises(NoBoardError, match="not a serial port"):
        Repl.open("nonsense://x")
    with pytest.raises(NoBoardError, match="not a serial port"):
        Repl.open(__file__)
    refused = line._cannot_open(os.ctermid(), PermissionError(13, "Permission denied"))
    assert isinstance(refused, PortPermissionError)
    assert re.search("you may not open it: type `sudo (usermod|chmod)", str(refused))


@contextlib.contextmanager
def something(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield a port behind which something answers in its own way."""
    host, slave = os.openpty()
    tty.setraw(slave)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(host, 4096):
                os.write(host, answer(data))

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.close(slave)
        server.join(5)
        os.close(host)


def test_whoever_else_is_there() -> None:
    with something(lambda data: b"") as port, pytest.raises(BoardSilentError):
        Repl.open(port, timeout_s=0.5)
    for said in (b"invalid header: 0xffffffff\r\n", b">", b"\x00\xff\x04>", b"login: "):
        with (
            something(partial(_always, said)) as port,
            pytest.raises(NotMicroPythonError, match="lampione flash --micropython"),
        ):
            Repl.open(port, timeout_s=0.5)


def _always(said: bytes, data: bytes) -> bytes:
    del data
    return said
