"""What takes longest begins first, so that several boards end together."""

import pytest

LONGEST = "test_memory.py::test_a_day"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first; the order of the others stays."""
    items.sort(key=lambda item: not item.nodeid.endswith(LONGEST))
