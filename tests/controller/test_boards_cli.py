"""`lampione boards`: what is plugged in, who has it, whose it is."""

import json
import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from lampione.cli.run import run
from lampione.desk import boards
from lampione.provision import record
from lampione.provision.record import Record
from lampione_hil.real import ports
from lampione_hil.real.ports import Port


@pytest.fixture
def port() -> Iterator[str]:
    """Yield a terminal."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def test_boards_are_listed_with_their_nodes(
    tmp_path: Path, port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "find", lambda: [Port(port, "a4", 0x303A, 1, "ESP32-S3")])
    record.file(tmp_path, Record("bligny-1", "Viale Bligny", "street", "a4", outcome="signed off"))
    assert run(["boards", "--records", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["board"], found["node"], found["state"]) == ("a4", "bligny-1", "free")
    monkeypatch.setattr(ports, "holders", lambda _: [(4711, "mpremote")])
    assert run(["boards", "--records", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "bligny-1  busy" in said
    assert "a4: in use by mpremote (process 4711): close it and try again" in said
    monkeypatch.setattr(os, "access", lambda *_: False)
    [closed] = boards.connected(tmp_path)
    assert closed.state == "closed"
    assert "sudo" in closed.why


def test_no_board_is_an_answer_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ports, "find", list)
    assert run(["boards", "--records", str(tmp_path)]) == 1
    assert "some cables only charge" in capsys.readouterr().out
    assert run(["boards", "--records", str(tmp_path), "--json"]) == 1
    assert capsys.readouterr().out == ""
