"""Frames on their way: brokers that die, controllers that are silent, power cuts, forgers."""

import itertools
import os
import random
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_hil.virtual import VirtualBench
from lampione_protocol import codec, schema, seal

from tests.brokers import Broker, Tls
from tests.node.controller import SHARD, Controller
from tests.node.test_mqtt_tls import Authority

LEVEL, READ = 1, 0
DONE = 1
REFUSED_FRAMES = 6
PIN = 5
BACKLOG = 4000


def numbers(controller: Controller, node: str) -> list[int]:
    """Return the numbers that have arrived, rising."""
    return sorted({seq for _, _, seq in dict(controller.raw[node])})


def whole(controller: Controller, node: str) -> bool:
    """Say whether no number is missing."""
    found = numbers(controller, node)
    return bool(found) and found == list(range(found[0], found[-1] + 1))


def test_what_is_not_acknowledged_is_sent_again(
    bench: VirtualBench, controller: Controller
) -> None:
    node = "unheard"
    controller.answers = False
    board = controller.node(bench, node, resend_s=1)
    board.power_on()
    controller.wait_for("copies", lambda: max(controller.copies[node].values(), default=0) >= 2)
    assert len(controller.hellos[node]) >= 2, "nothing answered: hello is said again"
    controller.answers = True
    controller.wait_for("the watermark", lambda: controller.marks[node] >= 3)
    assert whole(controller, node)
    board.power_off()


def test_frames_outlive_the_broker(bench: VirtualBench, tmp_path: Path) -> None:
    node = "outage"
    with Broker("nats", tmp_path) as broker:
        controller = Controller(broker)
        board = controller.node(bench, node, resend_s=2)
        board.power_on()
        controller.wait_for("three frames", lambda: controller.marks[node] >= 3)
        broker.kill9()
        board.wait_console("uplink:")
        last = max(numbers(controller, node))
        broker.start()
        controller.wait_for(
            "what was made meanwhile",
            lambda: whole(controller, node) and max(numbers(controller, node)) > last + 3,
            60,
        )
        controller.close()
        board.power_off()


def test_a_backlog_is_drained_without_starving_the_present(
    bench: VirtualBench, controller: Controller
) -> None:
    node = "backlog"
    board = controller.node(bench, node, outbox_bytes=1 << 20)
    epoch = b"\1\2\3\4"
    cipher = AESCCM(seal.up_key(controller.keys[node], epoch), 8)
    text = codec.encode(schema.EVENT_FIELDS, [5, 0, 0, 0, 0, None])
    segments: dict[str, bytes] = {}
    for seq in range(1, BACKLOG + 1):  # as an earlier boot has left them
        header = bytes([seal.first_byte(schema.EVENT)]) + epoch + b"\0\1" + seq.to_bytes(3, "big")
        frame = header + cipher.encrypt(header + bytes(3), text, header + node.encode())
        record = bytes([len(frame)]) + frame + zlib.crc32(frame).to_bytes(4, "big")
        name = f"/outbox/{(seq - 1) // 100 * 100 + 1:08d}.seg"
        segments[name] = segments.get(name, b"") + record
    board.write_files(segments)
    board.power_on()
    controller.wait_for(
        "everything",  # live frames may overtake each other: a moment later all are there
        lambda: controller.marks[node] > BACKLOG and whole(controller, node),
        60,
    )
    first: dict[int, int] = {}
    for place, seq in enumerate(controller.order[node]):
        first.setdefault(seq, place)
    old = [first[seq] for seq in range(1, BACKLOG + 1)]
    assert max(b - a for a, b in itertools.pairwise(old)) < 20
    lates = [first[seq] - place for place, seq in enumerate(sorted(first)) if seq > BACKLOG]
    assert min(lates) < -100, "what is new has to wait for all that is old"
    board.power_off()


