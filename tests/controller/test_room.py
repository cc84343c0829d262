"""The control room on a real core: roles, the audit, lamps that stay locked."""

import json
import sqlite3
import threading
import time
from typing import Any

import pytest
from lampione import api
from lampione.config.blob import encode
from lampione.config.model import NodeConfig
from lampione.core.client import Client, CoreError
from lampione.room import operators
from lampione.room.who import NEEDS, WITH
from lampione_protocol import names

from tests.brokers import wait_until
from tests.controller.fake_node import FakeNode
from tests.controller.rig import Rig

BLOB = encode(NodeConfig())
LEVEL = {"op": "level", "level": 40, "for_s": 600}
READS = {
    "status", "nodes", "places", "select", "show", "watch", "commands", "history", "statistics",
    "gaps", "events", "refused", "configs", "follow", "rollouts", "rollout", "enter", "operators",
    "audit", "verify", "tags", "notes", "alarms", "cancel",
}  # fmt: skip
"""What everybody may do who may look. An operation that is new belongs here or into NEEDS."""


def audit(rig: Rig, action: str | None = None, **asked: Any) -> list[Any]:
    """Return entries, oldest first."""
    found = rig.client.call("audit", **asked)
    return [entry for entry in reversed(found) if action in (None, entry["action"])]


def heard(node: FakeNode) -> list[tuple[str, int | None]]:
    """Return what a node was told to do to its lamp, and for how long."""
    return [
        (names.OPS[c["op"]], c["for_s"])
        for c in list(node.commands)
        if names.OPS[c["op"]] in ("level", "resume", "emergency", "maintenance", "reboot")
    ]


def refusal(rig: Rig, op: str, **asked: Any) -> str:
    with pytest.raises(CoreError) as error:
        list(rig.client.stream(op, **asked))
    assert error.value.kind == "refused", error.value
    return str(error.value)


def staff(rig: Rig) -> None:
    """Put operators there: anna, bruno with a PIN, and night, who may look."""
    rig.client.call("operator", do="set", name="anna", role="configure")
    rig.client.call("enter", operator="anna")
    rig.client.call("operator", do="set", name="bruno", role="operate", pin="4711")
    rig.client.call("operator", do="set", name="night", role="view")


def test_every_operation_has_a_role() -> None:
    assert set(api.OPS) <= READS | set(NEEDS)
    assert not READS & set(NEEDS)
    assert {op for op, _ in WITH} <= READS


def test_roles_are_kept_at_the_socket(rig: Rig) -> None:
    staff(rig)
    may: dict[str, set[str]] = {}
    for name, pin in (("night", None), ("bruno", "4711"), ("anna", None)):
        rig.client.call("enter", operator=name, pin=pin, terminal="pts/7")
        may[name] = set()
        for op in set(api.OPS) - {"cancel", "watch", "enter"}:
            try:
                list(rig.client.stream(op))
            except CoreError as error:
                if error.kind == "refused" and "needs the role" in str(error):
                    continue
            may[name].add(op)
        if name != "anna":
            assert "configure" in refusal(rig, "rollout", rollout=1, do="abort")
    everything = set(api.OPS) - {"cancel", "watch", "enter"}
    assert may["anna"] == everything
    assert everything - may["bruno"] == everything & {
        op for op, role in NEEDS.items() if role == "configure"
    }
    assert everything - may["night"] == everything & set(NEEDS)


def test_a_role_that_was_taken_away_ends_at_once(rig: Rig) -> None:
    with Client.open(rig.folder) as other:
        assert other.call("enter")["role"] == "configure"
        staff(rig)
        assert "is no operator any more" in _told(other)
        other.call("enter", operator="bruno", pin="4711")
        other.call("note", text="hello")
        rig.client.call("operator", do="set", name="bruno", role="view")
        assert "bruno has view" in _told(other)
        rig.client.call("operator", do="set", name="bruno", role="operate")
        other.call("note", text="hello again")
        rig.client.call("operator", do="remove", name="bruno")
        assert "bruno is no operator any more" in _told(other)
    (rig.folder / operators.FILE).write_text("{")  # nobody may do anything
    with Client.open(rig.folder) as other:
        entered = other.call("enter")
        assert entered["role"] == "view"
        assert "not a file of operators" in entered["why"]
        with pytest.raises(CoreError):
            other.call("enter", operator="anna")


def _told(client: Client) -> str:
    with pytest.raises(CoreError) as error:
        client.call("note", text="hello")
    return str(error.value)


