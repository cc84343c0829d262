"""From a node's sealed frames to durable rows, over a real broker; nothing else gets in."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lampione import keys, values
from lampione.api import CommandState
from lampione.broker_url import BrokerUrl
from lampione.core.core import Core
from lampione.core.folder import StateFolder
from lampione.ingest.session import Received
from lampione.store.sqlite.writer import SqliteStore
from lampione_protocol import schema, seal, topics
from lampione_protocol.errors import RangeError

from tests.brokers import running_broker, wait_until
from tests.controller.fake_node import SHARD, FakeNode, Flash, seal_hello, seal_up, text
from tests.controller.rig import Rig


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """A core whose thread does not run: batches are given to it by hand."""
    folder = StateFolder(tmp_path)
    keys.new(folder.keys, ["a-1", "b-2"])
    made = Core(folder, SqliteStore(folder.database), BrokerUrl.parse("mqtt://localhost:1"), SHARD)
    yield made
    made.stop()


def offline(core: Core, name: str = "a-1") -> FakeNode:
    node = FakeNode(name, core.fleet.nodes[name].key)
    node.boot()
    return node


def take(core: Core, node: FakeNode, *frames: bytes) -> int:
    new = core.intake.take([Received(node.topic(topics.UP), frame, 1) for frame in frames])
    core.store.commit()
    return new


def test_reports_are_stored_once_and_the_node_is_told(rig: Rig) -> None:
    node = rig.node()
    frames = [node.report() for _ in range(300)]
    rig.settle(node)
    for frame in frames[:40]:
        node.publish(frame)
    before = len(node.watermarks)
    wait_until("duplicates are dropped", lambda: rig.status()["counters"]["duplicates"] == 40)
    wait_until("the node is told again", lambda: len(node.watermarks) > before)
    stored = rig.stored()
    assert len(stored) == len(set(stored))
    assert set(stored) == node.created
    page = rig.client.call("history", node="a-1", fields=["laeq"], limit=5)
    assert page["units"] == ["s", "dB"]
    assert [row[1] for row in page["rows"]] == [62.4] * 5
    assert page["more"] is True


def test_another_broker_does_as_well(tmp_path: Path) -> None:
    with (
        running_broker("mosquitto", tmp_path / "b") as broker,
        Rig(tmp_path / "s", broker) as rig,
    ):
        node = rig.node()
        for _ in range(300):
            node.report()
        rig.settle(node)
        rig.kill9()
        for _ in range(300):
            node.report()
        rig.start()
        rig.settle(node)
        stored = rig.stored()
        assert len(stored) == len(set(stored))
        assert set(stored) == node.created


def test_a_gap_is_fetched(rig: Rig) -> None:
    node = rig.node()
    node.report()
    node.report(send=False)
    node.report(send=False)
    node.report()
    wait_until("the gap is seen", lambda: rig.show()["gaps"]["missing"] == [[2, 3]])
    wait_until("it is fetched", lambda: rig.show()["gaps"]["missing"] == [])
    assert [c["first_seq"] for c in node.commands if c["first_seq"] is not None] == [2]
    rig.settle(node)
    assert rig.client.call("gaps") == []
    assert set(rig.stored()) == node.created


def test_what_was_dropped_is_recorded_as_lost(rig: Rig) -> None:
    node = rig.node()
    for _ in range(5):
        node.report(send=False)
    node.drop(3)
    node.resend()
    node.hello()
    rig.settle(node)
    shown = rig.show()
    assert shown["lost"] == 3
    assert [(row["first"], row["last"]) for row in shown["gaps"]["lost"]] == [(1, 3)]
    assert shown["gaps"]["missing"] == []


def test_numbers_that_the_flash_damaged_are_given_up(core: Core) -> None:
    node = offline(core)
    first = node.report(send=False)
    node.report(send=False)
    damaged = text(schema.EVENT, code=5, severity=1, argument=2, clock=3)
    event = node.make(schema.EVENT, damaged, send=False)
    take(core, node, node.hello_frame(), first, event)
    line = core.fleet.nodes["a-1"].line
    assert (line.watermark, line.lost.spans) == (3, [[2, 2]])


def test_the_broker_killed_mid_stream(tmp_path: Path) -> None:
    with (
        running_broker("nats", tmp_path / "b") as broker,
        Rig(tmp_path / "s", broker) as rig,
    ):
        node = rig.node()
        for n in range(1500):
            node.report()
            if n == 700:
                broker.restart()
        wait_until("reconnected", lambda: rig.status()["broker"]["connects"] >= 2)
        rig.settle(node)
        stored = rig.stored()
        assert len(stored) == len(set(stored))
        assert node.created == set(stored)


def test_the_core_killed_mid_stream(rig: Rig) -> None:
    node = rig.node()
    other = rig.node("b-2")
    for _ in range(3):
        for _ in range(250):
            node.report()
            other.report()
        seen = node.flash.acked
        wait_until("some are stored", lambda seen=seen: node.flash.acked > seen)  # type: ignore[misc]
        rig.kill9()
        promised = [
            (epoch, boot, seq) for epoch, boot, seq in node.created if seq <= node.flash.acked
        ]
        assert set(promised) <= set(rig.stored())
        rig.start()
    rig.settle(node)
    rig.settle(other)
    stored = rig.stored()
    assert len(stored) == len(set(stored))
    assert set(stored) == node.created | other.created


def test_a_controller_from_an_old_backup(rig: Rig) -> None:
    node = rig.node()
    for _ in range(20):
        node.report()
    rig.settle(node)
    rig.stop()
    backup = (rig.folder / "lampione.db").read_bytes()
    rig.start()
    for _ in range(30):
        node.report()
    order = {"op": "level", "level": 30, "for_s": 60}
    assert list(rig.client.stream("send", node="a-1", command=order))[-1]["state"] == "done"
    rig.settle(node)
    rig.stop()
    for name in ("lampione.db-wal", "lampione.db-shm"):
        (rig.folder / name).unlink(missing_ok=True)
    (rig.folder / "lampione.db").write_bytes(backup)
    rig.start()
    node.report()
    wait_until("everything is back", lambda: set(rig.stored()) == node.created)
    assert rig.show()["lost"] == 0
    assert list(rig.client.stream("send", node="a-1", command=order))[-1]["state"] == "done"
    assert not_repeated(node)


def not_repeated(node: FakeNode) -> bool:
    """Say whether no nonce came twice with another text."""
    headers = {frame[:13] for frame in node.raw}
    return len(headers) == len(set(node.raw))


def test_a_flash_restored_from_an_image(rig: Rig) -> None:
    node = rig.node()
    for _ in range(10):
        node.report()
    rig.settle(node)
    image = node.flash.image()
    for _ in range(15):
        node.report()
    rig.settle(node)
    node.disconnect()
    again = rig.node(flash=image)
    for _ in range(5):
        again.report()
    rig.settle(again)
    wait_until("nothing is waited for", lambda: rig.show()["gaps"]["missing"] == [])
    assert node.created | again.created <= set(rig.stored())
    order = {"op": "level", "level": 30, "for_s": 60}
    assert list(rig.client.stream("send", node="a-1", command=order))[-1]["state"] == "done"
    assert not_repeated(again)


def test_a_wiped_flash(rig: Rig) -> None:
    node = rig.node()
    for _ in range(10):
        node.report()
    rig.settle(node)
    node.disconnect()
    again = rig.node()
    for _ in range(4):
        again.report()
    rig.settle(again)
    assert node.created | again.created <= set(rig.stored())
    assert [row["superseded"] for row in rig.show()["epochs"]] == [True, False]


def mutant(draw: random.Random, frames: list[bytes]) -> bytes:
    """Return a frame with one to three changes."""
    frame = bytearray(draw.choice(frames))
    for _ in range(draw.randint(1, 3)):
        match draw.randrange(4):
            case 0 if frame:
                frame[draw.randrange(len(frame))] ^= 1 << draw.randrange(8)
            case 1:
                del frame[draw.randrange(len(frame) + 1) :]
            case 2:
                frame += draw.randbytes(draw.randint(1, 60))
            case _:
                frame[: draw.randint(1, 14)] = draw.randbytes(draw.randint(1, 14))
    return bytes(frame)


@pytest.mark.parametrize(
    "count",
    [10_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_mutations_are_refused_and_counted(core: Core, count: int) -> None:
    draw = random.Random(1)
    node, other = offline(core), offline(core, "b-2")
    frames = [node.report(send=False) for _ in range(20)]
    hello = node.hello_frame()
    good = [*frames, hello]
    take(core, node, hello, *frames)
    stored = core.store.totals()["stored"]
    line = core.fleet.nodes["a-1"].line.as_json()
    made = 0
    while made < count:
        bad = [frame for frame in (mutant(draw, good) for _ in range(500)) if frame not in good]
        made += len(bad)
        assert take(core, node, *bad) == 0
    # A frame of one node under another's name, and under another key.
    assert take(core, other, *frames) == 0
    forged = seal_up(os.urandom(32), "a-1", node.epoch, 1, schema.REPORT, 99, b"\0" * 20)
    assert take(core, node, forged, b"") == 0
    assert core.store.totals()["stored"] == stored
    assert core.store.totals()["refused"] == made + len(frames) + 2
    assert core.fleet.nodes["a-1"].line.as_json() == line
    reasons = core.fleet.nodes["a-1"].refusals
    assert sum(reasons.values()) == made + 2
    assert {"truncated", "version", "seal", "too long"} <= reasons.keys()


def test_foreign_topics_and_nodes_are_counted(core: Core) -> None:
    node = offline(core)
    frame = node.report(send=False)
    names = [
        f"lampione/v1/{SHARD}/nobody/up",
        f"lampione/v1/other/{node.name}/up",
        f"lampione/v1/{SHARD}/{node.name}/down",
        "$SYS/x",
        "",
    ]
    assert core.intake.take([Received(name, frame, 1) for name in names]) == 0
    found = {(row["node"], row["reason"]): row["count"] for row in core.store.refusals()}
    assert found == {(None, "unknown node"): 1, (None, "topic"): 4}


def test_unknown_types_are_stored_raw(core: Core) -> None:
    node = offline(core)
    body = bytes(range(25))
    take(core, node, node.hello_frame(), node.make(29, body, send=False))
    assert core.store.totals() == {"stored": 1, "unknown_type": 1}
    frame = core.store.latest(29).get(1)
    assert frame is not None
    assert frame.body == body


def test_authentic_nonsense_does_no_harm(core: Core) -> None:
    node = offline(core)
    draw = random.Random(2)
    frames = [
        node.make(draw.randrange(2, 32), draw.randbytes(draw.randint(0, 33)), send=False)
        for _ in range(500)
    ]
    assert take(core, node, node.hello_frame(), *frames) == 500
    assert core.fleet.nodes["a-1"].line.watermark == 500


def test_numbers_and_hellos_at_the_ends_of_their_ranges_do_no_harm(core: Core) -> None:
    """Whoever stole a node's key: everything opens, nothing of it is sensible."""
    state, draw = core.fleet.nodes["a-1"], random.Random(3)
    node, neighbour = offline(core), offline(core, "b-2")
    ends = (0, 1, 2, 16777213, 16777214)
    now = time.monotonic()
    for n in range(400):
        match draw.randrange(3):
            case 0:
                frame = seal_up(
                    node.key, "a-1", node.epoch, draw.choice((0, 1, 65535)),
                    draw.choice((schema.EVENT, schema.RESULT, schema.REPORT)),
                    draw.choice((*ends, 16777215)), draw.randbytes(draw.randint(0, 20)),
                )  # fmt: skip
            case 1 if state.ask is not None:
                frame = strange_hello(node, draw, ends, state.ask.epoch, state.ask.challenge)
            case _:
                frame = strange_hello(node, draw, ends, draw.choice((node.epoch, b"othr")), None)
        take(core, node, frame)
        now += draw.choice((0.1, 2.0, 400.0))
        core.downlink.tick(now)
        core.commands.tick(now)
        core.store.commit()
        assert 0 <= state.line.watermark <= state.line.highest <= 16777214, n
    assert set(state.refusals) <= {"body", "counter"}
    assert state.refusals["body"] > 10
    assert take(core, neighbour, neighbour.hello_frame(), neighbour.report(send=False)) == 1
    assert core.fleet.nodes["b-2"].line.watermark == 1


