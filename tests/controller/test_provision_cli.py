"""`lampione provision` without a board: its words, its exit codes, what it refuses."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from lampione import calibration, seeds
from lampione.cli.run import run
from lampione.desk.configs import Wanted
from lampione.provision import ca
from lampione.provision.queue import Queue
from lampione.provision.rows import load
from lampione_hil.virtual import offered


class Shell:
    """A folder of its own for everything that the command touches."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._capsys = capsys
        self.state = folder / "s"
        self.environment = {
            offered.VARIABLE: str(folder / "b"), ca.VARIABLE: str(folder / "ca"),
            "LAMPIONE_STATE": str(self.state),
        }  # fmt: skip
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def run(self, *arguments: str, code: int) -> str:
        found = run(["provision", *arguments])
        said = "".join(self._capsys.readouterr())
        assert found == code, said
        assert "unexpected" not in said
        return said


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    return Shell(tmp_path, monkeypatch, capsys)


def test_a_wrong_command_line_says_what_is_meant(shell: Shell) -> None:
    for arguments, words in (
        ((), "say which node, or --list FILE"),
        (("a", "b"), "a list of them with --list FILE"),
        (("bligny-1", "--list", "l.toml"), "say which node, or --list FILE"),
        (("--list", "l.toml", "--board", "x"), "the boards stand in the list"),
        (("status",), "status --list FILE"),
        (("broker",), "broker HOST"),
        (("bligny-1", "--jobs", "0"), "from 1 to 64"),
        (("--list", "l.toml", "--broker", "mqtt://u:hunter2@b"), "No such file"),
    ):
        said = shell.run(*arguments, code=1 if "No such" in words else 2)
        assert words in said
        assert "hunter2" not in said
    assert "no node 'rome-1'" in shell.run("rome-1", code=4)
    assert "planned" in shell.run("umbria-2", code=1)
    assert "no board" in shell.run("bligny-1", code=1)


def test_a_wrong_list_is_named_line_by_line_before_anything_is_done(shell: Shell) -> None:
    path = shell.folder / "fifty.csv"
    path.write_text("node,site\nbligny-1,umbria\nrome-1,\n")
    said = shell.run("--list", str(path), code=2)
    assert f"{path}:2: bligny-1 stands at 'bligny'" in said
    assert f"{path}:3: the fleet's file has no node 'rome-1'" in said
    assert not shell.state.exists()
    assert not (shell.folder / "ca").exists()


def test_what_is_lacking_is_said_before_a_board_is_touched(shell: Shell) -> None:
    path = shell.folder / "l.toml"
    path.write_text('[[boards]]\nnode = "bligny-1"\n')
    assert "lampione serve" in shell.run("--list", str(path), code=3)
    assert "--broker" in shell.run("--list", str(path), "--no-sign-off", code=2)
    ours = ("--list", str(path), "--no-sign-off", "--broker", "mqtt://10.0.0.5")
    assert "give --wifi FILE" in shell.run(*ours, code=2)
    wifi = shell.folder / "city.wifi"
    wifi.write_text('ssid = "city"\npassword = "hunter2hunter2"\n')
    wifi.chmod(0o640)
    said = shell.run(*ours, "--wifi", str(wifi), code=1)
    assert "chmod 600" in said
    assert "hunter2" not in said
    wifi.chmod(0o600)
    said = shell.run(*ours, "--wifi", str(wifi), code=1)
    assert "bligny-1: no board is plugged in for it" in said
    assert "0 of 1 done; next is bligny-1, the next board plugged in" in said
    path.write_text('wifi = "city.wifi"\n' + path.read_text())  # beside the list
    report = json.loads(shell.run(*ours, "--json", code=1))
    assert report["no_board"] == report["left"] == ["bligny-1"]