def test_a_pin_opens_and_wrong_ones_are_in_the_audit(rig: Rig) -> None:
    staff(rig)
    with Client.open(rig.folder) as other:  # whoever is not known may look
        assert other.call("enter")["role"] == "view"
        with pytest.raises(CoreError, match="needs the role operate"):
            other.call("note", text="hello")
        for pin in ("0000", None):
            with pytest.raises(CoreError, match="PIN"):
                other.call("enter", operator="bruno", pin=pin)
        assert other.call("enter", operator="bruno", pin="4711") == {
            "operator": "bruno", "role": "operate", "why": None, "by_pin": True,
        }  # fmt: skip
        other.call("note", text="hello")
        assert rig.client.call("enter")["operator"] != "bruno"  # of one connection alone
    assert [e["detail"]["operator"] for e in audit(rig, "refused entry")] == ["bruno"] * 2
    (note,) = audit(rig, "note")
    assert (note["operator"], note["role"]) == ("bruno", "operate")
    with Client.open(rig.folder) as other:
        for _ in range(20):
            for name in ("bruno", "mallory", "eve"):
                with pytest.raises(CoreError):
                    other.call("enter", operator=name, pin="0001")
    told = [
        (e["detail"]["operator"], e["detail"]["tries"], "of" in e["detail"])
        for e in audit(rig, "refused entry")[2:]
    ]
    assert [tries for name, tries, nobodys in told if name == "bruno"] == [1, 2, 4, 8, 16]
    assert [tries for name, tries, nobodys in told if nobodys] == [1, 2, 4, 8, 16, 32]
    assert len(told) == 11
    whole = json.dumps(audit(rig))
    assert "4711" not in whole
    assert "0000" not in whole.replace("0" * 5, "")
    assert rig.client.call("operators")[1] == {"name": "bruno", "role": "operate", "pin": True}
    assert (rig.folder / operators.FILE).stat().st_mode & 0o777 == 0o600


def test_who_did_what_to_which_lamp_and_what_came_of_it(rig: Rig) -> None:
    rig.node()
    rig.client.call("enter", operator="anna", terminal="pts/7")
    assert list(rig.client.stream("send", node="a-1", command=LEVEL))[-1]["state"] == "done"
    sent, ended = audit(rig, node="a-1")
    assert (sent["operator"], sent["role"], sent["terminal"]) == ("anna", "configure", "pts/7")
    assert (sent["action"], ended["action"]) == ("send", "command ended")
    assert sent["detail"]["level"] == 40
    assert ended["operator"] == "lampione"
    assert ended["detail"]["command"] == sent["detail"]["command"]
    assert (ended["detail"]["state"], ended["detail"]["level"]) == ("done", 40)
    assert audit(rig, operator="anna") == [sent]
    rig.client.call("configure", configs={"b-2": BLOB.hex()})
    (configured,) = audit(rig, "configure")
    assert set(configured["detail"]) == {"digest"}
    assert BLOB.hex() not in json.dumps(audit(rig))
    first = rig.client.call("note", text="one")
    checked = rig.client.call("verify")
    assert checked["bad"] is None
    assert checked["entries"] == audit(rig)[-1]["seq"]
    rig.stop()
    with sqlite3.connect(rig.folder / "lampione.db") as db:
        db.execute("UPDATE audit SET body = replace(body, '\"level\":40', '\"level\":90')")
    rig.start()
    assert rig.client.call("verify")["bad"] == sent["seq"]
    assert first["head"] in [entry["hash"] for entry in audit(rig)]


def test_a_locked_lamp_is_dark_whoever_asks(rig: Rig) -> None:
    node = rig.node()
    with pytest.raises(CoreError, match="type the node's name"):
        rig.client.call("lock", node="a-1", reason="driver", confirm="b-2")
    rig.client.call("enter", operator="anna")
    items = rig.client.stream("watch", nodes=["a-1"])
    tag = rig.client.call("lock", node="a-1", reason="driver", confirm="a-1")
    assert (tag["operator"], tag["reason"]) == ("anna", "driver")
    pushed = next(item for item in items if item["kind"] == "tags" and item["tags"])
    assert pushed["tags"] == [tag] == rig.client.call("tags")
    items.close()  # type: ignore[attr-defined]
    assert rig.show()["tag"] == tag
    wait_until("it is dark", lambda: [op for op, _ in heard(node)] == ["maintenance"])
    assert (heard(node)[0][1] or 0) > 86400
    for order in (
        LEVEL, {"op": "resume"}, {"op": "emergency", "for_s": 60}, {"op": "reboot"},
        {"op": "maintenance", "for_s": 0}, {"op": "maintenance", "for_s": 60},
    ):  # fmt: skip
        why = refusal(rig, "send", node="a-1", command=order)
        assert "locked by anna" in why
        assert "driver" in why
    (configured,) = rig.client.call("configure", configs={"a-1": BLOB.hex()})
    assert "locked by anna" in configured["error"]
    assert "locked by anna" in refusal(rig, "lock", node="a-1", reason="x", confirm="a-1")
    assert list(rig.client.stream("send", node="a-1", command={"op": "read"}))[-1]["final"]
    assert "proves nothing" in refusal(rig, "unlock", node="a-1")
    rig.client.call("enter", operator="bruno")
    assert "whoever else takes it off gives a reason" in refusal(rig, "unlock", node="a-1")
    rig.client.call("unlock", node="a-1", reason="she called")
    wait_until("it may shine", lambda: heard(node)[-1] == ("maintenance", 0))
    assert rig.client.call("tags") == []
    assert list(rig.client.stream("send", node="a-1", command=LEVEL))[-1]["state"] == "done"
    (unlocked,) = audit(rig, "unlock")
    assert unlocked["operator"] == "bruno"
    assert unlocked["detail"] == {"reason": "she called", "locked_by": "anna"}


