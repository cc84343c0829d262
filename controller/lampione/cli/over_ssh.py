"""A controller on another machine: its socket is brought here by OpenSSH, for one command.

    lampione --ssh crew@controller.example
    lampione --ssh crew@controller.example nodes --where 'state=offline'

The screen runs here and only what it shows goes over the line, so its keys answer at once however
slow the line is. OpenSSH does what it does for everybody: keys, agents, passwords, ~/.ssh/config.
"""

import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lampione.api import SOCKET
from lampione.cli.errors import FAILED, UNREACHABLE, USAGE, CliError
from lampione.core.client import NoCore

COMMANDS = frozenset((
    None, "nodes", "watch", "show", "history", "statistics", "gaps", "refused", "send",
    "alarms", "audit", "lock", "unlock", "locks", "notes", "map",
    "config status", "config rollouts", "config revert",
))  # fmt: skip
"""Those that ask the controller alone, and no file of its folder."""

_ASK = 'printf "%s\\n" "${LAMPIONE_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/lampione}"'
_WAIT_S = 10.0


@contextmanager
def socket_of(host: str, state: Path | None, command: str | None) -> Iterator[Path]:
    """Bring the socket of a controller on `host` here; yield a folder that it lies in.

    Args:
        host: as `ssh` takes it.
        state: the controller's folder there; without, where it is by default there.

    Raises CliError.
    """
    if command not in COMMANDS:
        raise CliError(
            f"`lampione {command}` works where the controller is: ssh {host} lampione {command}",
            USAGE,
        )
    if not host or host.startswith("-"):
        raise CliError(f"{host!r} is no host", USAGE)
    with tempfile.TemporaryDirectory(prefix="lampione-") as folder:  # mode 0700
        here = Path(folder) / SOCKET
        master = Path(folder) / "ssh"
        ssh = ["ssh", "-o", f"ControlPath={master}"]
        there = state
        try:
            by_default = _log_in(ssh, host)
            there = state or by_default
            forward = f"{here}:{there / SOCKET}"
            _run([*ssh, "-O", "forward", "-L", forward, host], host)
            end = time.monotonic() + _WAIT_S
            while not here.exists():
                if time.monotonic() > end:
                    raise CliError(f"{host}: ssh did not bring the socket here", UNREACHABLE)
                time.sleep(0.02)
            yield Path(folder)
        except NoCore:
            raise CliError(
                f"{host}: no controller answers in {there}: ssh {host} lampione serve", UNREACHABLE
            ) from None
        finally:
            if master.exists():
                subprocess.run([*ssh, "-q", "-O", "exit", host], capture_output=True, check=False)


def _log_in(ssh: list[str], host: str) -> Path:
    """Log in, stay logged in, and return where the controller's folder is by default."""
    stay = [*ssh, "-o", "ControlMaster=yes", "-o", "ControlPersist=yes"]
    lines = _run([*stay, host, f"sh -c {shlex.quote(_ASK)}"], host).split("\n")
    if len(lines) < 2:
        raise CliError(f"{host}: it does not say where its controller's folder is: use --state")
    return Path(lines[-2])


def _run(command: list[str], host: str) -> str:
    try:
        # The master stays behind with our standard error: it may not be a pipe that we wait for.
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        raise CliError("there is no `ssh` here: install OpenSSH's client") from None
    if done.returncode != 0:
        raise CliError(f"{host}: ssh ended with {done.returncode}, see above", FAILED)
    return done.stdout
