"""One-line widgets: titles and the header."""

from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

Part = tuple[str, str]
"""(colour or "", text)"""


class Title(Widget):
    """One line of text."""

    text: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render the text."""
        base = self.rich_style
        return Strip([Segment(self.text, base)]).adjust_cell_length(self.size.width, base)


class Header(Widget):
    """Connection, counts and rate on the left, the clock on the right."""

    DEFAULT_CSS = "Header { height: 1; background: $boost; padding: 0 1; }"
    parts: reactive[tuple[Part, ...]] = reactive(())
    clock: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render what fits: the least important parts are the last."""
        base = self.rich_style
        room = self.size.width - len(self.clock) - 1
        segments = []
        used = 0
        for colour, text in self.parts:
            if used + len(text) + 2 > room:
                break
            segments.append(Segment(text, base + Style.parse(colour) if colour else base))
            segments.append(Segment("  ", base))
            used += len(text) + 2
        segments.append(Segment(" " * (self.size.width - used - len(self.clock)), base))
        segments.append(Segment(self.clock, base))
        return Strip(segments).adjust_cell_length(self.size.width, base)
