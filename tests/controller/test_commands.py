"""Commands: counters that never go back, the same bytes again, every end that there is."""

import sqlite3
import time
from typing import Any

import pytest
from lampione import values
from lampione.core.client import CoreError
from lampione.values import OrderError, check_order, encode_order
from lampione_protocol import codec, names, schema

from tests.brokers import wait_until
from tests.controller.fake_node import FakeNode
from tests.controller.rig import Rig

LEVEL = {"op": "level", "level": 40, "ramp_s": 5.5, "for_s": 600}


def send(rig: Rig, order: dict[str, Any], **more: Any) -> list[Any]:
    return list(rig.client.stream("send", node="a-1", command=order, **more))


def commands_of(node: FakeNode, op: str) -> list[dict[str, Any]]:
    return [c for c in node.commands if c["op"] == names.OPS.index(op)]


def frames_of(node: FakeNode) -> list[bytes]:
    return [frame for op, frame in list(node.heard) if op == names.OPS.index("level")]


def test_from_the_order_to_the_last_word(rig: Rig) -> None:
    node = rig.node()
    states = send(rig, LEVEL)
    assert [state["state"] for state in states] == ["queued", "sent", "done"]
    assert states[-1]["level"] == 40
    (command,) = commands_of(node, "level")
    assert (command["level"], command["ramp"], command["for_s"]) == (40, 55, 600)
    assert command["counter"] == states[-1]["counter"]
    left = values.unix(command["expires"]) - time.time()
    assert 50 < left <= 61
    assert rig.client.call("commands", node="a-1")[0]["state"] == "done"


def test_a_refusal_says_why(rig: Rig) -> None:
    rig.node()
    last = send(rig, {"op": "fetch", "first_seq": 0, "last_seq": 0})[-1]
    assert (last["state"], last["reason"]) == ("refused", "not held")


def test_an_offline_node_gets_it_when_it_comes(rig: Rig) -> None:
    stream = rig.client.stream("send", node="a-1", command=LEVEL)
    first = next(stream)
    assert (first["state"], first["reason"]) == ("queued", "the node is offline")
    node = rig.node()
    assert [state["state"] for state in stream] == ["sent", "done"]
    assert len(commands_of(node, "level")) == 1


def test_nobody_answers(rig: Rig) -> None:
    last = send(rig, LEVEL, expires_s=1)[-1]
    assert (last["state"], last["reason"]) == ("expired", "the node was not reachable")
    node = rig.node(obeys=False)
    last = send(rig, LEVEL, expires_s=1)[-1]
    assert (last["state"], last["reason"]) == ("expired", "no answer")
    assert frames_of(node)


def test_a_repetition_is_the_same_bytes_across_a_kill(rig: Rig) -> None:
    node = rig.node(obeys=False)
    stream = rig.client.stream("send", node="a-1", command=LEVEL)
    while next(stream)["state"] != "sent":
        pass
    wait_until("it came", lambda: len(frames_of(node)) == 1)
    rig.kill9()
    rig.start()
    node.hello()
    wait_until("it came again", lambda: len(frames_of(node)) >= 2)
    assert len(set(frames_of(node))) == 1
    node.obeys = True
    node.hello()
    wait_until("done", lambda: rig.client.call("commands")[0]["state"] == "done")
    assert len(commands_of(node, "level")) == 1


def test_after_a_reboot_it_is_sealed_anew_when_it_was_not_accepted(rig: Rig) -> None:
    node = rig.node(obeys=False)
    stream = rig.client.stream("send", node="a-1", command=LEVEL)
    while next(stream)["state"] != "sent":
        pass
    wait_until("it came", lambda: len(frames_of(node)) == 1)
    node.disconnect()
    again = rig.node(flash=node.flash)
    assert list(stream)[-1]["state"] == "done"
    (command,) = commands_of(again, "level")
    first = int.from_bytes(frames_of(node)[0][9:13], "big")
    assert command["counter"] > first


