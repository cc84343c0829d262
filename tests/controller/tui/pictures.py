"""Pictures of the screen: each is compared with docs/screens/, or written there.

    LAMPIONE_SCREENS=write python -m pytest tests/controller/tui

The clock of a still desk stands, so the same view gives the same picture.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from lampione.demo.screenshot import portable
from lampione.tui.app import LampioneApp
from textual.pilot import Pilot

from tests.controller.tui.still import Given, Steps, drive

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "screens"
SMALL, LARGE = (80, 24), (160, 48)
_IDENTITY = re.compile(r"terminal-\d+")


def picture(app: LampioneApp, name: str) -> None:
    """Compare what is seen with docs/screens/NAME.svg."""
    svg = portable(app.export_screenshot(title="lampione"))
    svg = _IDENTITY.sub("terminal", svg)
    file = FOLDER / f"{name}.svg"
    if os.environ.get("LAMPIONE_SCREENS") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(svg, encoding="utf-8")
    assert file.exists(), f"{file} is missing: make screens"
    if file.read_text(encoding="utf-8") != svg:
        # Both differ in thousands of characters: the words say where.
        assert _words(file.read_text(encoding="utf-8")) == _words(svg)
        pytest.fail(f"{name}: other colours or places than in {file.name}: make screens")


def _words(svg: str) -> list[str]:
    return re.findall(r">([^<>\n]+)</text>", svg)


def pictures(name: str, steps: Steps, **options: Any) -> None:
    """Take both pictures of a view after these steps: 80x24 dark, 160x48 light."""
    for size, light in ((SMALL, False), (LARGE, True)):

        async def shot(app: LampioneApp, given: Given, pilot: Pilot[None]) -> None:
            await steps(app, given, pilot)
            await pilot.pause()
            picture(app, f"{name}-{app.size.width}x{app.size.height}")

        drive(shot, size, light=light, **options)
