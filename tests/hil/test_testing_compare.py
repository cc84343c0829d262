"""Two records: what moved beyond noise."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.testing.compare import compare, moved

from tests.hil.records import measured, ran, record

VALUES = st.floats(-1e6, 1e6, allow_nan=False)
SERIES = st.lists(VALUES, min_size=1, max_size=6)


def judged(*tests: dict[str, Any], verdict: str = "pass", **changes: Any) -> dict[str, Any]:
    return {**record(*tests, **changes), "verdict": {"verdict": verdict, "reasons": []}}


def measuring(*values: float | None) -> dict[str, Any]:
    each = [[measured("v", value, 0.0, 10.0)] for value in values]
    return ran("test_a", *("pass" for _ in values), measurements=each)


@given(SERIES)
def test_nothing_moves_from_itself(series: list[float]) -> None:
    assert not moved(series, series)[1]


@given(SERIES, SERIES)
def test_it_does_not_matter_which_comes_first(a: list[float], b: list[float]) -> None:
    assert moved(a, b) == pytest.approx(moved(b, a))


@given(st.lists(VALUES, min_size=2, max_size=6), st.floats(1, 1e6))
def test_a_shift_far_beyond_the_spread_is_seen(series: list[float], more: float) -> None:
    by = 1000 * (max(series) - min(series)) + more
    assert moved(series, [v + by for v in series])[1]


def test_chance_is_seldom_taken_for_a_move() -> None:
    """At 0.1 %, of 2000 pairs with the same mean, two are expected; twelve would be a wonder."""
    draw = random.Random(5)
    for size in (2, 3, 5):
        pairs = [
            ([draw.gauss(5, 1) for _ in range(size)], [draw.gauss(5, 1) for _ in range(size)])
            for _ in range(2000)
        ]
        assert sum(moved(a, b)[1] for a, b in pairs) < 12


def test_without_repeats_a_tenth_of_the_limits_counts() -> None:
    assert moved([5.0], [5.9], 0, 10) == (None, False)
    assert moved([5.0], [6.1], 0, 10) == (None, True)
    assert moved([5.0], [5.4], None, 5) == (None, False)
    assert moved([5.0], [4.4], None, 5) == (None, True)
    assert moved([0.0], [0.0], 0, 0) == (None, False)
    assert moved([0.0], [1.0], 0, 0) == (None, True)


def test_what_could_not_be_measured() -> None:
    assert moved([None], [None])[1] is False
    assert moved([None], [1.0])[1] is True
    assert moved([1.0, 1.0], [1.0, None])[1] is True


def test_records_that_differ_in_everything() -> None:
    before = judged(
        measuring(5.0, 5.01, 4.99),
        ran("test_b", "pass"),
        ran("test_c", "skip"),
        ran("test_d", "pass"),
    )
    after = judged(
        measuring(5.5, 5.51, 5.49),
        ran("test_b", "pass", "fail"),
        ran("test_c", "pass"),
        ran("test_e", "pass"),
        verdict="fail",
        firmware={"id": "e" * 16, "revision": ""},
    )
    found = compare(before, after)
    assert not found.same
    assert found.verdicts == ("pass", "fail")
    assert found.firmware == ("f" * 16, "e" * 16)
    assert found.outcomes == [
        ("test_it.py::test_b", "pass", "fail"),
        ("test_it.py::test_c", "skip", "pass"),
    ]
    assert found.only_before == ["test_it.py::test_d"]
    assert found.only_after == ["test_it.py::test_e"]
    (one,) = found.moved
    assert (one.name, one.before, one.after) == ("v", 5.0, 5.5)
    assert one.noise is not None
    assert 0.01 < one.noise < 0.2


def test_the_same_run_again_is_the_same() -> None:
    found = compare(judged(measuring(5.0, 5.3)), judged(measuring(5.1, 5.2)))
    assert found.same
    assert found.still == 1
    other = compare(judged(measuring(5.0)), judged(ran("test_a", "pass")))
    assert other.gone == [("test_it.py::test_a", "v")]
    assert not other.same
