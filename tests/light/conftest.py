from collections.abc import Iterator

import pytest

from tests.light.peer import Peer, running


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running() as found:
        yield found
