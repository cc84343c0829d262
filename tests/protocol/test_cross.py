"""CPython and MicroPython, asked the same, answer the same; and what MicroPython allocates."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lampione_hil import interpreter
from lampione_protocol import seal
from lampione_protocol.names import ALL_MESSAGES
from lampione_protocol.stream import wrap

from tests.peer import PROTOCOL, Peer, running
from tests.protocol import both
from tests.protocol.messages import BY_NAME, Values, any_message
from tests.protocol.test_seal import EPOCH, KEY, NODE, sealed_down


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running(both.__file__) as found:
        yield found


same_peer = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)


def alike(peer: Peer, question: str) -> str:
    """Put a question to both and return the one answer."""
    here = both.answer(question)
    assert peer.ask(question) == here
    return here


@same_peer
@given(any_message())
def test_messages(peer: Peer, message: tuple[str, Values]) -> None:
    name, values = message
    texts = [both.to_text(f, v) for f, v in zip(BY_NAME[name], values, strict=True)]
    wire = alike(peer, f"encode {name} {' '.join(texts)}")
    alike(peer, f"decode {name} 0x{wire}")


@same_peer
@given(st.sampled_from(sorted(BY_NAME)), st.binary(max_size=60))
def test_rubbish(peer: Peer, name: str, wire: bytes) -> None:
    alike(peer, f"decode {name} 0x{wire.hex()}")


@same_peer
@given(any_message(), st.data())
def test_out_of_range(peer: Peer, message: tuple[str, Values], data: st.DataObject) -> None:
    name, values = message
    fields = BY_NAME[name]
    at = data.draw(st.sampled_from([i for i, f in enumerate(fields) if f[1] in "iecm"]))
    low, high = fields[at][3:5]
    values[at] = data.draw(st.integers(high + 1, 1 << 40) | st.integers(-(1 << 40), low - 1))
    texts = [both.to_text(f, v) for f, v in zip(fields, values, strict=True)]
    assert alike(peer, f"encode {name} {' '.join(texts)}").startswith("RangeError")


@same_peer
@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=4, max_size=4),
    st.integers(0, 65534),
    st.integers(0, 16777214),
    st.integers(0, 31),
    st.binary(min_size=1, max_size=33),
)
def test_seals(
    peer: Peer, key: bytes, epoch: bytes, boot: int, seq: int, kind: int, text: bytes
) -> None:
    alike(peer, f"up {key.hex()} node-1 {epoch.hex()} {boot} {seq} {kind} {text.hex()}")


@same_peer
@given(st.binary(max_size=30), st.integers(0, seal.COUNTER_MAX), st.data())
def test_opens_and_refuses(peer: Peer, text: bytes, counter: int, data: st.DataObject) -> None:
    frame = sealed_down(text, counter)
    question = f"down {KEY.hex()} {NODE.decode()} {EPOCH.hex()} "
    assert alike(peer, question + frame.hex()) == f"6 {counter} 0x{text.hex()}"
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit >> 3] ^= 1 << (bit & 7)
    assert alike(peer, question + frame.hex()).split()[0] in (
        "SealError",
        "EpochError",
        "VersionError",
    )
    cut = data.draw(st.integers(1, len(frame) - 1))
    assert "Error" in alike(peer, question + frame[:cut].hex())
    other = question.replace(NODE.decode(), "another")
    assert alike(peer, other + sealed_down(text, counter).hex()).startswith("SealError")


@same_peer
@given(st.binary(min_size=1, max_size=300), st.binary(max_size=50), st.integers(1, 320))
def test_serial_lines(peer: Peer, frame: bytes, rubbish: bytes, limit: int) -> None:
    alike(peer, f"wrap 0x{frame.hex()}")
    alike(peer, f"feed {limit} 0x{(rubbish + wrap(frame) + rubbish).hex()}")


def test_encoding_allocates_nothing() -> None:
    """`encode_into` on MicroPython, every message with its fields low, high and unknown."""
    lines = (
        interpreter.run([str(Path(__file__).with_name("alloc_board.py"))], path=[PROTOCOL])
        .decode()
        .splitlines()
    )
    assert int(lines.pop(0).split()[1]) >= 100  # the measure sees an allocation
    assert len(lines) == 3 * len(ALL_MESSAGES)
    for line in lines:
        name, encoded, _ = line.split()
        assert int(encoded) == 0, name
