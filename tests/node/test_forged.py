"""Ten thousand frames that the controller never sent, into the node's own door for frames."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from lampione_protocol import codec, names, schema, seal

from tests.node.micro import run

NODE = b"bligny-1"
KEY = bytes(range(32))
EPOCH = bytes([0, 1, 2, 3])
ACCEPTED = 500  # the counter of the one genuine command

SCRIPT = """
import json, sys
from binascii import unhexlify
from lampione_node import identity
from lampione_node.clock import Clock
from lampione_node.commands import Commands
from lampione_node.outbox import Outbox
from lampione_node.post import Post
from lampione_node.state import State
from lampione_node.uplink import Uplink

class Fixed:
    @staticmethod
    def urandom(n):
        return bytes(range(n))

identity.os = Fixed  # the host must know the epoch
who = identity.Identity("bligny-1", bytes(range(32)), 1)
state = State("state/numbers")
state.start()
post = Post(who.sealer, Outbox("outbox", 65536), Clock())
commands = Commands(post, state, None)
commands.on_health = lambda: None
settings = {"node": "bligny-1", "shard": "milan", "broker": {}}
uplink = Uplink(settings, None, who, post, commands, (0, 0, 0, 0, 0))
answers = []
for line in sys.stdin:
    uplink._on_message("", unhexlify(json.loads(line)))
    if post.outbox.next_seq - 1 > len(answers):
        answers.append(state.counter)
print(json.dumps([uplink.refused, answers, state.counter]))
"""


def frame(key: bytes, node: bytes, epoch: bytes, counter: int) -> bytes:
    """A sealed command to read the lamp."""
    values = [0, None, bytes(4), bytes(4), *[None] * 8]
    header = seal.down_header(schema.COMMAND, epoch, b"abcd", counter)
    cipher = AESCCM(seal.down_key(key, epoch), 8)
    text = codec.encode(schema.COMMAND_FIELDS, values[: len(schema.COMMAND_FIELDS)])
    return header + cipher.encrypt(header, text, header + node)


def why(data: bytes) -> str:
    """Say what is wrong with a forged frame, by the protocol's page alone."""
    if len(data) < 13 + 8:
        return "truncated"
    if data[0] >> 5 != schema.WIRE_VERSION:
        return "version"
    if len(data) > seal.FRAME_MAX:
        return "malformed"
    return "seal" if data[1:5] == EPOCH else "epoch"


def forgeries(good: bytes, count: int) -> Iterator[bytes]:
    """Yield frames with one thing or everything wrong."""
    dice = random.Random(4)
    for n in range(count):
        data = bytearray(good)
        match n % 7:
            case 0:
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            case 1:
                data = bytearray(good[: dice.randrange(len(good))])
            case 2:
                data = bytearray(dice.randbytes(dice.randrange(90)))
            case 3:
                data = bytearray(frame(dice.randbytes(32), NODE, EPOCH, 1000 + n))
            case 4:
                data = bytearray(frame(KEY, b"another", EPOCH, 1000 + n))
            case 5:
                data = bytearray(frame(KEY, NODE, dice.randbytes(4), 1000 + n))
            case 6:
                data[13:] = dice.randbytes(len(data) - 13)
        if bytes(data) != good:
            yield bytes(data)


def check(folder: Path, count: int) -> None:
    """None is obeyed, each is counted under its reason; the genuine one is obeyed once."""
    os.mkdir(folder / "state")
    good = frame(KEY, NODE, EPOCH, ACCEPTED)
    forged = list(forgeries(good, count))
    half = len(forged) // 2
    frames = [*forged[:half], good, *forged[half:], *[good] * 50]
    [[refused, answers, counter]] = run(SCRIPT, *[f.hex() for f in frames], cwd=folder)
    expected = Counter(why(data) for data in forged)
    expected["replay"] = 50
    assert dict(zip(names.REFUSED, refused, strict=True)) == {
        reason: expected[reason] for reason in names.REFUSED
    }
    assert sum(refused) == len(frames) - 1
    assert answers == [ACCEPTED]
    assert counter == ACCEPTED


def test_ten_thousand_forged_frames_are_refused_and_counted(tmp_path: Path) -> None:
    check(tmp_path, 10_000)


@pytest.mark.soak
def test_a_million_forged_frames_are_refused_and_counted(tmp_path: Path) -> None:
    for turn in range(10):
        folder = tmp_path / str(turn)
        folder.mkdir()
        check(folder, 100_000)
