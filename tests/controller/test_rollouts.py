"""Rollouts against a simulated node: frames lost, reboots, and the controller cut at any commit."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione import keys, values
from lampione.config.blob import decode, digest, encode
from lampione.config.light import Plan, Step
from lampione.config.model import NodeConfig, Reporting
from lampione.fleet.commands import Commands
from lampione.fleet.configs import CHUNK, WINDOW, ConfigRefused, Configs
from lampione.fleet.downlink import Downlink
from lampione.fleet.node import Fleet, NodeState
from lampione.store.sqlite.writer import SqliteStore
from lampione_protocol import codec, schema, seal

from tests.controller.config_side import ConfigSide, Flash, reason_code
from tests.controller.fake_node import text

SMALL = encode(NodeConfig())
STEPS = tuple(Step(at="sunset", percent=n + 1) for n in range(31))
LARGE = encode(NodeConfig(plans=tuple(Plan(number=n, steps=STEPS) for n in range(16))))
RESTARTS = encode(NodeConfig(reporting=Reporting(report_interval_s=7)))
BREAKS = encode(NodeConfig(reporting=Reporting(report_interval_s=9)))
REFUSED = encode(NodeConfig(reporting=Reporting(report_interval_s=11)))


def _interval(blob: bytes) -> int:
    return decode(blob).reporting.report_interval_s


class World:
    """A controller without a network, and one node. Down frames wait in `wires` until delivered."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "db"
        self.key_file = folder / keys.FILE
        keys.new(self.key_file, ["a-1"])
        self.key = keys.load(self.key_file)["a-1"]
        self.boots = 0
        self.counter = 0  # the last one that the node accepted
        self.epoch = b""
        self.wires: list[bytes] = []
        self.results: list[dict[str, Any]] = []
        self.online = False
        self.side = ConfigSide(
            Flash(),
            self._say,
            restarts=lambda blob: _interval(blob) != 60,
            refuses=lambda blob: "config damaged" if blob == REFUSED else "none",
            breaks=lambda blob: blob == BREAKS,
        )
        self.store = SqliteStore(self.path)
        self._start()

    def _start(self) -> None:
        self.fleet = Fleet(self.store, self.key_file, ["test"], lambda _: "test")
        self.downlink = Downlink(self.fleet, self.store)
        self.commands = Commands(self.fleet, self.store, self.downlink)
        self.configs = Configs(self.fleet, self.store, self.downlink, self.commands)
        self.store.commit()

    @property
    def node(self) -> NodeState:
        """The controller's idea of the node."""
        return self.fleet.nodes["a-1"]

    def commit(self) -> None:
        """Make it durable, then say it."""
        self.store.commit()
        frames = [frame for _, _, frame, _ in self.downlink.take()]
        if self.online:
            self.wires += frames

    def cut(self) -> None:
        """Cut the controller's power: what was not committed is gone, and was not said."""
        self.store.close()
        self.store = SqliteStore(self.path)
        self._start()
        self.wires.clear()

    def _say(self, counter: int, op: int, outcome: int, reason: str, value: int | None) -> None:
        self.results.append(
            {
                "counter": counter,
                "op": op,
                "outcome": outcome,
                "reason": reason_code(reason),
                "value": value,
            }
        )

    def boot(self) -> None:
        """Start the node anew; it says hello unless its config cuts it off."""
        self.boots += 1
        self.epoch = self.boots.to_bytes(4, "big")
        self.wires.clear()
        self.side.boot()
        self.hello()

    def hello(self) -> None:
        """The node connects."""
        self.online = not self.side.cut_off
        if not self.online:
            return
        version, state = self.side.state()
        body = text(
            schema.HELLO, epoch=self.epoch, boot=self.boots, first_seq=self.boots,
            oldest_held=self.boots, last_counter=self.counter, challenge=b"abcd", protocol=3,
            config_version=version, config_state=state, clock=3,
        )  # fmt: skip
        node = self.node
        node.line.hello(self.epoch, self.boots, self.boots, self.boots, answered=True)
        number = self.store.epoch_id(node.id, self.epoch, self.boots)
        self.store.greet(node.id, number, self.boots, time.time(), body)
        self.store.lines([(json.dumps(node.line.as_json()), node.id)])
        node.greeted(body, values.steps(schema.HELLO, body), time.time())
        if self.counter > node.counter:
            node.counter = self.counter
        self.configs.greeted(node)
        self.commit()

    def deliver(self, count: int = 1000) -> None:
        """Give the node what waits."""
        taken, self.wires = self.wires[:count], self.wires[count:]
        for frame in taken:
            if frame[1:5] == self.epoch and self.online:
                self._open(frame)

    def _open(self, frame: bytes) -> None:
        cipher = AESCCM(seal.down_key(self.key, self.epoch), tag_length=8)
        body = cipher.decrypt(frame[:13], frame[13:], frame[:13] + b"a-1")
        kind, counter = frame[0] & 31, int.from_bytes(frame[9:13], "big")
        if kind == schema.CONFIG:
            version, offset, _, data = codec.decode(schema.CONFIG_FIELDS, body, 0, len(body))
            self.side.chunk(version, offset, bytes(data))
        elif kind == schema.SETUP and counter > self.counter:
            self.counter = counter
            op, version, size, digest_ = codec.decode(schema.SETUP_FIELDS, body, 0, len(body))[:4]
            self.side.setup(counter, op, version, size, bytes(digest_))

    def answer(self, count: int = 1000, *, cut: bool = False) -> None:
        """Let the node's results reach the controller, which may be cut before its commit."""
        if not self.online:
            return
        taken, rest = self.results[:count], self.results[count:]
        for result in taken:
            self.configs.result(self.node, result)
        if cut:
            self.cut()  # nothing was acknowledged: they come again
            return
        self.results = rest
        self.commit()

    def later(self) -> None:
        """Let so much time pass that an answer is no longer waited for."""
        for open_ in self.configs._all.values():
            open_.quiet_until = 0.0
        self.configs.tick(time.monotonic())
        self.commit()

    def settle(self) -> Any:
        """Let everything happen that is under way, trials end too; return the state."""
        for _ in range(60):
            self.deliver()
            self.answer()
            if self.side.restart_due:
                self.boot()
            elif self.side.cut_off:
                self.side.trial_ends()
                self.boot()
            if self.configs.state(self.node)["final"]:
                break
            if not self.wires and not (self.results and self.online):
                self.later()
                self.hello()
        return self.configs.state(self.node)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("blob", [SMALL, LARGE, RESTARTS])
