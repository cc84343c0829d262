"""Whether a leak is seen, and noise is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione_hil.memory import trend

NOISE = st.lists(st.integers(0, 1), min_size=40, max_size=200)


@given(NOISE)
def test_what_stays_is_no_leak(noise: list[int]) -> None:
    assert not trend([100 - n for n in noise]).leak(1)


@given(NOISE, st.integers(3, 30))
def test_what_goes_bit_by_bit_is_one(noise: list[int], lost: int) -> None:
    free = [100 - n - lost * 2 * at // len(noise) for at, n in enumerate(noise)]
    assert trend(free).leak(1)


def test_what_was_kept_once_is_not_a_trend() -> None:
    found = trend([100] * 20 + [60] + [100] * 20)
    assert not found.leak(0)
    assert found.least == 60


def test_a_few_points_tell_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        trend([1.0] * 7)
