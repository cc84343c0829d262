"""Benches for the tests: one with the wall clock for a whole module, as starting costs 0.2 s."""

from collections.abc import Iterator

import pytest
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench


@pytest.fixture(scope="module")
def bench() -> Iterator[VirtualBench]:
    try:
        with VirtualBench() as made:
            yield made
    except NoInterpreterError as error:
        pytest.skip(str(error))
