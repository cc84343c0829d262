"""The screen looks the same on every machine."""

import time
from collections.abc import Iterator

import pytest
from lampione.desk import benching

from tests.controller.tui.still import settled


@pytest.fixture(autouse=True)
def _the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "LAMPIONE_THEME", "TEXTUAL_ANIMATIONS", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(benching, "COMMAND", ["true"])  # a bench is none of a still desk's
    for module in ("app", "pilot"):
        monkeypatch.setattr(f"textual.{module}.wait_for_idle", settled)
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Europe/Rome")
        time.tzset()
        yield
    time.tzset()