def strange_hello(
    node: FakeNode, draw: random.Random, ends: tuple[int, ...], epoch: bytes, answer: bytes | None
) -> bytes:
    """Return an authentic hello of extremes."""
    return seal_hello(
        node.key,
        node.name,
        text(
            schema.HELLO,
            epoch=epoch,
            boot=draw.choice((0, 1, 65534)),
            first_seq=draw.choice(ends),
            oldest_held=draw.choice(ends),
            last_counter=draw.choice((0, 1, 2147483646)),
            answer=answer,
            clock=draw.randrange(4),
        ),
    )


@pytest.mark.parametrize("seq", [0, 16777215])
def test_a_number_that_the_wire_cannot_say_back_is_refused(core: Core, seq: int) -> None:
    node = offline(core)
    frame = seal_up(node.key, "a-1", node.epoch, 1, schema.REPORT, seq, b"")
    assert take(core, node, frame) == 0
    assert core.fleet.nodes["a-1"].refusals == {"body": 1}
    assert core.fleet.nodes["a-1"].line.segments == []


def test_a_failure_with_one_node_stops_no_other(core: Core) -> None:
    broken, well = core.fleet.nodes["a-1"], core.fleet.nodes["b-2"]
    node, other = offline(core), offline(core, "b-2")
    take(core, node, node.hello_frame())
    take(core, other, other.hello_frame())
    broken.line.watermark = 16777215  # no watermark can say so
    broken.counter = seal.COUNTER_MAX  # and no command can be made
    broken.time_sent = float("-inf")
    unset = text(
        schema.HELLO, epoch=node.epoch, boot=1, first_seq=1, oldest_held=1, clock=0
    )  # fmt: skip
    core.downlink.take()
    frames = [seal_hello(node.key, "a-1", unset), node.report(send=False)]
    core.intake.take(
        [Received(node.topic(topics.UP), frame, 1) for frame in frames]
        + [Received(other.topic(topics.UP), other.report(send=False), 1)]
    )
    core.downlink.tick(time.monotonic() + 60)
    core.store.commit()
    assert broken.refusals["internal"] >= 2
    assert well.refusals == {}
    assert well.line.watermark == 1
    told = [topic for _, topic, _, _ in core.downlink.take()]
    assert other.topic(topics.DOWN) in told
    stored = core.store.latest(schema.REPORT).get(broken.id)
    assert stored is not None


