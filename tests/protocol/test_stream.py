"""Byte-stream framing: whatever a line does, no wrong frame comes out."""

import itertools
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lampione_protocol.errors import FramingError
from lampione_protocol.stream import Decoder, wrap

LIMIT = 600
frames = st.binary(min_size=1, max_size=LIMIT)


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut a stream at the given places."""
    places = sorted({c % (len(data) + 1) for c in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        # frame 31 32 33 34 35 36 37 38 39: the check value of CRC-32 is CBF43926
        (b"123456789", "00 0e 31 32 33 34 35 36 37 38 39 cb f4 39 26 00"),
        # frame 00: its CRC is D202EF8D
        (b"\0", "00 01 05 d2 02 ef 8d 00"),
        # four zeros: 2144DF1C
        (bytes(4), "00 01 01 01 01 05 21 44 df 1c 00"),
    ],
)
def test_known_lines(frame: bytes, line: str) -> None:
    assert wrap(frame) == bytes.fromhex(line)
    assert Decoder(LIMIT).feed(bytes.fromhex(line)) == [frame]


@given(st.lists(frames, max_size=5), st.lists(st.integers(0, 5000), max_size=12))
@example([b"x" * 249, b"x" * 250, b"x" * 251, b"\0" * 254, b"x" * 504], [])
def test_round_trip_in_any_chunks(sent: list[bytes], cuts: list[int]) -> None:
    line = b"".join(wrap(f) for f in sent)
    decoder = Decoder(LIMIT)
    got = [f for piece in chunks(line, cuts) for f in decoder.feed(piece)]
    assert got == sent
    assert (decoder.damaged, decoder.too_long) == (0, 0)


@given(frames)
def test_no_zero_inside(frame: bytes) -> None:
    line = wrap(frame)
    assert line[0] == line[-1] == 0
    assert 0 not in line[1:-1]
    assert len(line) <= len(frame) + 4 + 3 + len(frame) // 254 + 1


def test_bytes_added_to_a_sealed_frame() -> None:
    """A frame of the seal costs its CRC, one code byte and two zeros."""
    assert len(wrap(bytes(51))) == len(wrap(b"\xff" * 51)) == 51 + 4 + 1 + 2


@given(st.binary(max_size=300), frames)
def test_resynchronises_after_rubbish(rubbish: bytes, frame: bytes) -> None:
    decoder = Decoder(LIMIT)
    assert decoder.feed(rubbish + wrap(frame)) == [frame]
    assert (decoder.damaged > 0) == bool(rubbish.strip(b"\0"))


@given(frames, st.data())
def test_flipped_bits_never_give_a_wrong_frame(frame: bytes, data: st.DataObject) -> None:
    line = bytearray(wrap(frame))
    flips = data.draw(st.lists(st.integers(0, len(line) * 8 - 1), min_size=1, max_size=8))
    for bit in flips:
        line[bit >> 3] ^= 1 << (bit & 7)
    decoder = Decoder(LIMIT)
    got = decoder.feed(line) + decoder.feed(wrap(b"next"))
    assert got[-1] == b"next"  # the zero in front of it ends whatever is left
    assert got[:-1] in ([], [frame])  # the outer zeros may be hit, or a bit flipped back


@given(frames, st.data())
def test_cut_frames_are_counted(frame: bytes, data: st.DataObject) -> None:
    line = wrap(frame)
    cut = data.draw(st.integers(2, len(line) - 2))
    decoder = Decoder(LIMIT)
    assert decoder.feed(line[:cut]) == []
    assert decoder.feed(wrap(frame)) == [frame]
    assert decoder.damaged == 1


@given(st.integers(1, 80), st.integers(1, 300))
def test_too_long_is_refused_once_and_the_next_is_taken(limit: int, excess: int) -> None:
    decoder = Decoder(limit)
    line = wrap(b"\x55" * (limit + excess)) + wrap(b"\x55" * limit)
    assert decoder.feed(line) == [b"\x55" * limit]
    assert (decoder.too_long, decoder.damaged) == (1, 0)


def test_memory_is_bounded() -> None:
    """A megabyte without an end leaves nothing behind."""
    decoder = Decoder(64)
    flood = b"\x7f" * 65536
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(16):
            assert decoder.feed(flood) == []
        grown = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert grown < 4096
    assert decoder.too_long == 1
    assert decoder.feed(wrap(b"ok")) == [b"ok"]


def test_empty() -> None:
    with pytest.raises(FramingError):
        wrap(b"")
    decoder = Decoder(8)
    assert decoder.feed(bytes(10)) == []  # zeros alone are an idle line
    assert decoder.damaged == 0
    # four zeros are the CRC-32 of nothing: not a frame
    assert decoder.feed(b"\x01\x01\x01\x01\x01\x00") == []
    assert decoder.damaged == 1
