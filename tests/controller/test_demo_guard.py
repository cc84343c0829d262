"""Whatever happens to a demo, its broker ends and its folder goes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lampione.broker import LocalBroker

PROGRAM = """\
import sys, time
from pathlib import Path
from lampione.demo.guard import Guard
from lampione.demo.processes import start_broker
state = Path(sys.argv[1])
guard = Guard(state, remove=sys.argv[2] == "remove")
print(start_broker(state), flush=True)
sys.stdin.read()
guard.finish()
"""


def wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["killed", "in good order"])
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
        assert int(demo.stdout.readline()) != 1883
        running = LocalBroker(state / "broker").status()
        assert running is not None
        if how == "killed":
            demo.send_signal(signal.SIGKILL)
        else:
            demo.stdin.close()
        demo.wait(30)
        wait(lambda: not _alive(running.pid), "the broker lives on")
        if remove:
            wait(lambda: not state.exists(), "the folder is there still")
        else:
            assert state.exists()
    finally:
        demo.kill()
        demo.wait()
        demo.stdout.close()
        LocalBroker(state / "broker").stop()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
