"""Batches, chunks and held ranges: whatever goes in comes out, and damage is said."""

import contextlib
import random
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lampione import batch, values
from lampione.store import SERIES, Frame, StoreError, batches, chunks, rows
from lampione.store.held import Held
from lampione_protocol import codec, schema

INTS = st.integers
CALM = settings(deadline=None)  # nothing is timed


def encoded(kind: int, seed: int) -> bytes:
    """Return a sound body of any values: drawn by a seed, which is quick."""
    draw = random.Random(seed)
    said: list[Any] = []
    for _, form, _, low, high, *_ in values.FIELDS[kind]:
        known = form != "x" and (form == "c" or draw.random() < 0.8)
        said.append(draw.choice([low, high, draw.randint(low, high)]) if known else None)
    return codec.encode(values.FIELDS[kind], said)


def body_of(kind: int) -> st.SearchStrategy[bytes]:
    """Sound, unsound, short, long and empty ones."""
    sound = INTS(0, 2**32).map(lambda seed: encoded(kind, seed))
    cut = st.tuples(sound, INTS(0, 40)).map(lambda pair: pair[0][: pair[1]])
    long = st.tuples(sound, st.binary(min_size=1, max_size=9)).map(lambda pair: pair[0] + pair[1])
    return sound | sound | sound | cut | long | st.binary(max_size=45)


TIMES = INTS(schema.EPOCH_2020, schema.EPOCH_2020 + 2**31) | INTS(1790000000, 1790000100)


@st.composite
def messages(draw: st.DrawFn, kind: int) -> rows.Rows:
    """Rows as a chunk has them."""
    bodies = draw(st.lists(body_of(kind), min_size=1, max_size=12))
    bodies *= draw(st.sampled_from([1, 1, 1, 60]))  # large ones take another form
    count = len(bodies)
    at = draw(st.lists(TIMES, min_size=1, max_size=8))
    late = draw(st.lists(INTS(-(2**33), 2**33), min_size=1, max_size=8))
    epochs = draw(st.lists(INTS(1, 2**32 - 1), min_size=1, max_size=3))
    times = np.resize(np.array(at, np.int64), count)
    return rows.rows(
        values.FIELDS[kind],
        np.resize(np.array(epochs, np.uint32), count),
        np.arange(count, dtype=np.uint32) + np.uint32(draw(INTS(0, 2**24))),
        times,
        np.resize(np.array(draw(st.lists(st.booleans(), min_size=1, max_size=4))), count),
        times + np.resize(np.array(late, np.int64), count),
        bodies,
    )


def told(found: rows.Rows) -> list[tuple[Any, ...]]:
    columns = (found.epochs, found.seqs, found.at, found.timed, found.received)
    return list(zip(*(column.tolist() for column in columns), found.bodies(), strict=True))


@pytest.mark.parametrize("kind", SERIES)
def test_a_chunk_gives_back_what_went_in(kind: int) -> None:
    fields = values.FIELDS[kind]

    @CALM
    @given(messages(kind), st.data())
    def check(given_: rows.Rows, data: st.DataObject) -> None:
        chunk = chunks.pack(given_)
        found = chunks.unpack(chunk, "chunk 1")
        assert told(found) == told(given_)
        expected = batch.decode(fields, given_.bodies())
        columns = found.columns(fields)
        assert columns.sound.tolist() == expected.sound.tolist()
        for name, column in expected.items():
            assert columns[name].tolist() == column.tolist(), name
        names = data.draw(st.lists(st.sampled_from(sorted(expected)), max_size=3))
        few = chunks.unpack(chunk, "chunk 1", fields, names)
        assert few.at.tolist() == given_.at.tolist()
        columns = few.columns(fields, names)
        assert columns.keys() == set(names)
        assert columns.sound.tolist() == expected.sound.tolist()
        for name in names:
            assert columns[name].tolist() == expected[name].tolist(), name

    check()


@CALM
@given(messages(schema.HEALTH), st.data())
def test_a_damaged_chunk_is_named(given_: rows.Rows, data: st.DataObject) -> None:
    chunk = bytearray(chunks.pack(given_))
    if data.draw(st.booleans()):
        chunk[data.draw(INTS(0, len(chunk) - 1))] ^= data.draw(INTS(1, 255))
    else:
        del chunk[data.draw(INTS(0, len(chunk) - 1)) :]
    with pytest.raises(StoreError, match="node 7, Health"):
        chunks.unpack(bytes(chunk), "the chunk of node 7, Health")


@CALM
@given(messages(schema.HEALTH), st.data())
def test_a_forged_chunk_is_refused_too(given_: rows.Rows, data: st.DataObject) -> None:
    """The checksum is right, the rest is anything: an error or rows, and no crash."""
    chunk = bytearray(chunks.pack(given_))
    place = data.draw(INTS(4, min(60, len(chunk) - 1)))
    chunk[place] ^= data.draw(INTS(1, 255))
    chunk[:4] = zlib.crc32(memoryview(chunk)[4:]).to_bytes(4, "little")
    with contextlib.suppress(StoreError):
        chunks.unpack(bytes(chunk), "here").bodies()


