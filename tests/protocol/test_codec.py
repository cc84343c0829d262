"""The codec: what goes in comes out, and nothing that it is sent can break it."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_protocol import codec
from lampione_protocol.errors import (
    ProtocolError,
    RangeError,
    TooLongError,
    TruncatedError,
)
from lampione_protocol.names import ALL_MESSAGES
from lampione_protocol.schema import LOG_FIELDS, REPORT_FIELDS, WATERMARK_FIELDS
from lampione_protocol.seal import DOWN_HEADER, FRAME_MAX, TAG_BYTES, UP_HEADER

from tests.protocol.messages import BY_NAME, Field, Values, any_message, values_of
from tools import reference_codec

NUMBERS = [
    pytest.param(fields, i, id=f"{name}.{fields[i][0]}")
    for _, name, fields in ALL_MESSAGES
    for i in range(len(fields))
    if fields[i][1] in "iecm"
]


def expected(fields: tuple[Field, ...], values: Values) -> Values:
    """Return what `values` read as: minifloats rounded, the rest as it is."""
    out = []
    for field, value in zip(fields, values, strict=True):
        if field[1] == "m" and value is not None:
            raw = reference_codec.minifloat(value)
            value = (raw & 63) << (raw >> 6)
        out.append(value)
    return out


def typical(fields: tuple[Field, ...]) -> Values:
    """Return values that any message takes."""
    return [{"y": b"\1" * (f[2] // 8), "t": b"text", "x": None}.get(f[1], f[3]) for f in fields]


@given(any_message())
def test_round_trip(message: tuple[str, Values]) -> None:
    name, values = message
    fields = BY_NAME[name]
    wire = codec.encode(fields, values)
    assert wire == reference_codec.encode(fields, values)
    assert codec.decode(fields, wire, 0, len(wire)) == expected(fields, values)
    assert len(wire) <= codec.width_bytes(fields)


@given(any_message(), st.integers(0, 20))
def test_at_any_place_of_a_buffer(message: tuple[str, Values], pos: int) -> None:
    name, values = message
    fields = BY_NAME[name]
    buf = bytearray(b"\xaa" * 80)
    end = codec.encode_into(fields, values, buf, pos)
    assert bytes(buf[pos:end]) == codec.encode(fields, values)
    assert set(buf[:pos] + buf[end:]) == {0xAA}
    assert codec.decode(fields, buf, pos, end) == expected(fields, values)
    assert codec.decode(fields, memoryview(buf), pos, end) == expected(fields, values)


@given(any_message())
def test_a_message_cut_short_is_refused_or_reads_unknown(message: tuple[str, Values]) -> None:
    """The fields before the cut are right, those after it unknown, none is wrong."""
    name, values = message
    fields = BY_NAME[name]
    wire = codec.encode(fields, values)
    want = expected(fields, values)
    for size in range(len(wire)):
        if size * 8 < fields[0][2]:
            with pytest.raises(TruncatedError):
                codec.decode(fields, wire, 0, size)
            continue
        text = codec.width_bytes(fields[:-1])
        if fields[-1][1] == "t" and text < size <= text + wire[text]:
            with pytest.raises(TruncatedError):  # in the middle of its text
                codec.decode(fields, wire, 0, size)
            continue
        got = codec.decode(fields, wire, 0, size)
        bit = 0
        for field, value, right in zip(fields, got, want, strict=True):
            bit += field[2] if field[1] != "t" else 8
            assert value == (right if bit <= size * 8 else None)


@given(any_message(), st.lists(st.integers(0, 1000), max_size=10))
def test_flipped_bits_never_crash(message: tuple[str, Values], flips: list[int]) -> None:
    name, values = message
    fields = BY_NAME[name]
    wire = bytearray(codec.encode(fields, values))
    for flip in flips:
        wire[flip // 8 % len(wire)] ^= 1 << (flip & 7)
    with contextlib.suppress(ProtocolError):
        check_ranges(fields, codec.decode(fields, wire, 0, len(wire)))


@given(st.sampled_from(sorted(BY_NAME)), st.binary(max_size=80))
def test_rubbish_never_crashes(name: str, wire: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        check_ranges(BY_NAME[name], codec.decode(BY_NAME[name], wire, 0, len(wire)))


def check_ranges(fields: tuple[Field, ...], values: Values) -> None:
    """Whatever is decoded lies in its field's range."""
    for field, value in zip(fields, values, strict=True):
        if isinstance(value, int):
            assert field[3] <= value <= field[4]
        elif value is not None:
            assert len(value) * 8 <= field[2]


@pytest.mark.parametrize(("fields", "at"), NUMBERS)
def test_out_of_range_is_refused(fields: tuple[Field, ...], at: int) -> None:
    name, kind, _, low, high, *_ = fields[at]
    wrong: list[Any] = [low - 1, high + 1, -(1 << 40), 1 << 40, 1.5, "1"]
    for value in wrong + ([None] if kind == "c" else []):
        values = typical(fields)
        values[at] = value
        with pytest.raises(RangeError) as refused:
            codec.encode(fields, values)
        assert refused.value.args == (name, value, low, high)


@pytest.mark.parametrize(("fields", "at"), NUMBERS)
def test_every_bit_pattern_of_a_narrow_field(fields: tuple[Field, ...], at: int) -> None:
    """Each raw value reads as a value in range, as unknown (all ones), or is refused."""
    _, kind, bits, low, high, *_ = fields[at]
    if bits > 12:
        return
    one = (fields[at],)
    for raw in range(1 << bits):
        wire = int(f"{raw:0{bits}b}".ljust(16, "1"), 2).to_bytes(2, "big")
        if raw == (1 << bits) - 1 and kind != "c":
            assert codec.decode(one, wire, 0, 2) == [None]
            continue
        value = (raw & 63) << (raw >> 6) if kind == "m" else raw + low
        if value > high:
            with pytest.raises(RangeError):
                codec.decode(one, wire, 0, 2)
        else:
            assert codec.decode(one, wire, 0, 2) == [value]
            assert codec.decode(one, codec.encode(one, [value]) + b"\xff", 0, 2) == [value]


