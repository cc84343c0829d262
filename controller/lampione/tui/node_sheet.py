"""Lines in as many columns as fit, on the Line API."""

from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lampione.desk.node_sheet import Line, Section
from lampione.desk.text import clean
from lampione.tui.grid import fit
from lampione.tui.tones import style


def layout(parts: list[Section], columns: int) -> list[list[Line]]:
    """Return the lines of a sheet of so many columns, sections kept whole, order kept."""
    parts = [[*part, ("", "")] for part in parts]
    total = sum(map(len, parts))
    stacks: list[list[Line]] = [[]]
    for part in parts:
        last = len(stacks) == columns
        if stacks[-1] and not last and len(stacks[-1]) + len(part) / 2 > total / columns:
            stacks.append([])
        stacks[-1] += part
    height = max(map(len, stacks))
    return [[s[y] if y < len(s) else ("", "") for s in stacks] for y in range(height)]


class Sheet(ScrollView, inherit_bindings=False):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown,space", "page_down", "Page down", show=False),
        Binding("home,g", "scroll_home", "First", show=False),
        Binding("end,G", "scroll_end", "Last", show=False),
    ]
    DEFAULT_CSS = "Sheet { padding: 0 1; scrollbar-size-vertical: 1; overflow-x: hidden; }"
    can_focus = True

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[list[Line]] = []

    def show(self, parts: list[Section], width: int) -> None:
        """Show these sections, in columns of this width."""
        self._lines = layout(parts, max(1, self.size.width // width)) if parts else []
        self.virtual_size = Size(self.size.width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the line y of what is seen."""
        base = self.rich_style
        n = y + self.scroll_offset.y
        room = self.scrollable_content_region.width
        if n >= len(self._lines):
            return Strip.blank(room, base)
        line = self._lines[n]
        width = room // len(line)
        return Strip(
            [
                Segment(fit(clean(text), width, False), base + style(self.app, tone))
                for tone, text in line
            ]
        ).adjust_cell_length(room, base)
