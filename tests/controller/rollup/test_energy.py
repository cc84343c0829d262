"""What counters say was used, that may start anew at any moment."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lampione.rollup import Kind, accumulate, energy
from lampione.rollup.block import blank, stamp
from lampione_protocol import schema

from tests.controller.rollup import plausible

DAY = 1_790_380_800
FASTEST = energy.FASTEST["energy"]


def buckets(points: list[tuple[int, int]], level: int = 3600) -> energy.Used:
    """One node's (time, value), rolled up."""
    starts = sorted({at // level * level for at, _ in points})
    arrays = blank(Kind.COUNTER, (len(starts), 1))
    for n, start in enumerate(starts):
        stamps = [
            int(stamp(np.array(at), np.array(v)))
            for at, v in points
            if at // level * level == start
        ]
        arrays["n"][n, 0] = len(stamps)
        arrays["first"][n, 0], arrays["last"][n, 0] = min(stamps), max(stamps)
    return energy.Meter(1, FASTEST).read(arrays["first"], arrays["last"], arrays["n"])


def test_energy_is_in_steps_of_10_wh() -> None:
    assert energy.ENERGY_WH == 10
    assert energy.POWER_MAX_W == 511


def test_a_counter_that_goes_on_is_used_by_its_rise() -> None:
    found = buckets([(DAY + 900 * n, 1000 + n) for n in range(12)])
    assert found.steps.ravel().tolist() == [3, 4, 4]
    assert found.resets.sum() == 0
    assert found.known.all()


def test_a_counter_that_starts_anew_goes_on_from_nought() -> None:
    found = buckets([(DAY, 5000), (DAY + 3600, 5010), (DAY + 7200, 4), (DAY + 10800, 9)])
    assert found.steps.ravel().tolist() == [0, 10, 4, 5]
    assert found.resets.ravel().tolist() == [0, 0, 1, 0]
    assert found.known.ravel().tolist() == [False, True, True, True]


def test_another_counter_is_no_use() -> None:
    """A board with another history: neither up nor down can be true."""
    found = buckets([(DAY, 5000), (DAY + 3600, 90_000), (DAY + 7200, 90_007), (DAY + 10800, 3000)])
    assert found.steps.ravel().tolist() == [0, 0, 7, 0]
    assert found.resets.ravel().tolist() == [0, 1, 0, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(60, 4000), st.integers(0, 2)), min_size=2, max_size=30))
def test_no_cut_into_buckets_changes_the_sum(rises: list[tuple[int, int]]) -> None:
    points, at, value = [], DAY, 100
    for after, rise in rises:
        points.append((at, value))
        at, value = at + after, value + min(rise, int(after / 3600 * FASTEST))
    for level in (300, 3600, 86400):
        assert buckets(points, level).steps.sum() == points[-1][1] - points[0][1]


def test_from_messages() -> None:
    ids, at, columns = plausible.health(np.random.default_rng(1), 5, 96, DAY)
    parts = [
        accumulate(3600, schema.HEALTH, ids, at, columns)[DAY + 3600 * n, "energy", 0].arrays()
        for n in range(24)
    ]
    arrays = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    meter = energy.Meter(arrays["n"].shape[1], FASTEST)
    cut = [
        meter.read(*(arrays[name][part] for name in ("first", "last", "n")))
        for part in (slice(0, 7), slice(7, 7), slice(7, 24))
    ]
    found = energy.Used(*(np.concatenate(parts) for parts in zip(*cut, strict=True)))
    total = found.steps.sum(axis=0)
    by_hand = [int(np.ptp(columns["energy"][ids == node])) for node in range(1, 6)]
    assert total[1:6].tolist() == by_hand
    assert total[0] == 0
    assert not found.known[:, 6:].any()
    assert total[1] == pytest.approx(143, abs=1)
