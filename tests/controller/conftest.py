"""What several suites of the controller share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker, running_broker
from tests.controller.rig import Rig
from tests.controller.store.postgres_server import postgres, postgres_url
from tests.virtual_bench import bench

__all__ = ["bench", "postgres", "postgres_url"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Start a broker for the tests of one module."""
    with running_broker("nats", tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def rig(tmp_path: Path, broker: Broker) -> Iterator[Rig]:
    """Start a controller with the keys of two nodes."""
    with Rig(tmp_path / "s", broker, ("a-1", "b-2")) as running:
        yield running
