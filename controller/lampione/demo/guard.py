"""Ends what a demo leaves behind, however the demo ends: `python -m lampione.demo.guard`.

The demo holds the other end of this process's standard input. When that closes, in good order or
because the demo was killed, the demo's broker is stopped and its temporary folder removed. (The
controller and the boards watch the demo in the same way and end by themselves.)
"""

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
        remove: whether the folder goes at the end.
    """

    def __init__(self, state: Path, *, remove: bool) -> None:
        arguments = [str(state), REMOVE] if remove else [str(state)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lampione.demo.guard", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is the demo's
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def finish(self) -> None:
        """Let it do its work; returns when that is done."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_S * 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _main(state: Path, *, remove: bool) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    try:
        LocalBroker(state / "broker").stop()
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1
    end = time.monotonic() + END_S
    # After a kill of the demo, the controller and the boards may be writing their last.
    while remove and state.exists() and time.monotonic() < end:
        shutil.rmtree(state, ignore_errors=True)
        if state.exists():
            time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), remove=REMOVE in sys.argv[2:]))
