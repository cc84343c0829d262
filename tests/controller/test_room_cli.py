"""`audit`, `operators`, `lock`, `unlock`, `locks`, `notes` on the command line."""

import argparse
import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lampione.cli.deeds import telling
from lampione.cli.operators_arguments import ROLES as SHOWN
from lampione.cli.run import run
from lampione.room.deeds import FLASH
from lampione.room.who import ROLES

from tests.brokers import Broker, wait_until
from tests.controller.rig import Rig


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("cli") / "s", broker, ("a-1", "b-2")) as running:
        yield running


def command(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run a command line in this process: a new one for each would take a quarter of a second."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


def do(rig: Rig, *arguments: str, code: int = 0, **environment: Any) -> str:
    ended, told, wrong = command("--state", str(rig.folder), *arguments, **environment)
    assert ended == code, told + wrong
    if code == 0:
        assert not wrong
    else:
        assert wrong.count("\n") == 1
        assert "Traceback" not in wrong
    return told if code == 0 else wrong


def rows(rig: Rig, *arguments: str, **environment: Any) -> list[Any]:
    return [json.loads(line) for line in do(rig, *arguments, "--json", **environment).splitlines()]


def test_the_roles_that_help_shows_are_those_that_there_are() -> None:
    assert SHOWN == ROLES


def test_a_lamp_is_locked_and_unlocked(rig: Rig) -> None:
    assert "no lamp is locked" in do(rig, "locks")
    told = do(rig, "lock", "a-1", "--reason", "new driver", code=2)
    assert "--confirm a-1" in told
    assert "type the node's name" in do(
        rig, "lock", "a-1", "--reason", "x", "--confirm", "b-2", code=1
    )
    assert "no node" in do(rig, "lock", "c-3", "--reason", "x", "--confirm", "c-3", code=4)
    lock = ("lock", "a-1", "--reason", "new driver", "--confirm", "a-1", "--operator", "anna")
    assert "a-1 is locked" in do(rig, *lock)
    assert do(rig, "locks").splitlines()[1].split()[:2] == ["a-1", "anna"]
    (row,) = rows(rig, "locks")
    assert (row["node"], row["operator"], row["reason"]) == ("a-1", "anna", "new driver")
    assert row["lamp"] == "not known"  # it never spoke
    assert "LOCKED OFF by anna, " in do(rig, "show", "a-1")
    refused = do(rig, "send", "a-1", "level", "40", code=1)
    assert "a-1 is locked by anna: new driver" in refused
    assert "gives a reason" in do(rig, "unlock", "a-1", LAMPIONE_OPERATOR="bruno", code=1)
    told = do(rig, "unlock", "a-1", "--operator", "anna", code=1)
    assert "a name without a PIN proves nothing, so whoever takes it off gives a reason" in told
    done = rows(rig, "unlock", "a-1", "--operator", "anna", "--reason", "done")
    assert done == [{"node": "a-1", "locked": False}]
    assert "not locked" in do(rig, "unlock", "a-1", code=1)


def test_the_name_is_asked_for_on_a_terminal(rig: Rig) -> None:
    for typed, code in ((b"a-2\n", 1), (b"b-2\n", 0)):
        here, there = pty.openpty()
        arguments = ["--state", str(rig.folder), "lock", "b-2", "--reason", "work"]
        process = subprocess.Popen(
            [sys.executable, "-m", "lampione", *arguments],
            stdin=there, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        os.close(there)
        os.write(here, typed)
        told, _ = process.communicate(timeout=30)
        os.close(here)
        assert process.returncode == code, told
        assert "b-2 goes dark" in told
    do(rig, "unlock", "b-2", "--reason", "done")


def test_what_is_done_with_boards_in_hand_is_told_to_a_controller_that_runs(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = argparse.Namespace(state=rig.folder, operator="dora")
    with telling(here) as tell:
        tell(FLASH, "a-1", result="done", board="a4cf12fe0001", why=None)
        tell("no such deed", result="done")
    assert "the audit has no no such deed: action is one of" in capsys.readouterr().err
    entries = [row for row in rows(rig, "audit") if row["operator"] == "dora"]
    assert [(e["action"], e["node"], e["detail"]) for e in entries] == [
        ("flash", "a-1", {"board": "a4cf12fe0001", "result": "done"})
    ]
    assert "done, board a4cf12fe0001" in do(rig, "audit", "--by", "dora")
    with telling(argparse.Namespace(state=tmp_path, operator=None)) as tell:
        tell(FLASH, result="done")  # nobody is there


def test_the_audit_says_it_exports_it_and_checks_it(rig: Rig, tmp_path: Path) -> None:
    rig.node("a-1")
    do(rig, "send", "a-1", "level", "40", "--for", "5m", "--operator", "carla")

    def listed() -> list[str]:
        return do(rig, "audit", "--by", "carla").splitlines()

    wait_until("its result is there", lambda: "done, lamp at 40 %" in listed()[-1])
    line = listed()[-1]
    assert "carla" in line
    assert "level 40 % for 5m" in line
    assert "a-1" in line
    (entry,) = rows(rig, "audit", "--by", "carla")
    assert entry["detail"]["level"] == 40
    assert len(rows(rig, "audit", "--limit", "1")) == 1
    assert rows(rig, "audit", "--node", "b-2", "--since", "0s") == []
    assert "nothing of that kind" in do(rig, "audit", "--by", "nobody")
    do(rig, "audit", "--verify", "--node", "a-1", code=2)
    (checked,) = rows(rig, "audit", "--verify")
    assert checked["bad"] is None
    assert checked["head"] in do(rig, "audit", "--verify")
    file = tmp_path / "audit.jsonl"
    assert checked["head"] in do(rig, "audit", "--export", str(file))
    assert "is there already" in do(rig, "audit", "--export", str(file), code=1)
    alone = ("--state", str(tmp_path), "audit", "--verify", str(file), "--json")
    assert json.loads(command(*alone)[1]) == checked
    text = file.read_text()
    file.write_text(text.replace('\\"level\\":40', '\\"level\\":41'))
    ended, told, _ = command(*alone)
    assert ended == 1
    assert json.loads(told)["bad"] == entry["seq"]
    told = command("--state", str(tmp_path), "audit", "--verify", str(file))[1]
    assert f"broken at entry {entry['seq']}" in told
    assert "No such file" in do(rig, "audit", "--verify", str(tmp_path / "none"), code=1)


def test_notes_are_left_and_read(rig: Rig) -> None:
    do(rig, "notes", "add", " ", code=2)
    (note,) = rows(rig, "notes", "add", "feeder 3 tripped\ntwice", "--operator", "anna")
    do(rig, "notes", "add", "all is well", "--operator", "bruno")
    told = do(rig, "notes").splitlines()
    assert [line for line in told if line.startswith("  ")] == [
        "  feeder 3 tripped", "  twice", "  all is well",
    ]  # fmt: skip
    assert f"anna  audit {note['head'][:16]}" in told[0]
    assert [row["operator"] for row in rows(rig, "notes", "--limit", "1")] == ["bruno"]


def test_operators_are_made_with_and_without_a_controller(rig: Rig, tmp_path: Path) -> None:
    assert "no operators" in do(rig, "operators")
    assert "somebody has to keep" in do(rig, "operators", "add", "bruno", "--role", "view", code=1)
    pin = tmp_path / "pin"
    pin.write_text("pin4711\n")
    add = ("operators", "add", "anna", "--role", "configure", "--pin-file", str(pin))
    assert "chmod 600" in do(rig, *add, code=1)
    pin.chmod(0o600)
    assert rows(rig, *add) == [{"name": "anna", "role": "configure", "pin": True}]
    secret: dict[str, Any] = {"LAMPIONE_PIN_FILE": str(pin)}
    assert "no terminal to ask for a PIN" in do(rig, "notes", "--operator", "anna", code=2)
    assert "needs the role operate" in do(rig, "notes", "add", "x", code=1)
    assert "deed needs the role operate" in do(rig, "flash", "--port", "/dev/none", code=1)
    assert "do not fit" in do(rig, "nodes", "--operator", "nobody", code=1)
    as_anna = ("--operator", "anna")
    do(rig, *as_anna, "operators", "add", "night", "--role", "view", **secret)
    do(rig, *as_anna, "operators", "role", "night", "operate", **secret)
    assert "say what" not in do(rig, *as_anna, "operators", "add", "night", code=2, **secret)
    do(rig, "notes", "add", "as night", "--operator", "night")
    pin.write_text("0000\n")
    assert "do not fit" in do(rig, *as_anna, "notes", code=1, **secret)
    assert "pin4711" not in do(rig, "audit", "--json")
    rig.stop()
    assert [row["name"] for row in rows(rig, "operators", "list")] == ["anna", "night"]
    do(rig, "operators", "add", "anna", "--no-pin")
    assert rows(rig, "operators", "remove", "night") == [
        {"name": "anna", "role": "configure", "pin": False}
    ]
    assert "no operator 'night'" in do(rig, "operators", "remove", "night", code=1)
    rig.start()
    assert rig.client.call("operators")[0]["pin"] is False
    done = [e["detail"] for e in rows(rig, "audit") if e["action"] == "operator"]
    assert done[:2] == [
        {"do": "remove", "name": "night"}, {"do": "set", "name": "anna", "pin": "none"},
    ]  # fmt: skip
    assert rows(rig, "audit", "--verify")[0]["bad"] is None
