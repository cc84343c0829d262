"""Blocks against sums made one message at a time in plain Python."""

import contextlib
import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.batch import UNKNOWN, Columns
from lampione.rollup import BLOCK, LEVELS, MEASURES, Block, BlockError, Kind, accumulate, coarsen
from lampione.rollup.block import unstamp
from lampione.rollup.measures import SENSOR_OF
from lampione_protocol import hour, names, schema

from tests.controller.rollup import plausible

DAY = 1_790_380_800  # 2026-09-26T00:00:00Z
LAYOUTS = {
    schema.REPORT: schema.REPORT_FIELDS,
    schema.HEALTH: schema.HEALTH_FIELDS,
    schema.HOUR: hour.HOUR_FIELDS,
}
Row = tuple[int, int, bool, dict[str, int]]  # node, at, sound, fields in steps
Blocks = dict[tuple[int, str, int], Block]


@st.composite
def messages(draw: st.DrawFn, kind: int, most: int = 30) -> list[Row]:
    """Messages of few nodes, about one day's end, some unsound and some with unknown fields."""
    ranges = plausible.fields(LAYOUTS[kind])
    row = st.tuples(
        st.sampled_from([1, 2, BLOCK - 1, BLOCK, 5 * BLOCK + 7]),
        st.integers(DAY - 4000, DAY + 4000),
        st.sampled_from([True, True, True, False]),
        st.fixed_dictionaries(
            {
                name: st.one_of(st.integers(low, high), st.sampled_from([low, high, UNKNOWN]))
                if name != "part"
                else st.integers(0, 15)
                for name, (low, high) in ranges.items()
            }
        ),
    )
    return draw(st.lists(row, max_size=most))


def columns_of(kind: int, rows: list[Row]) -> Columns:
    columns = Columns(
        {
            name: np.array([row[3][name] for row in rows], np.int32)
            for name in plausible.fields(LAYOUTS[kind])
        }
    )
    columns.sound = np.array([row[2] for row in rows], np.bool_)
    return columns


def rolled(level: int, kind: int, rows: list[Row]) -> Blocks:
    ids = np.array([row[0] for row in rows], np.uint32)
    at = np.array([row[1] for row in rows], np.int64)
    return accumulate(level, kind, ids, at, columns_of(kind, rows))


def values_of(blocks: Blocks) -> dict[tuple[int, str, int], dict[str, Any]]:
    """(start, measure, node) to what its slot holds, in Python's numbers."""
    found = {}
    for (start, name, number), block in blocks.items():
        for slot in np.flatnonzero(block.present()).tolist():
            found[start, name, number * BLOCK + slot] = {
                key: array[slot].tolist() for key, array in block.arrays().items()
            }
    return found


def vouched(field: str, fields: dict[str, int]) -> bool:
    sensor = SENSOR_OF.get(field)
    return sensor is None or fields["valid"] >> names.SENSORS.index(sensor) & 1 == 1


def oracle(level: int, kind: int, rows: list[Row]) -> dict[tuple[int, str, int], dict[str, Any]]:
    """The same, a message and a measure at a time."""
    gathered: dict[Any, list[tuple[int, int, int]]] = defaultdict(list)
    bins: dict[Any, list[int]] = {}
    for node, at, sound, fields in rows:
        if not sound or fields.get("duration_s") == UNKNOWN:
            continue
        for name, measure in MEASURES.items():
            if measure.message != kind or level not in measure.levels:
                continue
            key = at // level * level, name, node
            if measure.kind is Kind.HISTOGRAM:
                part = fields["part"] - measure.first_part
                if 0 <= part < measure.parts:
                    counts = bins.setdefault(key, [0] * measure.bins)
                    for n in range(12):
                        counts[part * 12 + n] += max(fields[f"bin_{n}"], 0)
            elif fields[measure.field] != UNKNOWN and vouched(measure.field, fields):
                gathered[key].append((at, fields[measure.field], fields.get("duration_s", 0)))
    found: dict[Any, dict[str, Any]] = {}
    for key, known in gathered.items():
        kind_of = MEASURES[key[1]].kind
        values = [value for _, value, _ in known]
        made: dict[str, Any] = {"n": len(known)}
        if kind_of in (Kind.MEAN, Kind.TOTAL, Kind.ENERGY):
            made["seconds"] = sum(seconds for _, _, seconds in known)
        if kind_of is Kind.COUNTER:
            made["first"] = min((at, value) for at, value, _ in known)
            made["last"] = max((at, value) for at, value, _ in known)
        elif kind_of is Kind.ENERGY:
            made["sum"] = sum(round(16 * 10 ** (v / 100)) * s for _, v, s in known)
        else:
            weigh = kind_of is Kind.MEAN
            made["sum"] = sum(v * (s if weigh else 1) for _, v, s in known)
            made |= {"min": min(values), "max": max(values)}
        found[key] = made
    for key, counts in bins.items():
        if any(counts):
            found[key] = {"bins": counts}
    return found


