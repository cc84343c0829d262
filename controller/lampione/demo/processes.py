"""The demo's broker and controller, each a process of its own that cannot outlive the demo."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from lampione.broker import HOST, LocalBroker
from lampione.cli.errors import CliError
from lampione.core.client import Client, NoCore

CORE_START_S = 20.0
CORE_END_S = 10.0


def free_port() -> int:
    """Return a TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def start_broker(state: Path) -> int:
    """Start the demo's own broker, never on the usual port; return its port."""
    return LocalBroker(state / "broker").start(free_port()).port


class Core:
    """The controller: `lampione serve` that ends when its standard input does."""

    def __init__(self, state: Path, port: int) -> None:
        self._state = state
        self._log = state / "serve.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "lampione", "--state", str(state)),
                    *("serve", "--broker", f"mqtt://{HOST}:{port}", "--until-eof"),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
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
        if self._process.poll() is not None:
            text = self._log.read_text(errors="replace").strip().splitlines()
            raise CliError(f"the controller ended: {text[-1] if text else 'it said nothing'}")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(CORE_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
