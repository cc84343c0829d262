"""The demo's broker and controller, each a process of its own that cannot outlive the demo."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from lampione.broker import HOST, LocalBroker
from lampione.cli.errors import CliError
from lampione.core.client import Client, NoCore
from lampione.demo.guard import Guard

CORE_START_S = 20.0
CORE_END_S = 10.0


def free_port() -> int:
    """Return a TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _how(code: int) -> str:
    """Say how a process ended, from its return code as subprocess has it."""
    if code >= 0:
        return f"with {code}"
    with contextlib.suppress(ValueError):
        return f"by {signal.Signals(-code).name}"
    return f"by signal {-code}"


class Broker:
    """The demo's own broker, never on the usual port; the guard ends it.

    Raises BrokerError.
    """

    def __init__(self, state: Path, guard: Guard) -> None:
        port = free_port()
        guard.tell(port)  # before it runs: whatever happens next, it ends
        running = LocalBroker(state / "broker").start(port)
        self.port = running.port
        self._pid = running.pid

    def check(self) -> None:
        """Raise CliError when it has ended by itself."""
        how = ""
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if not pid:
                return
            how = " " + _how(os.waitstatus_to_exitcode(status))
        except ChildProcessError:
            pass  # somebody else has waited for it
        raise CliError(f"the broker has ended{how}: start the demo anew")


class Core:
    """The controller: `lampione serve` that ends when its standard input does.

    Args:
        broker: its URL, or its port on the loopback.
    """

    def __init__(self, state: Path, broker: str | int) -> None:
        self._state = state
        self._log = state / "serve.log"
        url = broker if isinstance(broker, str) else f"mqtt://{HOST}:{broker}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "lampione", "--state", str(state)),
                    *("serve", "--broker", url, "--until-eof"),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # The user's broker, if any, has nothing to do with the demo's.
                env={k: v for k, v in os.environ.items() if not k.startswith("LAMPIONE_BROKER")},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wait(self) -> None:
        """Return when it answers. Raises CliError with its last words when it does not."""
        end = time.monotonic() + CORE_START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                Client.open(self._state, timeout_s=1).close()
            except NoCore:
                time.sleep(0.02)
            else:
                return
        text = self._log.read_text(errors="replace").strip().splitlines()
        raise CliError(f"the controller did not start: {text[-1] if text else 'it said nothing'}")

    def check(self) -> None:
        """Raise CliError when it has ended by itself."""
        code = self._process.poll()
        if code is None:
            return
        if code < 0:
            raise CliError(f"the controller has ended {_how(code)}: start it anew")
        text = self._log.read_text(errors="replace").strip().splitlines()
        raise CliError(f"the controller has ended: {text[-1] if text else 'it said nothing'}")

    def wait_end(self, timeout_s: float) -> None:
        """Return when it has ended, or after so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(CORE_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