def test_no_forged_frame_is_obeyed_and_all_are_counted(
    bench: VirtualBench, controller: Controller
) -> None:
    node = "forged"
    board = controller.node(bench, node)
    board.power_on()
    controller.wait_for("a hello", lambda: controller.hellos[node])
    dark = [LEVEL, None, controller.hellos[node][-1]["challenge"], None, 0, 0, 600]

    def command(**other: object) -> bytes:
        return controller.seal(node, schema.COMMAND, dark, **other)

    good = command()
    chance = random.Random(2)
    wrong = {
        "truncated": [good[:n] for n in range(21)],
        "version": [bytes([good[0] ^ 0x40]) + good[1:]],
        "epoch": [command(epoch=os.urandom(4)) for _ in range(20)],
        "seal": [
            *[command(key=os.urandom(32)) for _ in range(20)],
            *[command(name="another") for _ in range(20)],
            *[good[:n] for n in range(21, len(good))],
            bytes([good[0] & 0xE0 | schema.WATERMARK]) + good[1:],
        ],
        "replay": [command(counter=0) for _ in range(20)],
        "too long": [good + b"\0", good + bytes(100)],
        "unknown type": [controller.seal(node, 13, [5]) for _ in range(5)],
    }
    for bit in range(8 * 13, 8 * len(good)):
        flipped = bytearray(good)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        wrong["seal"].append(bytes(flipped))
    frames = [(reason, frame) for reason, found in wrong.items() for frame in found]
    chance.shuffle(frames)
    for _, frame in frames:
        controller.publish(node, frame)
    expected = len(frames)

    def counted() -> int:
        controller.outcome(node, controller.command(node, READ), DONE)
        return int(controller.of(node, schema.HEALTH)[-1]["refused_frames"])

    controller.wait_for("all counted", lambda: counted() >= expected, 30)
    assert counted() == expected
    assert board.pwm_duty(PIN) == 65535
    assert not any(r["op"] == LEVEL for r in controller.of(node, schema.RESULT))
    controller.wait_for("events", lambda: len(controller.events(node, REFUSED_FRAMES)) >= 7)
    told = {e["argument"] // 1000000 for e in controller.events(node, REFUSED_FRAMES)}
    assert told == set(range(7)), "each reason is told"
    assert board.boots == 1
    board.power_off()


def test_power_cuts_at_any_write_lose_and_double_nothing(
    bench: VirtualBench, controller: Controller
) -> None:
    node = "cut"
    board = controller.node(bench, node)
    chance = random.Random(7)
    for _ in range(8):
        board.power_on()
        board.cut_power_at_write(chance.randrange(1, 16), kept=chance.random())
        board.wait_exit(60)
    board.cut_power_at_write(0)
    boots = len(controller.hellos[node])
    board.power_on()
    controller.wait_for("its hello", lambda: len(controller.hellos[node]) > boots)
    last = controller.hellos[node][-1]
    controller.wait_for("what it holds", lambda: controller.marks[node] > last["first_seq"] + 2)
    board.power_off()
    assert last["boot"] <= board.boots
    assert whole(controller, node)
    kept = 0
    for path in board.list_files("/outbox"):
        data = board.read_file(path)
        while data:
            frame, data = data[1 : data[0] + 1], data[data[0] + 5 :]
            _, epoch, boot, seq = seal.parse_up(frame)
            kept += 1
            if seq <= controller.marks[node]:
                assert controller.raw[node][epoch, boot, seq] == frame
    assert kept >= controller.marks[node]


def test_a_flash_put_back_from_an_image_repeats_no_nonce_and_obeys(
    bench: VirtualBench, controller: Controller, tmp_path: Path
) -> None:
    node = "restored"
    board = controller.node(bench, node)
    board.power_on()
    controller.wait_for("three frames", lambda: controller.marks[node] >= 3)
    board.power_off()
    board.snapshot(tmp_path / "image")
    board.power_on()
    controller.wait_for("six more", lambda: controller.marks[node] >= 9)
    board.power_off()
    board.restore(tmp_path / "image")
    hellos = len(controller.hellos[node])
    board.power_on()
    controller.wait_for("a hello", lambda: len(controller.hellos[node]) > hellos)
    first = controller.hellos[node][-1]["first_seq"]
    epoch = controller.hellos[node][-1]["epoch"]
    assert first < 9
    controller.wait_for(
        "numbers again, in another epoch", lambda: (epoch, 2, first + 2) in controller.raw[node]
    )
    counter = controller.command(node, LEVEL, level=30, for_s=60)
    controller.outcome(node, counter, DONE)
    board.power_off()


def test_the_state_topic_says_online_and_offline(
    bench: VirtualBench, controller: Controller
) -> None:
    node = "state"
    board = controller.node(bench, node)
    board.power_on()
    controller.wait_for("online", lambda: controller.states.get(node) == b"online")
    board.power_off()
    controller.client.publish(f"lampione/v1/{SHARD}/{node}/state", b"", retain=True)


@pytest.mark.parametrize("kind", ["mosquitto"])
def test_with_another_broker(bench: VirtualBench, tmp_path: Path, kind: str) -> None:
    with Broker(kind, tmp_path) as broker:  # type: ignore[arg-type]
        controller = Controller(broker)
        board = controller.node(bench, "other-broker")
        board.power_on()
        controller.wait_for("frames", lambda: controller.marks["other-broker"] >= 3)
        counter = controller.command("other-broker", LEVEL, level=30, for_s=60)
        controller.outcome("other-broker", counter, DONE)
        board.power_off()
        controller.close()


def test_over_tls(bench: VirtualBench, tmp_path: Path) -> None:
    city = Authority(tmp_path, "city")
    cert, key = city.issue("127.0.0.1")
    with Broker("nats", tmp_path, tls=Tls(city.pem, cert, key)) as broker:
        controller = Controller(broker)
        place = {"host": "127.0.0.1", "port": broker.port, "tls": True, "ca": "/ca.der"}
        board = controller.node(bench, "tls", broker=place)
        board.write_files({"/ca.der": city.der.read_bytes()})
        board.power_on()
        controller.wait_for("frames", lambda: controller.marks["tls"] >= 3)
        counter = controller.command("tls", LEVEL, level=30, for_s=60)
        controller.outcome("tls", counter, DONE)
        controller.close()
        board.power_off()
