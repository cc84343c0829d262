"""Roll-ups compose: whatever the order, the split and the way up, the same comes out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione import batch
from lampione.rollup import DamagedBlock, accumulate, coarsen
from lampione.rollup.accumulate import Blocks
from lampione.rollup.block import BLOCK, Block
from lampione.rollup.measures import DAY, FIVE_MINUTES, HOUR, MEASURES, Rule, of_kind
from lampione_protocol import codec, hour, names, schema

FIELDS = {kind: fields for kind, _, fields in names.ALL_MESSAGES}
BEGIN = 1_800_000_000 // DAY * DAY


def message(kind: int, at: int, given: dict[str, int | None]) -> bytes:
    values: list[Any] = []
    for name, form, _, low, high, *_ in FIELDS[kind]:
        if name in ("start", "time"):
            values.append(at - schema.EPOCH_2020)
        elif name in given:
            value = given[name]
            values.append(value if value is None else min(high, max(low, value)))
        else:
            vouched = (1 << 9) - 1 if name == "valid" else 0
            values.append(vouched if form == "c" else None)
    return codec.encode(FIELDS[kind], values)


NUMBERS = st.one_of(st.none(), st.integers(-50, 1300))
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([1, 1023, 1024]),  # of two blocks
        st.sampled_from([0, 1, 299, 300, HOUR - 1, HOUR, DAY - 1, DAY]),
        st.fixed_dictionaries(
            {
                "laeq": NUMBERS,
                "temperature": NUMBERS,
                "duration_s": st.sampled_from([None, 1, 60, 510]),
                "energy": NUMBERS,
                "voltage": NUMBERS,
                "part": st.integers(0, 15),
                **{f"bin_{n}": NUMBERS for n in range(hour.BINS_A_PART)},
            }
        ),
    ),
    max_size=10,
)
KINDS = st.sampled_from([schema.REPORT, schema.HEALTH, schema.HOUR])


def roll(kind: int, level: int, messages: list[Any]) -> Blocks:
    bodies = [message(kind, BEGIN + at, given) for _, at, given in messages]
    columns = batch.decode(FIELDS[kind], bodies)
    nodes = np.array([node for node, *_ in messages], np.int64)
    at = np.array([BEGIN + at for _, at, _ in messages], np.int64)
    return accumulate(level, kind, nodes, at, columns)


def same(left: Blocks, right: Blocks) -> bool:
    return left.keys() == right.keys() and all(
        np.array_equal(left[key].arrays[name], right[key].arrays[name])
        for key in left
        for name in left[key].arrays
    )


@given(KINDS, MESSAGES, st.randoms(use_true_random=False), st.integers(0, 10))
def test_no_order_and_no_split_matters(kind: int, messages: list[Any], rng: Any, at: int) -> None:
    whole = roll(kind, HOUR, messages)
    shuffled = list(messages)
    rng.shuffle(shuffled)
    early, late = roll(kind, HOUR, shuffled[:at]), roll(kind, HOUR, shuffled[at:])
    for key, block in late.items():
        if key in early:
            early[key].add(block)
        else:
            early[key] = block
    assert same(whole, early)


@given(KINDS, MESSAGES)
def test_five_minutes_make_hours_make_days(kind: int, messages: list[Any]) -> None:
    fine = roll(kind, FIVE_MINUTES, messages)
    hours = roll(kind, HOUR, messages)
    assert same(coarsen(HOUR, fine), hours)
    assert same(coarsen(DAY, hours), roll(kind, DAY, messages))


@given(KINDS, MESSAGES)
def test_what_is_packed_is_what_was(kind: int, messages: list[Any]) -> None:
    blocks = roll(kind, HOUR, messages)
    assert same({key: Block.unpack(block.pack()) for key, block in blocks.items()}, blocks)


@given(MESSAGES)
def test_a_plain_one_is_what_python_counts(messages: list[Any]) -> None:
    expected: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for node, at, said in messages:
        if said["temperature"] is not None:
            value = min(622, max(-400, said["temperature"]))
            bucket = expected.setdefault((node, (BEGIN + at) // HOUR * HOUR), [])
            bucket.append((value, said["duration_s"] or 0))
    blocks = roll(schema.REPORT, HOUR, messages)
    counted = 0
    for (node, start), rows in expected.items():
        arrays = blocks[start, "temperature", node // BLOCK].arrays
        slot = node % BLOCK
        values = [value for value, _ in rows]
        assert arrays["n"][slot] == len(rows)
        assert arrays["sum"][slot] == sum(values)
        assert (arrays["min"][slot], arrays["max"][slot]) == (min(values), max(values))
        assert arrays["seconds"][slot] == sum(lasting for _, lasting in rows)
        counted += len(rows)
    of_temperature = [block for key, block in blocks.items() if key[1] == "temperature"]
    assert sum(int(block.arrays["n"].sum()) for block in of_temperature) == counted


def test_energy_is_exact_enough_over_its_whole_range() -> None:
    for steps in range(200, 1223, 7):
        blocks = roll(schema.REPORT, HOUR, [(3, 0, {"laeq": steps, "duration_s": 60})] * 3)
        arrays = blocks[BEGIN, "laeq_energy", 0].arrays
        level = 10 * np.log10(arrays["energy"][3] / 16 / arrays["seconds"][3])
        assert abs(level - steps / 10) < 0.002


def test_a_report_without_a_duration_has_no_energy() -> None:
    blocks = roll(schema.REPORT, HOUR, [(3, 0, {"laeq": 600, "duration_s": None})])
    assert (BEGIN, "laeq_energy", 0) not in blocks
    assert blocks[BEGIN, "laeq", 0].arrays["n"][3] == 1


def test_what_a_sensor_is_not_vouched_for_counts_nowhere() -> None:
    sound = 1 << names.SENSORS.index("sound")
    said = {"laeq": 600, "humidity": 50, "lamp_level": 30, "duration_s": 60, "valid": sound}
    blocks = roll(schema.REPORT, HOUR, [(3, 0, said)])
    assert {key[1] for key in blocks} == {"laeq", "laeq_energy", "lamp_level"}


def test_unsound_messages_count_nowhere() -> None:
    body = bytearray(message(schema.REPORT, BEGIN, {"humidity": 50}))
    columns = batch.decode(FIELDS[schema.REPORT], [bytes(body), bytes(body)])
    columns.sound = np.array([True, False])
    at = np.full(2, BEGIN, np.int64)
    blocks = accumulate(HOUR, schema.REPORT, np.array([1, 1]), at, columns)
    assert blocks[BEGIN, "humidity", 0].arrays["n"][1] == 1


def test_the_earliest_and_the_latest_reading() -> None:
    said = [(7, 300, {"energy": 5}), (7, 100, {"energy": 9}), (7, 200, {"energy": None})]
    arrays = roll(schema.HEALTH, HOUR, said)[BEGIN, "energy", 0].arrays
    first_last = [int(arrays[name][7]) for name in ("first_at", "first", "last_at", "last", "n")]
    assert first_last == [BEGIN + 100, 9, BEGIN + 300, 5, 2]


def test_parts_of_an_hour_are_one_histogram() -> None:
    bins: dict[str, int | None] = {f"bin_{n}": n for n in range(hour.BINS_A_PART)}
    said = [(7, 0, {"part": part, **bins}) for part in range(16)]
    blocks = roll(schema.HOUR, DAY, said)
    levels = blocks[BEGIN, "sound_levels", 0].arrays["bins"][7]
    assert levels.tolist() == list(range(12)) * 8
    assert blocks[BEGIN, "speeds", 0].arrays["bins"][7].tolist() == list(range(12)) * 2


def test_blocks_of_two_kinds_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Block(Rule.PLAIN).add(Block(Rule.ENERGY))


@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    packed = roll(schema.REPORT, HOUR, [(3, 0, {"laeq": 600, "duration_s": 60})])
    whole = packed[BEGIN, "laeq", 0].pack()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(damaged), whole[:at]):
        try:
            got = Block.unpack(bad)
        except DamagedBlock:
            continue
        assert got.pack() == whole  # a bit that zstd does not read


def test_every_measure_is_of_a_field() -> None:
    for measure in MEASURES.values():
        fields = {field[0] for field in FIELDS[measure.kind]}
        assert measure.field in fields or measure.rule is Rule.HISTOGRAM
    assert not of_kind(schema.EVENT)