def readable(found: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    for made in found.values():
        for name in ("first", "last"):
            if name in made:
                at, value = unstamp(np.array(made[name]))
                made[name] = int(at), int(value)
    return found


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_blocks_hold_what_a_plain_count_finds(level: int, kind: int, data: st.DataObject) -> None:
    rows = data.draw(messages(kind))
    assert readable(values_of(rolled(level, kind, rows))) == oracle(level, kind, rows)


@pytest.mark.parametrize("kind", LAYOUTS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_split_any_order_and_any_level_between_give_equal_blocks(
    kind: int, data: st.DataObject
) -> None:
    rows = data.draw(messages(kind))
    at_once = {level: rolled(level, kind, rows) for level in LEVELS}
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    for level in LEVELS:
        late = rolled(level, kind, shuffled[:cut])
        for key, block in rolled(level, kind, shuffled[cut:]).items():
            if key in late:
                late[key].add(block)
            else:
                late[key] = block
        assert late == at_once[level]
    if kind != schema.HOUR:
        assert coarsen(at_once[300], 3600) == at_once[3600]
        assert coarsen(at_once[300], 86400) == at_once[86400]
    assert coarsen(at_once[3600], 86400) == at_once[86400]


@pytest.mark.parametrize("kind", LAYOUTS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_block_comes_back_from_its_bytes(kind: int, data: st.DataObject) -> None:
    for block in rolled(86400, kind, data.draw(messages(kind))).values():
        again = Block.unpack(block.pack())
        assert again == block
        assert {n: a.dtype for n, a in again.arrays().items()} == {
            n: a.dtype for n, a in block.arrays().items()
        }


def test_an_empty_block_comes_back_and_adds_nothing() -> None:
    for measure in MEASURES.values():
        empty = Block(measure.kind, measure.bins)
        assert Block.unpack(empty.pack()) == empty
        assert not empty.present().any()
        empty.add(Block(measure.kind, measure.bins))
        assert empty == Block(measure.kind, measure.bins)


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200), st.binary(max_size=3))
def test_damaged_bytes_are_refused(junk: bytes, place: int, other: bytes) -> None:
    ids, at, columns = plausible.reports(np.random.default_rng(2), 3, 5, DAY)
    body = accumulate(300, schema.REPORT, ids, at, columns)[DAY, "pm10", 0].pack()
    for damaged in (junk, body[:place], body[:place] + other + body[place + len(other) :]):
        with contextlib.suppress(BlockError):
            Block.unpack(damaged)


def test_blocks_of_different_kinds_do_not_add_up() -> None:
    with pytest.raises(BlockError, match="SAMPLE does not add up with MEAN"):
        Block(Kind.MEAN).add(Block(Kind.SAMPLE))


def test_there_are_three_levels() -> None:
    with pytest.raises(ValueError, match="not of 60"):
        rolled(60, schema.REPORT, [])


def test_a_sound_level_is_summed_as_energy() -> None:
    row = dict.fromkeys(plausible.fields(schema.REPORT_FIELDS), UNKNOWN)
    rows: list[Row] = [
        (1, DAY, True, row | {"duration_s": 60, "laeq": 600, "valid": 511}),
        (1, DAY + 60, True, row | {"duration_s": 240, "laeq": 700, "valid": 511}),
    ]
    found = values_of(rolled(300, schema.REPORT, rows))
    assert found == {
        (DAY, "laeq_energy", 1): {"n": 2, "seconds": 300, "sum": 16 * (60 * 10**6 + 240 * 10**7)}
    }
    mean = Fraction(found[DAY, "laeq_energy", 1]["sum"], 300 * 16)
    assert 10 * math.log10(mean) == pytest.approx(69.14, abs=0.005)


def test_a_day_of_the_loudest_sound_fits() -> None:
    count = 1440 * 3  # thrice as much as there is time for
    ids, at = np.full(count, 9), np.full(count, DAY)
    columns = plausible.columns_of(
        schema.REPORT_FIELDS, {"duration_s": np.full(count, 60), "laeq": 1222, "valid": 511}
    )
    block = accumulate(86400, schema.REPORT, ids, at, columns)[DAY, "laeq_energy", 0]
    assert block.arrays()["sum"][9] == round(16 * 10**12.22) * 60 * count


def test_a_street_of_a_thousand_posts_takes_a_hundred_bytes_a_post_and_hour() -> None:
    """With entropy that is beside: tests/controller/rollup/plausible.py says how it is made."""
    rng = np.random.default_rng(7)
    nodes = BLOCK - 1
    total = 0
    for kind, made in (
        (schema.REPORT, plausible.reports(rng, nodes, 60, DAY)),
        (schema.HEALTH, plausible.health(rng, nodes, 4, DAY)),
        (schema.HOUR, plausible.hours(rng, nodes, 1, DAY)),
    ):
        total += sum(len(block.pack()) for block in accumulate(3600, kind, *made).values())
    assert total / nodes < 115
