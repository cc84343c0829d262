"""Bench messages: well formed, exact, on both Pythons; a frame on the line is found again."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil import interpreter
from lampione_protocol import bench, codec, stream
from lampione_protocol.errors import ProtocolError, TruncatedError, VersionError

from tests.protocol import both
from tests.protocol.messages import values_of
from tools import reference_codec

ROOT = Path(__file__).parents[2]
FIELDS = [(name, field) for _, name, fields in bench.MESSAGES for field in fields]
MESSAGES = st.sampled_from(bench.MESSAGES).flatmap(lambda m: st.tuples(st.just(m), values_of(m[2])))


@pytest.mark.parametrize("field", [pytest.param(f, id=f"{m}.{f[0]}") for m, f in FIELDS])
def test_a_field_is_well_formed(field: tuple[Any, ...]) -> None:
    name, kind, bits, low, high, steps, unit, since = field
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert isinstance(unit, str)
    assert 1 <= since <= bench.REVISION
    assert steps > 0
    if kind in "ytx":
        assert low == high == 0
    else:
        assert 1 <= bits <= 30 or name in ("capabilities", "lacking")  # a small integer
        assert high - low <= (1 << bits) - (1 if kind == "c" else 2)
        assert kind in "iec"
    if name in bench.CODES:
        assert kind == "e"
        assert len(bench.CODES[name]) <= high + 1
    if name in bench.FLAGS:
        assert len(bench.FLAGS[name]) <= bits
    assert (kind == "e") == (name in bench.CODES)


@pytest.mark.parametrize(("number", "name", "fields"), bench.MESSAGES)
def test_a_message_is_well_formed(number: int, name: str, fields: tuple[Any, ...]) -> None:
    assert 0 < number < 32
    assert bench.fields_of(number) == fields
    assert bench.HEAD_BYTES + codec.width_bytes(fields) <= bench.FRAME_MAX
    text = fields[-1][1] == "t"
    assert sum(f[2] for f in fields[: -1 if text else None]) % 8 == 0
    assert all(f[1] != "t" for f in fields[:-1])
    assert len({f[0] for f in fields}) == len(fields)


def test_numbers_are_told_apart() -> None:
    numbers = [n for n, _, _ in bench.MESSAGES]
    assert numbers == sorted(set(numbers))
    assert bench.fields_of(0) is bench.fields_of(31) is None


@given(MESSAGES)
def test_the_codec_agrees_with_the_reference(case: tuple[Any, list[Any]]) -> None:
    (_, _, fields), values = case
    wire = codec.encode(fields, values)
    assert wire == reference_codec.encode(fields, values)
    assert codec.decode(fields, wire, 0, len(wire)) == values


@given(st.sampled_from(bench.MESSAGES), st.binary(max_size=bench.FRAME_MAX))
def test_whatever_comes_is_read_or_refused(message: tuple[Any, ...], data: bytes) -> None:
    try:
        values = codec.decode(message[2], data, 0, len(data))
    except ProtocolError:
        return
    assert len(values) == len(message[2])


@given(MESSAGES, st.integers(1, bench.ASK_MAX), st.binary(max_size=300))
def test_a_frame_on_the_line_is_found_after_any_rubbish(
    case: tuple[Any, list[Any]], ask: int, rubbish: bytes
) -> None:
    (number, _, fields), values = case
    frame = bench.head(number, ask) + codec.encode(fields, values)
    line = stream.wrap(frame)
    assert line[1] >= 4  # never a Ctrl-C
    frames = stream.Decoder(bench.FRAME_MAX).feed(rubbish + line)
    assert frames[-1] == frame
    assert bench.parse(frames[-1]) == (number, ask)


def test_what_is_no_bench_frame_is_refused() -> None:
    with pytest.raises(TruncatedError):
        bench.parse(b"\x2d\x01")
    with pytest.raises(VersionError):
        bench.parse(b"\x22\x01\x01")


def test_micropython_agrees() -> None:
    questions = []
    answers = []
    for number, name, fields in bench.MESSAGES:
        for edge in (3, 4):
            values: list[int | bytes | None] = [
                None
                if f[1] == "x"
                else b"\x00\xff" * (f[2] // 16)
                if f[1] in "yt"
                else int(f[edge])
                for f in fields
            ]
            texts = [both.to_text(f, v) for f, v in zip(fields, values, strict=True)]
            questions.append(" ".join(["encode", name, *texts]))
            answers.append(reference_codec.encode(fields, values).hex())
        assert bench.head(number, 1)[1] == number
    said = interpreter.run(
        [str(Path(both.__file__))],
        path=[ROOT / "protocol"],
        stdin="\n".join([*questions, ""]).encode(),
    )
    assert said.decode().split() == answers