def test_a_config_arrives_and_is_confirmed(world: World, blob: bytes) -> None:
    world.boot()
    world.configs.add(world.node, blob, 300)
    world.commit()
    state = world.settle()
    assert (state["phase"], state["sent"], state["size"]) == ("confirmed", len(blob), len(blob))
    assert world.side.flash.good == (2, digest(blob), blob)
    world.hello()
    state = world.configs.state(world.node)
    assert (state["running"], state["running_digest"]) == (2, digest(blob).hex())
    running = world.configs.running(world.node)
    assert running is not None
    assert running[0] == blob


def test_chunks_come_a_window_at_a_time(world: World) -> None:
    world.boot()
    world.configs.add(world.node, LARGE, 300)
    world.commit()
    world.deliver()
    world.answer()
    assert len(world.wires) == WINDOW + 1  # and the question behind them
    world.deliver()
    world.answer()
    state = world.configs.state(world.node)
    assert (state["phase"], state["sent"]) == ("offered", WINDOW * CHUNK) or (
        state["phase"],
        state["sent"],
    ) == ("sending", WINDOW * CHUNK)


def test_an_offline_node_waits_and_the_same_again_changes_nothing(world: World) -> None:
    world.configs.add(world.node, SMALL, 300)
    world.commit()
    state = world.configs.state(world.node)
    assert (state["phase"], state["reason"]) == ("queued", "the node is offline")
    world.configs.add(world.node, SMALL, 300)
    world.cut()
    world.boot()
    assert world.settle()["phase"] == "confirmed"
    world.hello()
    counter = world.node.counter
    world.configs.add(world.node, SMALL, 300)
    state = world.configs.state(world.node)
    assert (state["phase"], state["reason"]) == ("confirmed", "it runs already")
    assert world.node.counter == counter


def test_a_refusal_and_a_broken_network_and_then_the_repair(world: World) -> None:
    world.boot()
    world.configs.add(world.node, REFUSED, 300)
    world.commit()
    state = world.settle()
    assert (state["phase"], state["reason"]) == ("refused", "config damaged")
    world.configs.add(world.node, BREAKS, 300)
    world.commit()
    state = world.settle()
    assert state["phase"] == "reverted"
    assert world.side.flash.good[2] == b""
    world.configs.add(world.node, RESTARTS, 300)
    world.commit()
    assert world.settle()["phase"] == "confirmed"