def test_counters_end_and_never_come_twice(core: Core) -> None:
    state = core.fleet.nodes["a-1"]
    node = offline(core)
    node.flash.counter = seal.COUNTER_MAX  # a key was stolen: it would leave us no commands
    assert take(core, node, node.hello_frame()) == 0
    assert (state.refusals, state.counter) == ({"counter": 1}, 0)
    node.flash.counter = values.wire_seconds(time.time()) + 3600  # our clock was a bit ahead once
    take(core, node, node.hello_frame())
    assert state.counter >= node.flash.counter
    state.counter = seal.COUNTER_MAX - 1
    assert core.fleet.next_counter(state) == seal.COUNTER_MAX
    with pytest.raises(RangeError):
        core.fleet.next_counter(state)
    told: list[CommandState] = []
    state.claimed = True
    core.commands.add(state, {"op": "read"}, 60, told.append)
    core.commands.tick(time.monotonic())
    core.store.commit()
    core.commands.tell()
    assert (told[-1]["state"], told[-1]["final"]) == ("refused", True)
    assert "new key" in str(told[-1]["reason"])


def test_a_node_whose_key_went_between_two_rounds(core: Core) -> None:
    node = offline(core)
    take(core, node, node.hello_frame())
    del core.fleet.nodes["a-1"]
    core._round(time.monotonic(), last=True)
    assert core.intake.changed == set()


