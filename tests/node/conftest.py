"""A bench, a broker and a small controller, shared by the tests of one module."""

from collections.abc import Iterator

import pytest

from tests.brokers import Broker
from tests.node.controller import Controller
from tests.virtual_bench import bench

__all__ = ["bench"]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker("nats", tmp_path_factory.mktemp("broker")) as made:
        yield made


@pytest.fixture(scope="module")
def controller(broker: Broker) -> Iterator[Controller]:
    made = Controller(broker)
    yield made
    made.close()
