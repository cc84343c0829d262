"""A full node on the virtual clock does the same again, to the byte and the microsecond."""

import pytest
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench

from tests.node.days import post


def trace(seconds: float, steps: int, *, sound: bool = True) -> str:
    """Return the trace hash of a full node's time, run in so many steps."""
    try:
        with VirtualBench(clock="virtual") as bench:
            post(bench, sound=sound).power_on()
            for _ in range(steps):
                bench.run_for(seconds / steps, timeout_s=4 * 3600)
            return bench.trace_hash()
    except NoInterpreterError as error:
        pytest.skip(str(error))


def test_the_same_trace_again() -> None:
    once = trace(90, 1)
    assert trace(90, 1) == once
    assert trace(90, 7) == once
    assert trace(60, 1) != once


@pytest.mark.soak
@pytest.mark.parametrize("sound", [False, True])
def test_the_same_day_again(sound: bool) -> None:
    assert trace(86_400, 1, sound=sound) == trace(86_400, 24, sound=sound)