LIVES = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.integers(1, 3)),
        st.tuples(st.just("damage"), st.integers(1, 6)),
        st.tuples(st.just("send"), st.integers(0, 6)),
        st.tuples(st.just("replay"), st.integers(0, 40)),
        st.tuples(st.sampled_from(("image", "restore", "wipe", "reboot")), st.just(0)),
    ),
    max_size=25,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(LIVES)
@example(
    [
        *(("report", 3), ("damage", 3), ("send", 0), ("wipe", 0)),
        *(("report", 2), ("send", 0), ("report", 2), ("send", 3), ("replay", 2)),
    ]
)
def test_what_flash_holds_and_the_store_lacks_is_above_the_watermark(
    core: Core, lives: list[tuple[str, int]]
) -> None:
    """Whatever a broker replays, and whichever image of itself a flash becomes."""
    name = f"n-{len(core.fleet.nodes)}"
    keys.new(core.folder.keys, [name])
    core.fleet.load()
    core.intake.forget()
    state = core.fleet.nodes[name]
    node = FakeNode(name, state.key)
    node.boot()
    said: list[bytes] = []  # everything that was ever on the air
    images: list[Flash] = []

    def on(flash: Flash) -> None:
        nonlocal node
        node = FakeNode(name, state.key, flash)
        node.boot()
        greet()

    def greet() -> None:
        take(core, node, node.hello_frame())
        if state.ask is not None:
            take(core, node, node.hello_frame(state.ask.challenge))

    greet()
    stored: set[bytes] = set()
    for what, n in lives:
        if what == "report":
            for _ in range(n):
                node.report(send=False)
        elif what == "damage":
            if node.flash.outbox.pop(n, None) is not None:
                body = text(schema.EVENT, code=5, severity=1, argument=n, clock=3)
                node.make(schema.EVENT, body, send=False)
        elif what == "send":
            frames = list(node.flash.outbox.values())[n : n + 3]
            said += frames
            stored.update(frames)
            take(core, node, *frames)
        elif what == "replay" and said:
            frame = said[n % len(said)]
            take(core, node, frame)
        elif what == "image":
            images.append(node.flash.image())
        elif what == "restore" and images:
            on(images[-1].image())
        elif what == "wipe":
            on(Flash())
        elif what == "reboot":
            on(node.flash)
        if state.line.settled and state.epoch == node.epoch:
            for seq, frame in node.flash.outbox.items():
                assert seq > state.line.watermark or frame in stored, (seq, state.line)


