"""A config over the air, end to end: real firmware, real broker."""

import hashlib
import itertools
import json
import os
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from lampione_hil.virtual import SteadyAir, VirtualBench, VirtualBoard, World
from lampione_light import layout
from lampione_protocol import schema

from tests.brokers import free_port
from tests.node.controller import (
    ACCEPTED,
    APPLY,
    CHUNK,
    CONFIRM,
    DONE,
    KEY,
    OFFER,
    REFUSED,
    REVERT,
    Controller,
    node_files,
)

EXPIRED, NO_CHALLENGE, RANGE, BUSY, DAMAGED, NOT_HERE = 1, 2, 4, 7, 10, 11
SURE, TRIAL, HURT = range(3)
ON_TRIAL, CONFIRMED, REVERTED, HURT_EVENT = range(20, 24)
READ, REBOOT, TIME, HELLO = 0, 4, 5, 6
NOON = 217_000_000  # some second of 2026
PIN = 5
AIR = ("lampione", "lampione")

_numbers = itertools.count(1)


def blob(*sections: tuple[int, bytes]) -> bytes:
    parts = [bytes([n]) + len(text).to_bytes(2, "big") + text for n, text in sections]
    return bytes([layout.FORMAT]) + b"".join(parts)


def design(percent: int) -> tuple[int, bytes]:
    return layout.LAMP, bytes([percent])


def reporting(interval_s: int) -> tuple[int, bytes]:
    return layout.REPORTING, interval_s.to_bytes(2, "big")


def radio(**given: Any) -> tuple[int, bytes]:
    return layout.RADIO, json.dumps(given).encode()


def parts(**given: Any) -> tuple[int, bytes]:
    return layout.PARTS, json.dumps(given).encode()


LIVE = blob(design(60))
BOOT = blob(reporting(2), design(70))
LONG = blob(reporting(3), (200, bytes(range(256)) * 3))


@pytest.fixture
def node(bench: VirtualBench, controller: Controller) -> str:
    """A node that has said hello."""
    name = f"config-{next(_numbers)}"
    board = controller.node(bench, name, World(street=None, air=SteadyAir(), network=AIR))
    board.power_on()
    greeted(controller, name, 1)
    return name


def duty(percent: int) -> int:
    return (percent * 65535 + 50) // 100


def faulty(controller: Controller, node: str) -> bool:
    """Say whether the latest report tells of damaged settings."""
    reports = controller.of(node, schema.REPORT)
    return bool(reports and reports[-1]["faults"] & 1)


def greeted(controller: Controller, node: str, boot: int) -> tuple[int, int]:
    """Wait for a hello of that boot or a later one; return the config it tells of."""
    controller.wait_for(
        f"a hello of boot {boot}",
        lambda: controller.hellos[node] and controller.hellos[node][-1]["boot"] >= boot,
        60,
    )
    return controller.runs(node)


def events(controller: Controller, node: str) -> list[tuple[int, int]]:
    found = controller.of(node, schema.EVENT)
    return [(e["code"], e["argument"]) for e in found if e["code"] in range(20, 24)]


def confirm(controller: Controller, node: str, version: int, data: bytes) -> None:
    counter = controller.setup(node, CONFIRM, version, data)
    controller.outcome(node, counter, DONE)


def refusal(controller: Controller, node: str, op: int, data: bytes, **fields: Any) -> int:
    counter = controller.setup(node, op, 9, data, **fields)
    return int(controller.outcome(node, counter, REFUSED)["reason"])