def test_a_pin_proves_who_locked_it(rig: Rig) -> None:
    staff(rig)
    with Client.open(rig.folder) as other:
        other.call("enter", operator="bruno", pin="4711")
        other.call("lock", node="a-1", reason="driver", confirm="a-1")
        assert other.call("unlock", node="a-1")["operator"] == "bruno"
    (unlocked,) = audit(rig, "unlock")
    assert unlocked["detail"] == {"locked_by": "bruno"}


def test_what_waited_for_a_lamp_that_is_locked_now_is_not_given(rig: Rig) -> None:
    stream = rig.client.stream("send", node="a-1", command=LEVEL)
    assert next(stream)["state"] == "queued"
    rig.client.call("lock", node="a-1", reason="driver", confirm="a-1")
    rig.kill9()
    rig.start()
    node = rig.node()
    wait_until("it is dark", lambda: [op for op, _ in heard(node)][:1] == ["maintenance"])
    wait_until("it is over", lambda: _state(rig, "level") == "refused")
    assert {op for op, _ in heard(node)} == {"maintenance"}
    ended = audit(rig, "command ended")
    assert "locked by" in next(e for e in ended if e["detail"]["op"] == "level")["detail"]["reason"]


def _state(rig: Rig, op: str) -> str:
    commands = rig.client.call("commands", node="a-1")
    return next(str(c["state"]) for c in commands if c["order"]["op"] == op)


def test_a_lock_outlives_the_controller_and_the_nodes_flash(rig: Rig) -> None:
    node = rig.node()
    rig.client.call("lock", node="a-1", reason="driver", confirm="a-1")
    wait_until("it is dark", lambda: len(heard(node)) == 1)
    rig.kill9()
    rig.start()
    assert [tag["node"] for tag in rig.client.call("tags")] == ["a-1"]
    assert "locked by" in refusal(rig, "send", node="a-1", command=LEVEL)
    node.disconnect()
    again = rig.node()  # another flash: it knows of no lock
    wait_until("it is told", lambda: "maintenance" in [op for op, _ in heard(again)])


def test_what_is_done_is_in_the_audit_whenever_the_power_fails(rig: Rig) -> None:
    stop = threading.Event()

    def send() -> None:
        try:
            with Client.open(rig.folder) as client:
                while not stop.is_set():
                    for _ in client.stream("send", node="b-2", command=LEVEL, expires_s=1):
                        break
        except CoreError:
            pass  # the core has gone, or the node has too many

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until("some are there", lambda: len(audit(rig, "send")) > 10)
    rig.kill9()
    stop.set()
    for thread in threads:
        thread.join(10)
    with sqlite3.connect(rig.folder / "lampione.db") as db:
        commands = {number for (number,) in db.execute("SELECT id FROM commands")}
        bodies = [json.loads(body) for (body,) in db.execute("SELECT body FROM audit")]
    said = {body[-1]["command"] for body in bodies if body[5] == "send"}
    assert said == commands
    rig.start()
    assert rig.client.call("verify")["bad"] is None


def test_notes_are_kept_with_the_audits_head(rig: Rig) -> None:
    with pytest.raises(CoreError):
        rig.client.call("note", text="  ")
    rig.client.call("enter", operator="anna")
    before = time.time()
    one = rig.client.call("note", text="feeder 3 « tripped » twice")
    two = rig.client.call("note", text="and again")
    assert one["seq"] == 0
    assert (two["seq"], two["head"]) == (1, audit(rig)[0]["hash"])
    assert rig.client.call("notes") == [two, one]
    assert rig.client.call("notes", since=before - 1, limit=1) == [two]
    rig.kill9()
    rig.start()
    assert rig.client.call("notes") == [two, one]
