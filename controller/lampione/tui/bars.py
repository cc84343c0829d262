"""One-line widgets: titles, the header, what is said."""

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from lampione.tui.tones import style

Part = tuple[str, str]
"""(tone or "", text)"""


class Title(Widget):
    """One line of text."""

    DEFAULT_CSS = "Title { height: 1; }"
    text: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render the text."""
        base = self.rich_style
        return Strip([Segment(self.text, base)]).adjust_cell_length(self.size.width, base)


class Parts(Widget):
    """One line of parts: what fits, so that the least important are the last."""

    DEFAULT_CSS = "Parts { height: 1; padding: 0 1; }"
    parts: reactive[tuple[Part, ...]] = reactive(())
    last: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render what fits, and `last` at the right."""
        base = self.rich_style
        room = self.size.width - len(self.last) - 1
        segments = []
        used = 0
        for tone, text in self.parts:
            if used + len(text) + 2 > room:
                break
            segments.append(Segment(text, base + style(self.app, tone)))
            segments.append(Segment("  ", base))
            used += len(text) + 2
        segments.append(Segment(" " * (self.size.width - used - len(self.last)), base))
        segments.append(Segment(self.last, base))
        return Strip(segments).adjust_cell_length(self.size.width, base)


class Header(Parts):
    """Connection, alarms, counts and rate on the left, the clock on the right."""

    DEFAULT_CSS = "Header { background: $boost; }"


class Said(Widget):
    """What was said last, above the keys; it goes after a while."""

    DEFAULT_CSS = """
    Said { height: 1; display: none; padding: 0 1; background: $panel; }
    Said.-shown { display: block; }
    """
    said: reactive[Part] = reactive(("", ""))

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render it."""
        base = self.rich_style
        tone, text = self.said
        return Strip([Segment(text, base + style(self.app, tone))]).adjust_cell_length(
            self.size.width, base
        )
