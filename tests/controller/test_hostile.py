"""A core whose front ends mean harm, or are broken."""

import contextlib
import functools
import io
import json
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from lampione.api import SOCKET
from lampione.cli import run
from lampione.cli.output import Printer
from lampione.config.blob import encode
from lampione.config.model import NodeConfig
from lampione.core.client import Client, CoreError
from lampione.live import places

from tests.brokers import wait_until
from tests.controller.rig import Rig

BLOB = encode(NodeConfig()).hex()
LONE = "\ud800"


def refused(rig: Rig, op: str, **asked: Any) -> CoreError:
    with pytest.raises(CoreError) as error:
        list(rig.client.stream(op, **asked))
    return error.value


def forge(rig: Rig) -> int:
    """Have an alarm stand; return its number."""
    rig.client.call("deliver", node="a-1", frames=["00" * 40])
    found: list[Any] = []

    def stands() -> bool:
        found[:] = rig.client.call("alarms")
        return bool(found)

    wait_until("an alarm stands", stands)
    return int(found[0]["id"])


@pytest.mark.parametrize("wrong", [LONE, "a\0b"])
def test_a_text_that_cannot_be_stored_or_sent_is_refused(rig: Rig, wrong: str) -> None:
    rig.client.call("note", text="before")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("enter", {"operator": wrong}),
        ("enter", {"operator": "root", "terminal": wrong}),
        ("lock", {"node": "a-1", "reason": wrong, "confirm": "a-1"}),
        ("note", {"text": wrong}),
        ("operator", {"do": "set", "name": "anna", "role": "configure", "pin": f"123{wrong}"}),
        ("show", {"node": wrong}),
        ("commands", {"node": wrong}),
        ("configs", {"nodes": [wrong]}),
        ("select", {"where": wrong}),
        ("alarm", {"alarm": 1, "do": "note", "text": wrong}),
    ]
    kinds = {op: refused(rig, op, **more).kind for op, more in asked}
    assert set(kinds.values()) <= {"request", "unknown"}, kinds
    assert rig.client.call("tags") == []
    assert [entry["action"] for entry in rig.client.call("audit")] == ["note"]


def test_an_alarms_note_does_not_end_the_core(rig: Rig) -> None:
    number = forge(rig)
    assert refused(rig, "alarm", alarm=number, do="note", text=LONE).kind == "request"
    assert rig.client.call("alarm", alarm=number, do="note", text="è")["note"] == "è"


def test_what_is_no_list_is_a_request_that_is_wrong(rig: Rig) -> None:
    for more in ({"waves": 5}, {"waves": None}, {"canary": [["a"]]}, {"canary": True}):
        error = refused(rig, "plan", configs={"a-1": BLOB}, **more)
        assert error.kind == "request", (more, error)


def test_a_change_of_operators_gives_nobody_a_role_without_his_pin(rig: Rig) -> None:
    user = rig.client.call("enter")["operator"]
    rig.client.call("enter", operator="anna")
    rig.client.call("operator", do="set", name="anna", role="configure")
    rig.client.call("operator", do="set", name=user, role="configure", pin="4711")
    with Client.open(rig.folder) as other:
        assert other.call("enter")["role"] == "view"  # the user of this machine, without his PIN
        rig.client.call("operator", do="set", name="night", role="view")
        assert other.call("enter")["role"] == "view"
        rig.client.call("operator", do="set", name=user, role="operate")
        assert other.call("enter")["role"] == "view"
        # What he was given once he said it, he has; a new PIN has to be said again.
        assert other.call("enter", operator=user, pin="4711")["role"] == "operate"
        rig.client.call("operator", do="set", name=user, role="configure")
        assert other.call("enter")["role"] == "configure"
        rig.client.call("operator", do="set", name=user, pin="0815")
        assert other.call("enter")["role"] == "view"


def test_after_the_last_operator_it_is_as_before_the_first(rig: Rig) -> None:
    rig.client.call("operator", do="set", name="anna", role="configure")
    with Client.open(rig.folder) as other:
        other.call("enter", operator="anna")
        other.call("operator", do="remove", name="anna")
        assert other.call("operators") == []
    with Client.open(rig.folder) as other:
        assert other.call("enter")["role"] == "configure"


def test_operators_are_as_they_were_where_the_audit_cannot_say_so(rig: Rig) -> None:
    rig.client.call("operator", do="set", name="anna", role="configure")
    rig.client.call("enter", operator="anna")
    before = (rig.folder / "operators.json").read_bytes()
    with contextlib.closing(sqlite3.connect(rig.folder / "lampione.db")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'full'); END"
        )
    assert refused(rig, "operator", do="set", name="bruno", role="configure").kind == "broken"
    assert (rig.folder / "operators.json").read_bytes() == before
    with contextlib.closing(sqlite3.connect(rig.folder / "lampione.db")) as database:
        database.execute("DROP TRIGGER full")


def test_json_steers_no_terminal() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    said = {"note": "\x1b[31m\x9b31m\x7f è"}
    Printer(as_json=True, stream=out).json(said)
    text = out.buffer.getvalue().decode()
    assert json.loads(text) == said
    assert not set(text) & {"\x1b", "\x9b", "\x7f"}


@pytest.mark.parametrize("value", ["9" * 400, "[" * 100_000], ids=["huge", "deep"])
def test_a_fleets_file_that_means_harm_leaves_places_unknown(tmp_path: Path, value: str) -> None:
    (tmp_path / "fleet.toml").write_text(
        f'[[sites]]\nid = "s"\nlatitude = {value}\n[[nodes]]\nid = "a-1"\nsite = "s"\n'
    )
    assert places.read(tmp_path) == {}


def test_an_error_steers_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        raise CoreError("refused", "a-1 is locked by anna: \x1b]0;x\x07\x9b2J\nsecond line")

    monkeypatch.setattr(run, "_run", fails)
    monkeypatch.delenv("LAMPIONE_DEBUG", raising=False)
    assert run.run(["locks"]) != 0
    said = capsys.readouterr().err
    assert "anna" in said
    assert len(said.splitlines()) == 2
    assert not set(said) & {"\x1b", "\x9b", "\x07"}


def _more(rig: Rig, than: int) -> bool:
    return len(rig.client.call("audit")) > than


def test_a_change_of_operators_has_its_entry_though_who_asked_has_gone(rig: Rig) -> None:
    file = rig.folder / "operators.json"
    for n in range(5):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as gone:
            gone.connect(str(rig.folder / SOCKET))
            asked = {"id": 1, "op": "operator", "do": "set", "role": "configure"}
            gone.sendall(json.dumps(asked | {"name": f"anna-{n}", "pin": "4711"}).encode() + b"\n")
            end = time.monotonic() + 20
            while not file.exists():
                assert time.monotonic() < end
        wait_until("the audit knows", functools.partial(_more, rig, n))
        file.unlink()
    assert all("4711" not in entry["body"] for entry in rig.client.call("audit"))


def test_it_ends_while_somebody_does_not_read(rig: Rig) -> None:
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(str(rig.folder / SOCKET))
    deaf.setblocking(False)
    line = json.dumps({"id": 1, "op": "?" * 50_000}).encode() + b"\n"
    end = time.monotonic() + 30
    blocked = 0
    while blocked < 200:
        assert time.monotonic() < end
        try:
            deaf.send(line[: 1 << 16])
            blocked = 0
        except BlockingIOError:
            blocked += 1
            rig.client.call("tags")
    try:
        assert rig.stop() == 0
    finally:
        deaf.close()
