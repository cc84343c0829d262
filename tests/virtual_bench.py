"""The bench of virtual boards that the tests of one module share."""

from collections.abc import Iterator

import pytest
from lampione_hil.interpreter import NoInterpreterError
from lampione_hil.virtual import VirtualBench


@pytest.fixture(scope="module")
def bench() -> Iterator[VirtualBench]:
    """Start it, where there is an interpreter."""
    try:
        with VirtualBench() as made:
            yield made
    except NoInterpreterError as error:
        pytest.skip(str(error))
