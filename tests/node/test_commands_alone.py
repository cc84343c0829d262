"""Commands without a network: what depends on time and on what is still under way."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node.micro import run

SET_UP = """
import json, sys
import lampione_node.commands as module
from lampione_node.clock import Clock
from lampione_node.commands import Commands
from lampione_node.identity import Identity
from lampione_node.outbox import Outbox
from lampione_node.post import Post
from lampione_node.state import State
from lampione_protocol import codec, schema
from lampione_protocol.errors import ProtocolError, ReplayError

state = State("state/numbers")
state.start()
identity = Identity("n", bytes(32), state.boot)
clock = Clock()
outbox = Outbox("outbox", 1 << 16)
post = Post(identity.sealer, outbox, clock)
commands = Commands(post, state, None)
now = [1000]
module.ticks_ms = lambda: now[0] & 0x3FFFFFFF
said = []
send = post.send
def spy(kind, fields, values):
    said.append((kind, list(values)))
    return send(kind, fields, values)
post.send = spy

def execute(counter, **given):
    names = [field[0] for field in schema.COMMAND_FIELDS]
    buf = bytearray(codec.encode(schema.COMMAND_FIELDS, [given.get(name) for name in names]))
    commands.execute(counter, buf, 0, len(buf))
    return said[-1][1][4:6]
NOON = 217000000
"""


def test_the_time_needs_a_fresh_challenge(tmp_path: Path) -> None:
    program = """
challenge = commands.new_challenge()
now[0] += 10001
print(json.dumps(execute(1, op=5, challenge=challenge, time=NOON, time_ms=0) + [clock.quality()]))
challenge = commands.new_challenge()
now[0] += 9999
print(json.dumps(execute(2, op=5, challenge=challenge, time=NOON, time_ms=0) + [clock.quality()]))
"""
    assert run(SET_UP + program, cwd=tmp_path) == [[2, 8, 0], [1, 0, 3]]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 30), st.none()), max_size=60))
def test_a_counter_is_accepted_once_whatever_boots_come_between(steps: list[int | None]) -> None:
    program = """
commands.on_health = int
for step in json.loads(sys.stdin.readline()):
    if step is None:
        state = State("state/numbers")
        state.start()
        commands.state = state
        continue
    try:
        execute(step, op=0)
        print(1)
    except ReplayError:
        print(0)
"""
    highest = 0
    expected = []
    for step in steps:
        if step is not None:
            expected.append(int(step > highest))
            highest = max(highest, step)
    with tempfile.TemporaryDirectory() as folder:
        assert run(SET_UP + program, steps, cwd=Path(folder)) == expected


@settings(max_examples=10, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=50))
def test_rubbish_in_a_good_seal_is_refused_or_answered(texts: list[bytes]) -> None:
    program = """
commands.on_health = commands.on_hello = commands.on_fetch = commands.on_reboot = (
    lambda *given: None)
counter = 0
for text in json.loads(sys.stdin.readline()):
    buf = bytearray(bytes.fromhex(text))
    counter += 1
    answers = len(said)
    try:
        commands.execute(counter, buf, 0, len(buf))
        print(int(len(said) > answers))
    except ProtocolError:
        print(1)
"""
    with tempfile.TemporaryDirectory() as folder:
        answered = run(SET_UP + program, [text.hex() for text in texts], cwd=Path(folder))
    assert answered == [1] * len(texts)
