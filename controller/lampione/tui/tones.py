"""The few colours that mean something, by the theme. Each goes with a glyph or a word."""

from functools import lru_cache

from rich.style import Style
from textual.app import App

TONES = {
    "good": "text-success",
    "warn": "text-warning",
    "bad": "text-error",
    "note": "text-primary",
    "head": "text-accent",
}
"""Tone: the theme's variable. Beside them "dim", "bold", and "": nothing special."""

_OF_STATES = {"green": "good", "yellow": "warn", "red": "bad", "dim": "dim"}


@lru_cache(maxsize=128)
def _styled(tone: str, colour: str) -> Style:
    return Style(color=colour, bold=tone == "head")


def style(app: App[object], tone: str) -> Style:
    """Return the style of a tone; of a word of `present.STATES`, too."""
    tone = _OF_STATES.get(tone, tone)
    if tone in ("dim", "bold"):
        return Style(dim=tone == "dim", bold=tone == "bold")
    variable = TONES.get(tone)
    return Style.null() if variable is None else _styled(tone, app.theme_variables[variable])