def test_ctrl_c_while_it_waits_for_a_board(shell: Shell) -> None:
    path, wifi = shell.folder / "l.toml", shell.folder / "city.wifi"
    path.write_text('[[boards]]\nnode = "bligny-1"\n')
    wifi.write_text('ssid = "city"\npassword = "hunter2hunter2"\n')
    wifi.chmod(0o600)
    command = [sys.executable, "-m", "lampione", "provision", "--list", str(path), "--no-sign-off"]
    command += ["--broker", "mqtt://10.0.0.5", "--wifi", str(wifi), "--wait", "60s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        while "next is bligny-1: plug in a board" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_status_says_who_is_next_and_what_failed(shell: Shell) -> None:
    path = shell.folder / "l.toml"
    path.write_text('[[boards]]\nnode = "bligny-1"\n[[boards]]\nnode = "umbria-1"\nboard = "b7"\n')
    rows = load(path, seeds.load())
    queue = Queue(rows, path)
    queue.begin(rows[0], "a4")
    queue.step(rows[0], "sign-off")
    queue.failed(rows[0], "radio: -92", "see to the antenna", None)
    said = shell.run("status", "--list", str(path), code=1)
    assert "bligny-1  failed at sign-off  a4" in said
    assert "bligny-1: radio: -92\n  see to the antenna\n" in said
    assert "0 of 2 done; next is bligny-1, board a4" in said
    queue.begin(rows[0], "a4")
    queue.done(rows[0], None)
    assert "1 of 2 done; next is umbria-1, board b7" in shell.run(
        "status", "--list", str(path), code=1
    )
    queue.begin(rows[1], "b7")
    queue.done(rows[1], None)
    assert "all 2 are done" in shell.run("status", "--list", str(path), code=0)
    assert "all 2 are done" in shell.run("--list", str(path), code=0)


def test_the_brokers_certificate_is_the_authoritys(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shell.folder)
    for _ in range(2):  # again: a new one in its place
        said = json.loads(shell.run("broker", "10.0.0.5", "--json", code=0))
    authority = x509.load_pem_x509_certificate(Path(said["ca"]).read_bytes())
    issued = x509.load_pem_x509_certificate(Path(said["certificate"]).read_bytes())
    issued.verify_directly_issued_by(authority)
    assert stat.S_IMODE(Path(said["key"]).stat().st_mode) == 0o600
    assert f"{issued.serial_number:x}" == said["serial"]
    assert "PRIVATE" not in shell.run("broker", "mqtt.example", code=0)
    assert "apart" in shell.run("broker", "x.example", "--ca", str(shell.state / "ca"), code=1)


def test_a_push_sends_what_was_measured_at_the_bench(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.state.mkdir(mode=0o700)
    calibration.keep(shell.state, "lazio-1", {"sound": {"offset_cdb": -120}})
    parts = Wanted(shell.state).config("lazio-1").parts
    assert parts is not None
    assert parts.sound is not None
    assert parts.sound.offset_cdb == -120


def test_wifi_is_asked_for_on_a_terminal_and_not_shown(shell: Shell) -> None:
    import pty

    path = shell.folder / "l.toml"
    path.write_text('[[boards]]\nnode = "bligny-1"\n')
    own, its = pty.openpty()
    try:
        running = subprocess.Popen(
            [sys.executable, "-m", "lampione", "provision", "--list", str(path),
             "--no-sign-off", "--broker", "mqtt://10.0.0.5"],
            stdin=its, stdout=its, stderr=its, env={**os.environ, **shell.environment},
            start_new_session=True,
        )  # fmt: skip
        os.close(its)
        said = b""

        def until(words: bytes) -> None:
            nonlocal said
            while words not in said:
                try:
                    said += os.read(own, 4096)
                except OSError:  # it has ended
                    assert words in said, said
                    return

        until(b"network: ")
        os.write(own, b"city\n")
        until(b"password: ")
        os.write(own, b"hunter2hunter2\n")
        until(b"next is bligny-1")
        assert running.wait(20) == 1
        assert b"hunter2" not in said
    finally:
        os.close(own)


def test_ctrl_d_instead_of_an_answer_is_one_line(shell: Shell) -> None:
    import pty

    path = shell.folder / "l.toml"
    path.write_text('[[boards]]\nnode = "bligny-1"\n')
    own, its = pty.openpty()
    try:
        os.write(own, b"\x04")  # typed ahead
        done = subprocess.run(
            [sys.executable, "-m", "lampione", "provision", "--list", str(path),
             "--no-sign-off", "--broker", "mqtt://10.0.0.5"],
            stdin=its, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(own)
        os.close(its)
    assert done.returncode == 2
    assert done.stderr == ("lampione: the input ended before that was answered: nothing was done\n")
