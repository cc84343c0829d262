"""The screen looks the same on every machine."""

import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "LAMPIONE_THEME", "TEXTUAL_ANIMATIONS", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Europe/Rome")
        time.tzset()
        yield
    time.tzset()