def test_counters_rise_and_headers_never_repeat(rig: Rig) -> None:
    node = rig.node()
    for _ in range(3):
        for _ in range(4):
            assert send(rig, {"op": "read"})[-1]["state"] == "done"
        rig.kill9()
        rig.start()
    counters = [c["counter"] for c in node.commands]
    assert counters == sorted(set(counters))
    headers = [frame[:13] for frame in set(node.raw)]
    assert len(headers) == len(set(headers))


def test_a_node_ahead_of_us_is_caught_up_with(rig: Rig) -> None:
    node = rig.node()
    wait_until("the time was set", lambda: commands_of(node, "time"))
    node.flash.counter = values.wire_seconds(time.time()) + 20_000
    node.hello()
    wait_until("it was heard", lambda: rig.show()["hello"]["last_counter"] == node.flash.counter)
    assert send(rig, {"op": "read"})[-1]["state"] == "done"


def test_the_time_is_sent_with_the_challenge(rig: Rig) -> None:
    node = rig.node()
    wait_until("the time came", lambda: commands_of(node, "time"))
    (command,) = commands_of(node, "time")
    assert command["challenge"] == node.challenge
    assert abs(values.unix(command["time"]) + command["time_ms"] / 1000 - time.time()) < 5


def test_the_time_is_sent_on_a_fresh_hello(rig: Rig) -> None:
    node = rig.node()
    wait_until("the time came", lambda: commands_of(node, "time"))
    rig.kill9()
    with sqlite3.connect(rig.folder / "lampione.db") as database:
        database.execute("UPDATE nodes SET hello_at = hello_at - 3600")
    database.close()
    rig.start()
    asked = len(commands_of(node, "hello"))
    assert send(rig, {"op": "time"})[-1]["state"] == "done"
    assert len(commands_of(node, "hello")) == asked + 1
    assert commands_of(node, "time")[-1]["challenge"] == node.challenge


def test_an_unknown_node_and_a_bad_order_are_said(rig: Rig) -> None:
    with pytest.raises(CoreError, match="no node 'x-9'") as caught:
        list(rig.client.stream("send", node="x-9", command=LEVEL))
    assert caught.value.kind == "unknown"
    with pytest.raises(CoreError, match="level is from 0 to 100") as caught:
        send(rig, {**LEVEL, "level": 101})
    assert caught.value.kind == "request"


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (None, "an object"),
        ({"op": "explode"}, "an object"),
        ({"op": "level", "level": 4}, "level needs for_s"),
        ({"op": "level", "level": "4", "for_s": 1}, "level is a number"),
        ({"op": "level", "level": True, "for_s": 1}, "level is a number"),
        ({"op": "level", "level": 4, "for_s": float("nan")}, "for_s is from"),
        ({"op": "level", "level": 4, "for_s": 1, "ramp_s": 410}, "ramp_s is from 0 to 409.4"),
        ({"op": "identify", "for_s": 0}, "for_s is from 1 to 1048574"),
        ({"op": "read", "level": 4}, "read has no 'level'"),
        ({"op": "fetch", "first_seq": 1}, "fetch needs last_seq"),
    ],
)
def test_what_is_no_order(order: Any, message: str) -> None:
    with pytest.raises(OrderError, match=message):
        check_order(order)


def test_an_order_on_the_wire() -> None:
    order = check_order(LEVEL)
    body = encode_order(order, expires=schema.EPOCH_2020 + 99.5, challenge=b"abcd")
    said = dict(
        zip(
            (field[0] for field in schema.COMMAND_FIELDS),
            codec.decode(schema.COMMAND_FIELDS, body, 0, len(body)),
            strict=True,
        )
    )
    assert said["op"] == names.OPS.index("level")
    assert (said["level"], said["ramp"], said["for_s"], said["expires"]) == (40, 55, 600, 100)
    assert (said["challenge"], said["ask"], said["time"]) == (b"abcd", bytes(4), None)