@given(st.integers(0, 2031616))
def test_minifloat_keeps_three_percent(value: int) -> None:
    at = codec.index(REPORT_FIELDS, "ambient_light")
    field = (REPORT_FIELDS[at],)
    wire = codec.encode(field, [value])
    (got,) = codec.decode(field, wire, 0, len(wire))
    assert abs(got - value) <= value / 32
    assert codec.encode(field, [got]) == wire  # a rounded value stays where it is


@given(any_message(without=("Log",)), st.data())
def test_an_older_receiver_skips_what_a_newer_sender_appends(
    message: tuple[str, Values], data: st.DataObject
) -> None:
    name, values = message
    old = BY_NAME[name]
    new: tuple[Field, ...] = (
        *old,
        ("more", "i", 11, -5, 2000, 1, "", 2),
        ("other", "e", 5, 0, 30, 1, "", 2),
    )
    more = data.draw(values_of(new[len(old) :]))
    wire = codec.encode(new, values + more)
    assert codec.decode(old, wire, 0, len(wire)) == expected(old, values)
    # and a newer receiver reads unknown from an older sender
    wire = codec.encode(old, values)
    assert codec.decode(new, wire, 0, len(wire)) == [*expected(old, values), None, None]


@given(any_message(without=("Log", "Config")))
def test_a_field_cut_from_spare_bits_reads_unknown_from_an_older_sender(
    message: tuple[str, Values],
) -> None:
    name, values = message
    old = BY_NAME[name]
    spare = old[-1]
    assert spare[1] == "x"
    cut = min(3, spare[2] - 1)
    carved: Field = ("carved", "e", cut, 0, (1 << cut) - 2, 1, "", 2)
    left: Field = ("spare", "x", spare[2] - cut, 0, 0, 1, "", 1)
    new: tuple[Field, ...] = (*old[:-1], carved, left)
    wire = codec.encode(old, values)
    assert codec.decode(new, wire, 0, len(wire)) == [*expected(old, values)[:-1], None, None]
    wire = codec.encode(new, [*values[:-1], 0, None])
    assert codec.decode(old, wire, 0, len(wire)) == expected(old, values)


@pytest.mark.parametrize("name", BY_NAME)
def test_spare_bits_and_padding_are_ones(name: str) -> None:
    fields = BY_NAME[name]
    bits = "".join(f"{byte:08b}" for byte in codec.encode(fields, typical(fields)))
    at = 0
    for field in fields:
        if field[1] == "x":
            assert bits[at : at + field[2]] == "1" * field[2]
        at += field[2] + 8 if field[1] == "t" else field[2]
    if fields[-1][1] != "t":
        assert set(bits[at:]) <= {"1"}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_sealed_message_fits_the_smallest_lorawan_payload(name: str) -> None:
    header = DOWN_HEADER if name in ("Command", "Watermark") else UP_HEADER
    assert header + codec.width_bytes(BY_NAME[name]) + TAG_BYTES <= FRAME_MAX == 51


def test_a_sealed_report_is_51_bytes_with_8_bits_spare() -> None:
    assert UP_HEADER + codec.width_bytes(REPORT_FIELDS) + TAG_BYTES == 51
    assert sum(f[2] for f in REPORT_FIELDS) == 33 * 8
    assert sum(f[2] for f in REPORT_FIELDS if f[1] == "x") >= 8


def test_texts() -> None:
    def log(text: "bytes | str | None") -> Any:
        wire = codec.encode(LOG_FIELDS, [0, 0, 0, None, text])
        return codec.decode(LOG_FIELDS, wire, 0, len(wire))[-1]

    assert log("21 °C") == "21 °C".encode()
    assert log("") == log(None) == b""
    assert log("x" * 27) == b"x" * 27
    with pytest.raises(RangeError):
        log("x" * 28)
    with pytest.raises(RangeError):
        log("°" * 14)  # 28 bytes
    wire = bytearray(codec.encode(LOG_FIELDS, [0, 0, 0, None, b"x" * 27]))
    wire[5] = 28
    with pytest.raises(TooLongError):
        codec.decode(LOG_FIELDS, wire + b"x", 0, len(wire) + 1)


def test_bytes_of_the_wrong_length_are_refused() -> None:
    field = (("challenge", "y", 32, 0, 0, 1, "", 1),)
    for wrong in (b"abc", b"abcde"):
        with pytest.raises(RangeError):
            codec.encode(field, [wrong])
    assert codec.encode(field, [None]) == bytes(4)


def test_a_buffer_too_short() -> None:
    with pytest.raises(IndexError):
        codec.encode_into(WATERMARK_FIELDS, [1, None], bytearray(3), 0)
    with pytest.raises(TruncatedError):
        codec.decode(WATERMARK_FIELDS, bytes(4), 0, 5)  # an end beyond the buffer is not believed
    with pytest.raises(TruncatedError):
        codec.decode(WATERMARK_FIELDS, bytes(4), 3, 1)


def test_index() -> None:
    assert codec.index(WATERMARK_FIELDS, "seq") == 0
    with pytest.raises(KeyError):
        codec.index(WATERMARK_FIELDS, "nothing")
