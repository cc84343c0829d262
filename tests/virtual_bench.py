"""Benches of virtual boards for the tests, where boards can run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from lampione_hil.firmware import CompileError, host_march
from lampione_hil.interpreter import NoInterpreterError, command
from lampione_hil.virtual import VirtualBench


@contextmanager
def boards_or_skip() -> Iterator[None]:
    """Skip the test when there is no interpreter, or nothing that compiles for it."""
    try:
        yield
    except (NoInterpreterError, CompileError) as error:
        pytest.skip(str(error))


def fixture(clock: Literal["wall", "virtual"], scope: Literal["function", "module"]) -> Any:
    """Return the fixture `bench` of a module: one for all its tests, or one for each."""

    @pytest.fixture(scope=scope)
    def bench() -> Iterator[VirtualBench]:
        with boards_or_skip(), VirtualBench(clock) as made:
            yield made

    return bench


bench = fixture("wall", "module")  # starting costs 0.2 s


@pytest.fixture(autouse=True)
def boards() -> None:
    """Skip what needs boards of whatever kind and does not start them itself."""
    with boards_or_skip():
        command()
        host_march()
