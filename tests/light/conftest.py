from collections.abc import Iterator

import pytest

from tests.light import both
from tests.peer import Peer, running


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with running(both.__file__) as found:
        yield found
