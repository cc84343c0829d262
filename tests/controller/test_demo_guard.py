"""Whatever happens to a demo, its broker ends and its folder goes."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lampione.broker import LocalBroker
from lampione.cli.errors import CliError
from lampione.demo.guard import Guard
from lampione.demo.processes import free_port
from lampione.demo.run import LOCK, _lock

from tests.processes import alive

PROGRAM = """\
import os, sys
from pathlib import Path
from lampione.demo.guard import Guard
from lampione.demo.processes import Broker
state = Path(sys.argv[1])
lock = os.open(state / "demo.lock", os.O_CREAT | os.O_RDWR)
guard = Guard(state, lock, remove=sys.argv[2] == "remove")
print(Broker(state, guard).port, guard.pid, flush=True)
sys.stdin.read()
guard.finish()
"""


def wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["killed", "in good order", "guard killed"])
@pytest.mark.parametrize("remove", [True, False])
def test_the_broker_ends_with_the_demo(how: str, remove: bool, tmp_path: Path) -> None:
    state = tmp_path / "s"
    state.mkdir()
    demo = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(state), "remove" if remove else "keep"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert demo.stdin is not None
    assert demo.stdout is not None
    try:
        port, guard = map(int, demo.stdout.readline().split())
        assert port != 1883
        running = LocalBroker(state / "broker").status()
        assert running is not None
        if how == "killed":
            demo.send_signal(signal.SIGKILL)
        else:
            if how == "guard killed":
                os.kill(guard, signal.SIGKILL)
                wait(lambda: not alive(guard), "the guard lives on")
            demo.stdin.close()
        demo.wait(30)
        wait(lambda: not alive(running.pid), "the broker lives on")
        if remove:
            wait(lambda: not state.exists(), "the folder is there still")
        else:
            assert state.exists()
    finally:
        demo.kill()
        demo.wait()
        demo.stdout.close()
        LocalBroker(state / "broker").stop()


def test_a_broker_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    broker = LocalBroker(tmp_path / "broker")
    port = free_port()
    running = broker.start(port)
    lock = _lock(tmp_path)
    try:
        for told in (None, port + 1):
            guard = Guard(tmp_path, lock, remove=False)
            if told is not None:
                guard.tell(told)
            guard.finish()
            now = broker.status()
            assert now is not None
            assert now.pid == running.pid
    finally:
        os.close(lock)
        broker.stop()


def test_the_folder_is_held_until_the_guard_has_ended_too(tmp_path: Path) -> None:
    lock = _lock(tmp_path)
    guard = Guard(tmp_path, lock, remove=False)
    os.close(lock)  # as a kill of the demo does; the guard's input stays open
    with pytest.raises(CliError, match=r"a demo runs in .* choose another --state"):
        _lock(tmp_path)
    guard.finish()
    lock = _lock(tmp_path)
    with (tmp_path / LOCK).open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)