def test_a_store_that_fails_leaves_nothing_half_done(core: Core) -> None:
    node = offline(core)
    take(core, node, node.hello_frame(), node.report(send=False))
    second = node.report(send=False)
    core.intake.take([Received(node.topic(topics.UP), second, 1)])
    core.store.rollback()
    core.fleet.load()
    core.intake.forget()
    assert core.fleet.nodes["a-1"].line.watermark == 1
    assert take(core, node, second) == 1
    assert core.fleet.nodes["a-1"].line.watermark == 2


def test_a_flash_of_a_past_that_we_know_nothing_of(core: Core) -> None:
    state = core.fleet.nodes["a-1"]
    first = offline(core)
    first.report(send=False)  # never sent, and in the image
    image = first.flash.image()
    take(core, offline(core), offline(core).hello_frame())  # wiped, and heard of
    again = FakeNode("a-1", state.key, image)
    again.boot()
    take(core, again, again.hello_frame(), again.report(send=False))
    assert state.line.missing() == [[1, 1]]
    held = list(again.flash.outbox.values())
    core.downlink.tick(time.monotonic() + 60)  # fetches
    take(core, again, *held)
    for _ in range(3):
        if state.ask is not None:
            take(core, again, again.hello_frame(state.ask.challenge), *held)
    assert (state.line.missing(), state.line.watermark) == ([], 2)
    assert state.lost == 0
