"""A virtual board driven as a real one: over RFC 2217, by the code that real boards take."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from lampione_hil.board import BenchError, Board, BoardTimeoutError
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.real.board import RealBoard
from lampione_hil.real.errors import BoardSilentError, CablePulledError, NoBoardError, PortBusyError
from lampione_hil.real.usb import finder
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World, offered
from lampione_hil.virtual.offer import Offer

from tests.brokers import wait_until

HELLO = b"""
import time
print("lampione hello 00")
while True:
    time.sleep_ms(20)
"""


@dataclass
class Switch:
    """A switch of a virtual board."""

    board: VirtualBoard
    name: str = "the switch"
    off_s: float = 0.3
    told: str = ""
    asked: bool | None = None

    def on(self) -> None:
        self.told += "1"
        self.board.power_on()

    def off(self) -> None:
        self.told += "0"
        self.board.power_off()

    def state(self) -> bool | None:
        return self.asked


@dataclass
class Pair:
    """A board as its bench holds it, and as it is."""

    real: RealBoard
    virtual: VirtualBoard
    switch: Switch


def make(bench: VirtualBench, *, files: dict[str, bytes] | None = None, **more: object) -> Pair:
    made = bench.board(
        f"r{len(bench.boards)}",
        {"/main.py": HELLO} if files is None else files,
        world=World(street=None, air=SteadyAir()),
    )

    def find() -> str:
        if not made.rfc2217:
            raise NoBoardError("no board of that serial number: look at its cable")
        return f"{made.rfc2217}?timeout=1"  # how long pyserial waits for a server's word

    switch = Switch(made)
    settings = {"name": made.name, "power": switch, **more}
    return Pair(RealBoard(find, **settings), made, switch)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shared(bench: VirtualBench) -> Iterator[Pair]:
    made = make(bench)
    yield made
    made.real.close()


@pytest.fixture
def pair(shared: Pair) -> Iterator[Pair]:
    """One board for most tests, as opening a port takes its time: off, with a program."""
    shared.virtual.write_files({"/main.py": HELLO})
    yield shared
    shared.virtual.plug()
    shared.real.power_off()
    shared.virtual.power_off()
    shared.virtual.wipe()


@pytest.fixture
def unswitched(bench: VirtualBench) -> Iterator[Pair]:
    made = make(bench, power=None)
    made.virtual.power_on()
    yield made
    made.real.close()
    made.virtual.power_off()


def test_it_lists_only_what_it_can(pair: Pair, unswitched: Pair) -> None:
    board: Board = pair.real
    assert board.capabilities == {"power", "reset", "serial", "files"}
    assert unswitched.real.capabilities == {"reset", "serial", "files"}
    with pytest.raises(BenchError, match="nothing measures its pins"):
        board.pwm_duty(10)


def test_files_of_a_board_that_is_off(pair: Pair) -> None:
    board = pair.real
    tree = {"/main.py": HELLO, "/lib/a/b.bin": bytes(range(256)) * 20, "/empty": b""}
    board.write_files(tree)
    assert not board.running
    assert board.list_files() == {path: len(data) for path, data in tree.items()}
    assert board.list_files("/lib") == {"/lib/a/b.bin": 5120}
    assert board.read_file("/lib/a/b.bin") == tree["/lib/a/b.bin"]
    with pytest.raises(FileNotFoundError):
        board.read_file("/lib/none")
    board.remove_file("/empty")
    assert "/empty" not in board.list_files()
    board.power_off()
    assert pair.virtual.read_file("/lib/a/b.bin") == tree["/lib/a/b.bin"]


def test_what_is_the_same_is_not_written_again(pair: Pair) -> None:
    board = pair.real
    board.write_files({"/big": bytes(20_000), "/lib/x": b"1"})
    before = pair.virtual.flash_stats()
    board.write_files({"/big": bytes(20_000), "/lib/x": b"1"})
    assert pair.virtual.flash_stats() == before


def test_a_wipe_spares_what_comes_again(pair: Pair) -> None:
    board = pair.real
    board.write_files({"/big": bytes(20_000), "/old/deep/file": b"1"})
    board.wipe()
    before = pair.virtual.flash_stats()
    board.write_files({"/big": bytes(20_000), "/new": b"2"})
    assert board.list_files() == {"/big": 20_000, "/new": 1}
    assert pair.virtual.flash_stats().writes - before.writes < 10
    board.wipe()
    assert board.list_files() == {}


def test_files_of_a_running_board_are_refused(pair: Pair) -> None:
    pair.real.power_on()
    for use in (pair.real.list_files, pair.real.wipe, lambda: pair.real.read_file("/main.py")):
        with pytest.raises(BenchError, match="is on: switch it off first"):
            use()


def test_a_start_is_a_true_one(pair: Pair) -> None:
    board = pair.real
    before = board.boots
    board.write_files({})  # now it waits at the prompt, with power
    assert board.evaluate("6 * 7") == 42
    board.power_on()
    board.wait_console("lampione hello 00\r?\n")
    assert board.running
    assert board.boots == before + 1
    assert pair.virtual.exits[-1] == "off"
    told = pair.switch.told
    board.power_on()
    assert pair.switch.told == told
    board.power_off()
    assert not pair.virtual.running
    assert "hello" in board.console()
    with pytest.raises(BenchError, match="is off: switch it on first"):
        board.reset()


def test_it_stays_off_long_enough(pair: Pair) -> None:
    board = pair.real
    board.power_on()
    board.power_off()
    began = time.monotonic()
    board.power_on()
    assert time.monotonic() - began >= pair.switch.off_s - 0.01


def test_the_reset_line(pair: Pair) -> None:
    board = pair.real
    before = board.boots
    board.power_on()
    board.wait_boots(before + 1)
    board.reset()
    board.wait_boots(before + 2)
    board.wait_console(r"(?s)hello.*hello")
    assert pair.virtual.exits[-1] == "reset line"


def test_a_board_without_a_switch(unswitched: Pair) -> None:
    board = unswitched.real
    assert board.running
    board.power_off()  # its program ends
    assert not board.running
    assert unswitched.virtual.running
    board.write_files({"/more": b"1"})
    board.power_on()
    board.wait_console("lampione hello")
    assert unswitched.virtual.exits[-1] == "reset line"


def test_without_lines_micropython_resets(bench: VirtualBench) -> None:
    made = make(bench, power=None, reset="none")
    made.virtual.power_on()
    made.real.power_on()
    made.real.wait_boots(1)
    assert made.virtual.exits[-1] == "reset"
    assert "reset" not in made.real.capabilities
    made.real.close()


def test_what_is_typed_and_the_prompt(pair: Pair) -> None:
    board = pair.real
    board.power_on()
    board.wait_console("hello")
    board.type(b"\x03")
    board.wait_prompt()
    board.type("print('typed', 6 * 7)\r")
    board.wait_console("typed 42\r\n")


def test_waiting_in_vain_shows_the_console(pair: Pair) -> None:
    pair.real.power_on()
    pair.real.wait_console("hello")
    with pytest.raises(BoardTimeoutError, match=r"(?s)'never' not within 0.1 s; .*lampione hello"):
        pair.real.wait_console("never", timeout_s=0.1)


def test_the_cable_is_pulled_and_put_back(pair: Pair) -> None:
    board = pair.real
    board.power_on()
    board.wait_console("hello")
    before = board.port
    pair.virtual.unplug()
    assert board.wait_gone(10)
    with pytest.raises(BoardTimeoutError, match=r"its port: .*(cable was pulled|no board)"):
        board.wait_console("never", timeout_s=0.1)
    pair.virtual.plug()
    board.wait_port()
    assert board.port != before
    board.type(b"\x03")
    board.wait_prompt()


def test_the_cable_is_pulled_midway(pair: Pair) -> None:
    board, big = pair.real, {"/big": bytes(range(256)) * 160}
    board.write_files({})
    before = pair.virtual.flash_stats().writes

    def pull() -> None:
        wait_until("some of it is written", lambda: pair.virtual.flash_stats().writes > before + 5)
        pair.virtual.unplug()

    with ThreadPoolExecutor(1) as pool:
        pulled = pool.submit(pull)
        with pytest.raises(CablePulledError, match="connect it and run this again"):
            board.write_files(big)
        pulled.result()
    pair.virtual.plug()
    board.power_off()
    board.write_files(big)
    assert board.list_files()["/big"] == 40_960


def test_a_port_that_another_program_holds(bench: VirtualBench) -> None:
    pair = make(bench)
    pair.virtual.power_on()
    with (
        holder(pair.virtual.rfc2217),
        pytest.raises(PortBusyError, match="another program has this port: close it"),
    ):
        pair.real.write_files({"/x": b""})
    pair.real.write_files({"/x": b""})
    pair.real.close()


@contextlib.contextmanager
def holder(url: str) -> Iterator[None]:
    """Let another process hold a port."""
    code = "import serial, sys; s = serial.serial_for_url(sys.argv[1]); "
    code += "print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.communicate()


def test_a_board_that_says_nothing(bench: VirtualBench) -> None:
    pair = make(bench, power=None, answer_s=0.5)  # its bridge has power, the chip has none
    with pytest.raises(BoardSilentError, match="does not answer: press its reset button"):
        pair.real.write_files({"/x": b""})
    pair.real.close()


def test_a_board_is_found_again_by_its_serial_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugged in again it has another port; it is the same board."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv(offered.VARIABLE, folder)
        try:
            with Offer() as offer:
                (made,) = offer.start("again", 1, world=lambda _: World(street=None, air=None))
                board = RealBoard(finder(made.serial_number, None), name="post", power=None)
                board.power_off()
                before = board.port
                assert before == made.rfc2217
                offered.ask(made.pid, "unplug", made.name)
                assert board.wait_gone(10)
                with pytest.raises(NoBoardError, match="not connected"):
                    _ = board.port
                offered.ask(made.pid, "plug", made.name)
                board.wait_port()
                assert board.port != before
                assert board.evaluate("6 * 7") == 42
                board.close()
        except NoInterpreterError as error:
            pytest.skip(str(error))
