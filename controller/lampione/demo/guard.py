"""Ends what a demo leaves behind, however the demo ends: `python -m lampione.demo.guard`.

The demo holds the other end of this process's standard input. When that closes, in good order or
because the demo was killed, the demo's broker is stopped and its temporary folder removed. (The
controller and the boards watch the demo in the same way and end by themselves.)
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lampione.broker import BrokerError, LocalBroker

END_S = 15.0
REMOVE = "--remove"


class Guard:
    """The demo's side.

    Args:
        state: the demo's state folder.
        lock: a descriptor that keeps other demos out; the guard holds it, too, to its end.
        remove: whether the folder goes at the end.
    """

    def __init__(self, state: Path, lock: int, *, remove: bool) -> None:
        self._state = state
        self._remove = remove
        self._port: int | None = None
        arguments = [str(state), REMOVE] if remove else [str(state)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lampione.demo.guard", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,  # a Ctrl-C in the terminal is the demo's
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def tell(self, port: int) -> None:
        """Say on which port the demo's broker will be: that one is stopped, and no other."""
        self._port = port
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed: `finish` does its work
            self._process.stdin.write(f"{port}\n".encode())
            self._process.stdin.flush()

    def finish(self) -> None:
        """Let it do its work, or do it here when it was killed; returns when that is done.

        Raises BrokerError.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            code = self._process.wait(END_S * 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code != 0:
            _clean(self._state, self._port, remove=self._remove)


def _clean(state: Path, port: int | None, *, remove: bool) -> None:
    """Stop the broker when it is the one on `port`, then remove the folder. Raises BrokerError."""
    folder = state / "broker"
    if port is not None and _recorded_port(folder) == port:
        LocalBroker(folder).stop()
    end = time.monotonic() + END_S
    # After a kill of the demo, the controller and the boards may be writing their last.
    while remove and state.exists() and time.monotonic() < end:
        shutil.rmtree(state, ignore_errors=True)
        if state.exists():
            time.sleep(0.1)


def _recorded_port(folder: Path) -> object:
    try:
        return json.loads((folder / "broker.json").read_text())["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _main(state: Path, *, remove: bool) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = sys.stdin.buffer.read().split()
    try:
        _clean(state, int(told[-1]) if told else None, remove=remove)
    except BrokerError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), remove=REMOVE in sys.argv[2:]))
