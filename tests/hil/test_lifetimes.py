"""Nothing of a bench outlives it, and a fleet starts at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lampione_hil.board import BenchError
from lampione_hil.interpreter import VARIABLE, NoInterpreterError
from lampione_hil.virtual import SteadyAir, SyntheticStreet, VirtualBench, World

from tests.processes import alive

QUIET = World(street=None, air=SteadyAir())
SPIN = b"import time\nprint('up')\nwhile True:\n  time.sleep_ms(50)\n"
CALLER = """
import sys
from pathlib import Path
from lampione_hil.virtual import *
with VirtualBench(folder=Path(sys.argv[1])) as bench:
    main = b"print('up')\\nwhile True: pass\\n"
    one = bench.board("one", {"/main.py": main}, world=World(street=None))
    one.power_on()
    one.wait_console("up")
    print(one.state()["pid"], bench.supervisor_pid, flush=True)
    sys.stdin.read()
"""


def wait_gone(*pids: int) -> None:
    until = time.monotonic() + 10
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < until, f"still there: {[p for p in pids if alive(p)]}"
        time.sleep(0.01)


def test_everything_ends_with_the_context() -> None:
    with VirtualBench() as bench:
        one = bench.board("one", {"/main.py": SPIN}, world=QUIET)
        one.power_on()
        one.wait_console("up")
        pids = (int(one.state()["pid"]), bench.supervisor_pid)
        folder = bench.folder
        assert all(alive(pid) for pid in pids)
    wait_gone(*pids)
    assert not folder.exists()
    with pytest.raises(BenchError, match="closed"):
        one.power_on()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_everything_ends_with_the_caller(tmp_path: Path, how: signal.Signals) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert caller.stdout is not None
    try:
        pids = [int(word) for word in caller.stdout.readline().split()]
        assert len(pids) == 2
        os.killpg(caller.pid, how)  # as Ctrl-C does: to everything of that terminal
    finally:
        caller.kill()
        caller.communicate()
    wait_gone(*pids)


def test_everything_ends_with_the_supervisor(tmp_path: Path) -> None:
    with VirtualBench(folder=tmp_path) as bench:
        one = bench.board("one", {"/main.py": SPIN}, world=QUIET)
        one.power_on()
        one.wait_console("up")
        pid = int(one.state()["pid"])
        os.kill(bench.supervisor_pid, signal.SIGKILL)
        wait_gone(pid)
        with pytest.raises(BenchError, match="gone"):
            one.state()


def test_ctrl_c_reaches_neither_supervisor_nor_boards() -> None:
    with VirtualBench() as bench:
        one = bench.board("one", {"/main.py": SPIN}, world=QUIET)
        one.power_on()
        one.wait_console("up")
        os.kill(bench.supervisor_pid, signal.SIGINT)
        assert os.getpgid(int(one.state()["pid"])) != os.getpgid(0)
        assert one.running


def test_a_flash_is_taken_up_again_by_the_next_bench(tmp_path: Path) -> None:
    for count in (1, 2):
        with VirtualBench(folder=tmp_path) as bench:
            one = bench.board("one", world=QUIET)
            one.write_files({f"/{count}": b"x"})
            assert len(one.list_files()) == count


def test_eleven_boards_start_at_once() -> None:
    world = World(street=SyntheticStreet(1), air=SteadyAir())
    main = b"import machine\nmachine.PWM(machine.Pin(4), freq=1000, duty_u16=77)\n"
    with VirtualBench() as bench:
        boards = [bench.board(f"post-{n}", {"/main.py": main}, world=world) for n in range(11)]
        start = time.monotonic()
        for board in boards:
            board.power_on()
        for board in boards:
            board.wait_pwm(4, 77, 77)
        assert time.monotonic() - start < 5
        assert len({board.port for board in boards}) == 11
        assert len(list(bench.folder.glob("sound-*.s32"))) == 1, "one sound for all"


def test_no_interpreter_is_one_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "/nowhere/micropython")
    with pytest.raises(NoInterpreterError, match=r"^LAMPIONE_MICROPYTHON=.*no such program$"):
        VirtualBench().start()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "is no MicroPython"),
        ("echo MicroPython v1.27", "is no MicroPython"),
        ("echo micropython 1 x", "is no MicroPython"),
        ("echo micropython 1 22", "is MicroPython 1.22"),
        (f'exec "{sys.executable}" "$@"', "is no MicroPython"),
        (None, "Exec format error"),
    ],
)
def test_what_is_no_micropython_is_said_at_the_start(
    script: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "micropython"
    program.write_bytes(b"\0" if script is None else f"#!/bin/sh\n{script}\n".encode())
    program.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(program))
    with pytest.raises(NoInterpreterError) as error:
        VirtualBench().start()
    assert said in str(error.value)
    assert str(error.value).startswith(f"{VARIABLE}={program}")
    assert str(error.value).endswith("set it to a MicroPython of 1.26 or later")
    assert "\n" not in str(error.value)


def test_an_installed_interpreter_is_run_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "micropython"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m micropython_unix "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(program))
    with VirtualBench() as bench:
        one = bench.board("one", {"/main.py": b"import sys\nprint(sys.path)\n"}, world=QUIET)
        one.power_on()
        one.wait_console(r"\['', '.frozen', '/lib'\]")


def test_the_supervisor_forks_with_one_thread() -> None:
    with VirtualBench() as bench:
        one = bench.board("one", {"/main.py": SPIN}, world=QUIET)
        one.power_on()
        one.wait_console("up")
        tasks = Path(f"/proc/{bench.supervisor_pid}/task")
        if not tasks.exists():
            pytest.skip("needs /proc to count threads")
        assert len(list(tasks.iterdir())) == 1