@CALM
@given(st.lists(messages(schema.RAW), min_size=2, max_size=4))
def test_merging_keeps_every_row_in_order(parts: list[rows.Rows]) -> None:
    merged = rows.merge(values.FIELDS[schema.RAW], parts)
    expected = [row for part in parts for row in told(part)]
    assert sorted(told(merged)) == sorted(expected)
    order = [(at, received, epoch, seq) for epoch, seq, at, _, received, _ in told(merged)]
    assert order == sorted(order)


def test_a_chunk_is_read_after_the_schema_has_grown() -> None:
    """A field is cut from the spare bits: the columns of an old chunk are others then."""
    fields = schema.REPORT_FIELDS
    body = codec.encode(fields, [None if field[1] != "c" else 1 for field in fields])
    many = np.arange(5)
    chunk = chunks.pack(
        rows.rows(
            fields,
            many.astype(np.uint32),
            many.astype(np.uint32),
            many,
            many > 1,
            many,
            [body] * 5,
        )
    )
    name, kind, bits, *rest = fields[-1]
    assert (name, kind) == ("spare", "x")
    grown = (*fields[:-1], ("added", "i", 3, 0, 6, 1, "", 4), (name, kind, bits - 3, *rest))
    for names in (None, ["added", "laeq"]):
        columns = chunks.unpack(chunk, "x", grown, names).columns(grown, names)
        assert columns["added"].tolist() == [batch.UNKNOWN] * 5
        assert columns["laeq"].tolist() == [batch.UNKNOWN] * 5


FRAMES = st.builds(
    Frame,
    INTS(0, 2**32 - 1),
    INTS(0, 2**24 - 1),
    st.sampled_from(SERIES),
    st.floats(0, 2**33),
    st.none() | TIMES,
    st.binary(max_size=60),
)


@CALM
@given(st.lists(st.lists(st.tuples(INTS(0, 2**32 - 1), FRAMES), max_size=6), max_size=4))
def test_batches_give_back_what_went_in(given_: list[list[tuple[int, Frame]]]) -> None:
    blobs = [(number, batches.pack(frames)) for number, frames in enumerate(given_)]
    found = batches.unpack(blobs)
    assert list(zip(found.nodes.tolist(), found.frames(), strict=True)) == [
        frame for frames in given_ for frame in frames
    ]


@CALM
@given(st.lists(st.tuples(INTS(0, 99), FRAMES), max_size=4), st.data())
def test_a_damaged_batch_is_named(given_: list[tuple[int, Frame]], data: st.DataObject) -> None:
    blob = bytearray(batches.pack(given_))
    blob[data.draw(INTS(0, len(blob) - 1))] ^= data.draw(INTS(1, 255))
    with pytest.raises(StoreError, match="batch 12"):
        batches.unpack([(3, batches.pack([])), (12, bytes(blob))])


def test_a_frame_that_no_batch_can_hold_is_refused() -> None:
    with pytest.raises(StoreError, match="cannot be stored"):
        batches.pack([(1, Frame(1, 1, schema.REPORT, 1.0, None, bytes(70000)))])


@CALM
@given(st.lists(INTS(0, 40) | INTS(0, 2**24), max_size=60))
def test_held_is_a_set(numbers: list[int]) -> None:
    held, model = Held(), set[int]()
    for number in numbers:
        assert held.add(number) == (number not in model)
        model.add(number)
    assert {n for first, last in held.ranges for n in range(first, last + 1)} == model
    assert all(a[1] + 1 < b[0] for a, b in zip(held.ranges, held.ranges[1:], strict=False))
    assert all(number in held for number in model)
    assert all((n in held) == (n in model) for n in range(42))
    assert Held.unpack(held.pack()).ranges == held.ranges


@CALM
@given(st.binary(max_size=12))
def test_any_bytes_are_ranges_or_refused(packed: bytes) -> None:
    try:
        held = Held.unpack(packed)
    except StoreError:
        return
    assert Held.unpack(held.pack()).ranges == held.ranges


@CALM
@given(st.integers(0, 40).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n))))
def test_cut_and_paste(bodies: list[bytes]) -> None:
    assume(bodies and bodies[0])
    for fields in (values.FIELDS[kind] for kind in SERIES):
        bits = batch.widths(fields, len(bodies[0]))
        assert sum(bits) == 8 * len(bodies[0])
        assert batch.paste(bits, batch.cut(bits, bodies)) == bodies


@pytest.mark.parametrize("kind", SERIES)
def test_raw_columns_mean_what_the_codec_says(kind: int) -> None:
    fields = values.FIELDS[kind]
    bodies = [encoded(kind, seed) for seed in range(40)]
    raw = dict(enumerate(batch.cut(batch.widths(fields, len(bodies[0])), bodies)))
    columns = batch.mean(fields, raw, len(bodies), None)
    for n, body in enumerate(bodies):
        for field, value in zip(fields, codec.decode(fields, body, 0, len(body)), strict=True):
            if field[0] in columns:
                found = int(columns[field[0]][n])
                assert (None if found == batch.UNKNOWN else found) == value
