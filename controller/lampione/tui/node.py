"""One node's values: every field with its unit and its age; what is unknown says so."""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Footer

from lampione.cli.fleet import describe
from lampione.cli.output import clean
from lampione.cli.present import STATES, UNKNOWN, Row
from lampione.cli.present import clock as time_of_day
from lampione.tui.bars import Title
from lampione.tui.grid import fit

SHEET_WIDTH = 48
NAME_WIDTH = 20

Line = tuple[str, str]
"""(what it is: "head", "fact", "unknown", "stale" or "", text)"""


def sections(row: Row, now: float) -> list[list[Line]]:
    """Return the sections of a node's sheet, each a list of lines."""
    found: list[list[Line]] = []
    for heading, facts in describe(row, now):
        lines: list[Line] = [("head", clean(heading))]
        stale = _old(row, heading, now)
        for name, text in facts:
            kind = "unknown" if text == UNKNOWN else "stale" if stale else "fact"
            lines.append((kind, f"{name:<{NAME_WIDTH}} {clean(text)}"))
        lines.append(("", ""))
        found.append(lines)
    return found


def _old(row: Row, heading: str, now: float) -> bool:
    """Say whether a section's values are older than three of their intervals."""
    message = heading.split(",")[0]
    every = {"report": 3 * (row["report"].get("duration_s") or 60) + 5, "health": 2700.0}
    received = row.get(f"{message}_at")
    if message not in every or received is None:
        return False
    return bool(now - received > every[message])


def layout(parts: list[list[Line]], columns: int) -> list[list[Line]]:
    """Return the lines of a sheet of so many columns, sections kept whole, order kept."""
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
    """Lines in as many columns as fit."""

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

    def show(self, parts: list[list[Line]]) -> None:
        """Show these sections."""
        self._lines = layout(parts, max(1, self.size.width // SHEET_WIDTH)) if parts else []
        self.virtual_size = Size(self.size.width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the line y of what is seen."""
        base = self.rich_style
        n = y + self.scroll_offset.y
        if n >= len(self._lines):
            return Strip.blank(self.size.width, base)
        line = self._lines[n]
        width = self.size.width // len(line)
        styles = {
            "head": base + Style(bold=True, color="bright_cyan"),
            "unknown": base + Style(dim=True),
            "stale": base + Style(dim=True),
        }
        return Strip(
            [Segment(fit(text, width, False), styles.get(kind, base)) for kind, text in line]
        ).adjust_cell_length(self.size.width, base)


class NodeScreen(Screen[None], inherit_bindings=False):
    """The sheet of one node, live."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace", "dismiss", "Back"),
        Binding("question_mark", "app.keys", "Keys"),
    ]
    DEFAULT_CSS = "NodeScreen #name { height: 1; background: $panel; padding: 0 1; }"

    def __init__(self, node: str, row: Callable[[], Row | None], now: Callable[[], float]) -> None:
        """row: the newest of the node; now: Unix seconds."""
        super().__init__()
        self.node = node
        self._row = row
        self._now = now
        self._detail: dict[str, Any] = {}
        self._title = Title(id="name")
        self._sheet = Sheet()

    def compose(self) -> ComposeResult:
        """The name, the sheet, the keys."""
        yield self._title
        yield self._sheet
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known."""
        self._sheet.focus()
        self.call_after_refresh(self.renew)

    def on_resize(self) -> None:
        """Lay out anew."""
        self.call_after_refresh(self.renew)

    def detail(self, found: dict[str, Any]) -> None:
        """Take what only `show` tells: events and gaps."""
        if found["node"] == self.node:
            self._detail = {"events": found["events"]}

    def renew(self) -> None:
        """Show the newest values."""
        row = self._row()
        if row is None or not self._sheet.is_mounted:
            return
        glyph = STATES[row["state"]][0]
        self._title.text = (
            f"{row['node']}  {row['site']}  {glyph} {row['state']}"
            f"  last heard {time_of_day(row['last_seen'])}"
        )
        self._sheet.show(sections({**row, **self._detail}, self._now()))