def test_going_back_and_stopping(world: World) -> None:
    world.boot()
    for blob in (SMALL, RESTARTS):
        world.configs.add(world.node, blob, 300)
        world.commit()
        assert world.settle()["phase"] == "confirmed"
        world.hello()
    world.configs.revert(world.node, 300)
    world.commit()
    assert world.settle()["phase"] == "confirmed"
    assert world.side.flash.good[2] == SMALL
    world.hello()
    world.configs.add(world.node, LARGE, 300)
    world.configs.revert(world.node, 300)
    assert world.configs.state(world.node)["phase"] == "cancelled"
    # Live, on trial, not yet confirmed: it is asked to go back.
    world.configs.add(world.node, LARGE, 300)
    world.commit()
    while world.configs.state(world.node)["phase"] != "trial":
        world.deliver()
        world.answer()
    world.wires.clear()  # the confirmation
    with pytest.raises(ConfigRefused, match="is trying another config"):
        world.configs.add(world.node, SMALL, 300)
    world.configs.revert(world.node, 300)
    world.commit()
    state = world.settle()
    assert (state["phase"], state["reason"]) == ("reverted", "as asked")
    assert world.side.flash.good[2] == SMALL


def test_an_old_firmware_is_not_asked(world: World) -> None:
    world.boot()
    world.node.hello["protocol"] = 2
    world.configs.add(world.node, SMALL, 300)
    state = world.configs.state(world.node)
    assert (state["phase"], state["reason"]) == ("refused", "its firmware knows no configs yet")


def test_commands_and_setups_do_not_overtake_each_other(world: World) -> None:
    world.boot()
    world.configs.add(world.node, SMALL, 300)
    first = world.commands.add(world.node, {"op": "identify"}, 60, None)
    assert first["state"] == "queued"  # the offer is under way
    world.commit()
    world.deliver()
    world.answer()  # the answer lets the chunks go, then the command
    assert world.commands.under_way("a-1")
    world.deliver()
    world.answer()
    assert world.configs.state(world.node)["phase"] == "applying"
    assert not world.configs.under_way("a-1")  # the command is: apply waits
    world.commands.result(
        world.node, {"counter": first["counter"], "outcome": 1, "reason": 0, "value": None}
    )
    world.configs.pump(world.node)
    assert world.configs.under_way("a-1")
    world.commit()
    assert world.settle()["phase"] == "confirmed"


def test_the_database_alone_holds_no_secret(world: World) -> None:
    secret = b"sesame-sesame-16"
    blob = encode(
        NodeConfig.model_validate({"group": {"name": "park", "member": 0, "key": secret}})
    )
    assert secret in blob
    world.configs.add(world.node, blob, 300)
    world.commit()
    world.store.close()
    folder = world.path.parent
    assert not any(secret in path.read_bytes() for path in folder.glob("db*"))


DEEDS = st.sampled_from(
    (
        *("deliver 1", "deliver", "drop", "answer 1", "answer", "answer cut", "boot", "hello"),
        *("later", "cut", "trial ends", "restart"),
    )
)


BLOBS = st.sampled_from([SMALL, LARGE, RESTARTS, BREAKS, REFUSED])


@settings(max_examples=60, deadline=None)
@given(BLOBS, st.lists(DEEDS, max_size=25))
def test_whatever_happens_the_end_is_true(blob: bytes, deeds: list[str]) -> None:
    _story(blob, deeds)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(BLOBS, st.lists(DEEDS, max_size=60))
def test_whatever_happens_at_length(blob: bytes, deeds: list[str]) -> None:
    _story(blob, deeds)


def _story(blob: bytes, deeds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.boot()
        world.configs.add(world.node, blob, 300)
        world.commit()
        for deed in deeds:
            _do(world, deed)
        state = world.settle()
        good = world.side.flash.good
        assert state["final"]
        if state["phase"] == "confirmed":
            assert good == (state["wanted"], digest(blob), blob)
            assert not world.side.trial
        else:
            assert good[2] == b"" or blob in (SMALL, LARGE, RESTARTS)
            assert state["phase"] == ("refused" if blob == REFUSED else "reverted")
            assert state["phase"] == "refused" or blob == BREAKS or world.side.applied
        # What has failed may be tried again, and nothing of the first time is in its way.
        if world.side.trial:
            world.side.trial_ends()
        world.boot()
        world.configs.add(world.node, SMALL, 300)
        world.commit()
        assert world.settle()["phase"] == "confirmed"
        assert world.side.flash.good[2] == SMALL
        world.store.close()


def _do(world: World, deed: str) -> None:
    if deed.startswith("deliver"):
        world.deliver(1 if deed.endswith("1") else 1000)
    elif deed == "drop":
        del world.wires[:1]
    elif deed.startswith("answer"):
        world.answer(1 if deed.endswith("1") else 1000, cut=deed.endswith("cut"))
    elif deed == "boot":
        world.boot()
    elif deed == "hello":
        world.hello()
    elif deed == "later":
        world.later()
    elif deed == "cut":
        world.cut()
    elif deed == "trial ends":
        world.side.trial_ends()
    elif world.side.restart_due:
        world.boot()