def test_a_config_restarts_the_node_is_tried_and_confirmed(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    counter = controller.push(node, 7, BOOT)
    assert controller.outcome(node, counter, ACCEPTED)["value"] == 7
    assert greeted(controller, node, 2) == (7, TRIAL)
    assert controller.outcome(node, counter, DONE)["op"] == APPLY
    assert controller.setup(node, OFFER, 8, LIVE)
    confirm(controller, node, 7, BOOT)
    confirm(controller, node, 7, BOOT)  # whoever asks twice is told the same
    controller.outcome(node, controller.command(node, REBOOT), DONE)
    assert greeted(controller, node, 3) == (7, SURE)
    assert events(controller, node) == [(ON_TRIAL, 7), (CONFIRMED, 7)]
    controller.wait_for(
        "its interval",
        lambda: any(r["duration_s"] == 2 for r in controller.of(node, schema.REPORT)),
    )
    assert bench.boards[node].pwm_duty(PIN) == duty(70)


def test_a_live_config_needs_no_restart(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    controller.outcome(node, controller.push(node, 4, LIVE), DONE)
    assert events(controller, node) == [(ON_TRIAL, 4)]
    assert refusal(controller, node, OFFER, BOOT) == BUSY
    assert refusal(controller, node, APPLY, BOOT) == BUSY
    assert refusal(controller, node, CONFIRM, BOOT) == NOT_HERE
    confirm(controller, node, 4, LIVE)
    assert events(controller, node) == [(ON_TRIAL, 4), (CONFIRMED, 4)]
    counter = controller.setup(node, OFFER, 4, LIVE)
    assert controller.outcome(node, counter, DONE)["value"] == len(LIVE)
    assert refusal(controller, node, APPLY, BOOT) == NOT_HERE
    assert bench.boards[node].boots == 1
    counter = controller.command(node, HELLO)
    controller.wait_for("a hello", lambda: len(controller.hellos[node]) >= 2)
    assert controller.runs(node) == (4, SURE)


def test_a_live_trial_ends_by_itself_and_on_request(controller: Controller, node: str) -> None:
    controller.outcome(node, controller.push(node, 4, LIVE, trial=1), DONE)
    controller.wait_for("its end", lambda: (REVERTED, 4) in events(controller, node))
    controller.outcome(node, controller.setup(node, APPLY, 4, LIVE), DONE)
    controller.outcome(node, controller.setup(node, REVERT, 4, LIVE), DONE)
    assert events(controller, node) == [(ON_TRIAL, 4), (REVERTED, 4)] * 2
    assert controller.setup(node, APPLY, 4, LIVE, trial=None)
    assert refusal(controller, node, APPLY, LIVE, trial=0) == RANGE


def test_a_restart_of_any_kind_ends_the_trial(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    board = bench.boards[node]
    for boot, ends in ((2, "power"), (4, "revert")):
        controller.push(node, 7, BOOT)
        assert greeted(controller, node, boot) == (7, TRIAL)
        if ends == "power":
            board.power_off()
            board.power_on()
        else:
            controller.outcome(node, controller.setup(node, REVERT, 7, BOOT), DONE)
        assert greeted(controller, node, boot + 1) == (0, SURE)
        controller.wait_for("it is told", lambda: events(controller, node)[-1] == (REVERTED, 7))
        board.wait_pwm(PIN, 65535, 65535)
    assert events(controller, node) == [(ON_TRIAL, 7), (REVERTED, 7)] * 2


@pytest.mark.parametrize("what", ["port", "wifi", "no broker"])
def test_a_config_that_cuts_the_node_off_goes_back_by_itself(
    bench: VirtualBench, controller: Controller, node: str, what: str
) -> None:
    wrong = {
        "port": radio(broker={"host": "127.0.0.1", "port": free_port()}),
        "wifi": radio(wifi={"ssid": "lampione", "password": "changed"}),
        "no broker": radio(broker=None),
    }
    data = blob(wrong[what], design(50))
    controller.push(node, 3, data, trial=3)
    board = bench.boards[node]
    board.wait_boots(2)
    board.wait_pwm(PIN, duty(50), duty(50))
    assert greeted(controller, node, 3) == (0, SURE)
    controller.wait_for("it is told", lambda: (REVERTED, 3) in events(controller, node))
    controller.outcome(node, controller.command(node, READ), DONE)
    board.wait_pwm(PIN, 65535, 65535)
    assert board.boots == 3


def test_an_interrupted_push_goes_on_where_it_was(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    board = bench.boards[node]
    counter = controller.setup(node, OFFER, 5, LONG)
    assert controller.outcome(node, counter, ACCEPTED)["value"] == 0
    controller.chunks(node, 5, LONG[: 30 * CHUNK])
    controller.outcome(node, controller.command(node, READ), DONE)  # they have arrived
    board.power_off()
    board.power_on()
    greeted(controller, node, 2)
    counter = controller.setup(node, OFFER, 5, LONG)
    held = controller.outcome(node, counter, ACCEPTED)["value"]
    assert 512 <= held <= 30 * CHUNK
    controller.chunks(node, 5, LONG[: held + 4 * CHUNK], held)
    board.world.wifi(False)
    board.world.wifi(True)
    controller.stage(node, 5, LONG)
    controller.setup(node, APPLY, 5, LONG)
    assert greeted(controller, node, 3) == (5, TRIAL)
    confirm(controller, node, 5, LONG)


def test_replayed_and_stale_setups_do_nothing(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    controller.stage(node, 4, LIVE)
    challenge = controller.hellos[node][-1]["challenge"]
    assert refusal(controller, node, APPLY, LIVE, challenge=bytes(4)) == NO_CHALLENGE
    assert refusal(controller, node, APPLY, LIVE, challenge=os.urandom(4)) == NO_CHALLENGE
    counter = controller.command(node, TIME, time=NOON, time_ms=0)
    controller.outcome(node, counter, DONE)
    assert refusal(controller, node, APPLY, LIVE, expires=NOON - 1) == EXPIRED
    assert refusal(controller, node, APPLY, LIVE) == EXPIRED, "it has no end"
    counter = controller.setup(node, REVERT, 4, LIVE, expires=NOON + 99, challenge=challenge)
    controller.outcome(node, counter, DONE)
    digest_of_none = {"expires": NOON + 99, "digest": bytes(8)}
    assert refusal(controller, node, APPLY, LIVE, **digest_of_none) == NOT_HERE
    apply: dict[str, Any] = {
        "version": 4,
        "op": APPLY,
        "size": len(LIVE),
        "trial": 60,
        "expires": NOON + 99,
    }
    apply["digest"] = hashlib.sha256(LIVE).digest()[:8]
    values = [apply.get(field[0]) for field in schema.SETUP_FIELDS]
    frame = controller.seal(node, schema.SETUP, values)
    controller.publish(node, frame)
    controller.outcome(node, controller.counter, DONE)
    controller.outcome(node, controller.setup(node, REVERT, 4, LIVE, expires=NOON + 99), DONE)
    controller.publish(node, frame)
    controller.wait_for("it is counted", lambda: controller.events(node, 6))
    assert controller.events(node, 6)[0]["argument"] == 4_000_001
    assert events(controller, node) == [(ON_TRIAL, 4), (REVERTED, 4)]
    # A Setup's counter counts for Commands, too.
    level = [1, None, challenge, None, 30, 0, 600]
    controller.send(node, schema.COMMAND, level, counter=controller.counter - 1)
    counter = controller.command(node, READ, expires=NOON + 99)
    assert controller.outcome(node, counter, DONE)["level"] == 100


CRASHES = {
    "resets": b"import machine\nmachine.reset()\n",
    "ends": b"raise SystemExit\n",
    "hangs": b"import time\nwhile True: time.sleep_ms(50)\n",
}
"""Files in place of a part that only the config on trial has."""


@pytest.mark.parametrize("what", CRASHES)
def test_a_config_whose_part_ends_the_boot_goes_back(what: str) -> None:
    """In virtual time, as the watchdog takes its 45 s; a hand has put the config on trial."""
    data = blob(parts(lamp={"pin": PIN}, tilt={"i2c": 0, "scl": 22, "sda": 21}), design(50))
    head = struct.pack(">HH8s", 3, len(data), hashlib.sha256(data).digest()[:8])
    marker = struct.pack(">BHI", 1, 600, 1)
    files = node_files("crash", KEY, 1, parts={"lamp": {"pin": PIN}})
    del files["/lib/lampione_node/parts_tilt.mpy"]
    files["/lib/lampione_node/parts_tilt.py"] = CRASHES[what]
    files["/config/new"] = head + zlib.crc32(head).to_bytes(4, "big") + data
    files["/config/trial"] = marker + zlib.crc32(marker).to_bytes(4, "big")
    with VirtualBench(clock="virtual") as bench:
        board = bench.board("crash", files, world=World(street=None, air=SteadyAir()))
        board.power_on()
        bench.run_for(5)
        assert board.pwm_duty(PIN) == duty(50 if what == "hangs" else 100)
        bench.run_for(60)
        assert board.boots == 2, board.exits
        assert board.pwm_duty(PIN) == 65535
        assert "lampione node crash boot" in board.console()
        board.power_off()
        assert "/config/trial" not in board.list_files("/config")


@pytest.mark.parametrize("slot", ["good", "both", "folder"])
def test_damaged_configs_give_way_and_the_lamp_burns(
    bench: VirtualBench, controller: Controller, node: str, slot: str
) -> None:
    board = bench.boards[node]
    for version, percent in ((1, 60), (2, 70)):
        data = blob(design(percent))
        controller.outcome(node, controller.push(node, version, data), DONE)
        confirm(controller, node, version, data)
    board.power_off()
    hurt = {"/config/good": board.read_file("/config/good")[:-1]}
    if slot == "both":
        hurt["/config/old"] = bytes(100)
    if slot == "folder":
        for path in board.list_files("/config"):
            board.remove_file(path)
        hurt = {"/config/good/bad": b"", "/config/old/bad": b"", "/config/trial/bad": b""}
    board.write_files(hurt)
    board.power_on()
    version, percent = (1, 60) if slot == "good" else (0, 100)
    assert greeted(controller, node, 2) == (version, HURT)
    assert board.pwm_duty(PIN) == duty(percent)
    controller.wait_for("it is told", lambda: (HURT_EVENT, version) in events(controller, node))
    controller.wait_for("its fault", lambda: faulty(controller, node))
    if slot != "folder":
        controller.outcome(node, controller.push(node, 3, LIVE), DONE)
        confirm(controller, node, 3, LIVE)
        controller.wait_for("no fault", lambda: not faulty(controller, node))


class BoardCutError(Exception):
    """The board has lost its power."""


def hello_of(controller: Controller, board: VirtualBoard, node: str) -> tuple[int, int]:
    """Wait for a hello of the boot that has just begun; return the config that it tells of."""
    epoch = bytes.fromhex(board.wait_console("epoch [0-9a-f]{8}", 30).split()[1])
    controller.wait_for(
        "its hello", lambda: any(h["epoch"] == epoch for h in controller.hellos[node]), 60
    )
    found = next(h for h in controller.hellos[node] if h["epoch"] == epoch)
    return found["config_version"], found["config_state"]


def push_or_cut(
    controller: Controller, board: VirtualBoard, node: str, version: int, data: bytes
) -> None:
    """Push and confirm a config. Raises BoardCutError when the power fails meanwhile."""

    def wait(what: str, condition: Callable[[], object]) -> None:
        def done() -> bool:
            if not board.running:
                raise BoardCutError
            return bool(condition())

        controller.wait_for(what, done, 60)

    def ask(op: int) -> int:
        counter = controller.setup(node, op, version, data)
        wait("an answer", lambda: controller.results(node, counter))
        assert controller.results(node, counter)[0]["outcome"] != REFUSED
        return counter

    def done(counter: int) -> bool:
        return any(r["outcome"] == DONE for r in controller.results(node, counter))

    offer = ask(OFFER)
    controller.chunks(node, version, data)
    wait("every chunk", lambda: done(offer))
    if not done(ask(APPLY)):
        wait("the trial", lambda: controller.runs(node) == (version, TRIAL))
    ask(CONFIRM)


def cut_pushes(bench: VirtualBench, controller: Controller, node: str, count: int) -> None:
    """Cut the power in the midst of pushes; each time the node is back, on a whole config."""
    chance = random.Random(count)
    board = bench.boards[node]
    before = 0
    version = cuts = 0
    while cuts < count:
        version += 1
        sections = [design(40 + version % 50), (200, bytes(200))]
        if version % 2:
            sections.append(reporting(1 + version % 5))
        data = blob(*sections)
        board.cut_power_at_write(chance.randrange(1, 60), kept=chance.random())
        try:
            push_or_cut(controller, board, node, version, data)
        except BoardCutError:
            board.cut_power_at_write(0)
            cuts += 1
            board.power_on()
            found, state = hello_of(controller, board, node)
            assert found in (before, version)
            before = found
        else:
            board.cut_power_at_write(0)
            before, state = version, SURE
        if state == TRIAL:
            assert before == version
            confirm(controller, node, version, data)


def test_after_a_power_cut_the_node_is_there_on_a_whole_config(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    cut_pushes(bench, controller, node, 4)


@pytest.mark.soak
def test_after_a_hundred_power_cuts_the_node_is_there_on_a_whole_config(
    bench: VirtualBench, controller: Controller, node: str
) -> None:
    cut_pushes(bench, controller, node, 100)
