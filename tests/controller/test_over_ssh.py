"""A controller on another machine: real OpenSSH, both ends, on a loopback port."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import wait_until
from tests.controller.tui.still import SITES

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
pytestmark = pytest.mark.skipif(
    not (Path(SSHD).exists() and shutil.which("ssh")), reason="there is no OpenSSH server here"
)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A machine to log in to; yield an ssh configuration's folder and an environment."""
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nPidFile none\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    )
    (tmp_path / "ssh_config").write_text(
        f"Host there\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f" IdentityFile {tmp_path}/user\n IdentitiesOnly yes\n BatchMode yes\n"
        f" UserKnownHostsFile {tmp_path}/known\n StrictHostKeyChecking accept-new\n"
    )
    # OpenSSH reads the configuration of the account, not of HOME: a wrapper says which.
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # its privilege separation wants it
    with (tmp_path / "sshd.log").open("wb") as log:
        command = [SSHD, "-D", "-e", "-f", str(tmp_path / "sshd_config")]
        server = subprocess.Popen(command, stdout=log, stderr=log)

    def listens() -> bool:
        assert server.poll() is None, (tmp_path / "sshd.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until("sshd listens", listens)
        yield tmp_path, {**os.environ, "PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    finally:
        server.terminate()
        server.wait(10)


def lampione(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lampione", "--ssh", "there", *arguments],
        env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def test_commands_reach_a_controller_elsewhere(
    there: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    _, environment = there
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    missing = lampione(environment, "--state", str(state), "nodes")
    assert missing.returncode == 3, missing.stderr
    assert f"no controller answers in {state}" in missing.stderr
    made = [sys.executable, "-m", "lampione", "--state", str(state), "keys", "new", "--all"]
    subprocess.run(made, check=True, capture_output=True)
    log = (tmp_path / "serve.log").open("wb")
    serve = subprocess.Popen(
        [sys.executable, "-m", "lampione.serve", str(state), "milan", "mqtt://127.0.0.1:1"],
        stdout=log, stderr=log, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until("the core listens", (state / "core.sock").exists)
        done = lampione(environment, "--state", str(state), "nodes", "--json")
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {row["node"]: row["site"] for row in rows}.items() >= {
            (node, place["name"]) for node, place in SITES.items()
        }
        none = lampione(environment, "--state", str(state), "config", "rollouts")
        assert none.returncode == 0, none.stderr
        assert none.stdout.startswith("no push in stages yet")
        refused = lampione(environment, "config", "push", "--all")
        assert "ssh there lampione config push" in refused.stderr
        refused = lampione(environment, "serve")
        assert refused.returncode == 2
        assert "ssh there lampione serve" in refused.stderr
    finally:
        serve.terminate()
        serve.wait(20)
        log.close()
    assert not list(Path("/tmp").glob("lampione-*/ssh"))


def test_a_host_that_does_not_answer_is_said(there: tuple[Path, dict[str, str]]) -> None:
    _, environment = there
    done = subprocess.run(
        [sys.executable, "-m", "lampione", "--ssh", "nobody@127.0.0.1", "nodes"],
        env={**environment}, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ssh ended with 255" in done.stderr
    assert "Traceback" not in done.stderr
