"""One node's values: every field with its unit and its age; what is unknown says so."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lampione.desk.describe import describe
from lampione.desk.present import STATES, UNKNOWN, Row
from lampione.desk.present import clock as time_of_day
from lampione.desk.text import clean
from lampione.desk.work import Answer
from lampione.tui.bars import Title
from lampione.tui.grid import fit
from lampione.tui.tones import style
from lampione.tui.view import View

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
            "head": base + style(self.app, "head"),
            "unknown": base + Style(dim=True),
            "stale": base + Style(dim=True),
        }
        return Strip(
            [Segment(fit(text, width, False), styles.get(kind, base)) for kind, text in line]
        ).adjust_cell_length(self.size.width, base)


class NodeView(View):
    """The sheet of one node, live."""

    DEFAULT_CSS = "NodeView #name { height: 1; background: $panel; padding: 0 1; }"
    AUTO_FOCUS = "Sheet"

    def __init__(self) -> None:
        super().__init__()
        self.node: str | None = None
        self._detail: dict[str, Any] = {}

    def here(self) -> str | None:
        """Return the node that is shown."""
        return self.node

    def argument(self, text: str) -> None:
        """Show this node."""
        if self.desk.fleet.get(text) is None:
            raise ValueError(f"there is no node {text!r}")
        self.node, self._detail = text, {}

    def body(self) -> Iterable[Any]:
        """The name, the sheet."""
        self._title = Title(id="name")
        self._sheet = Sheet()
        yield self._title
        yield self._sheet

    def on_resize(self) -> None:
        """Lay out anew."""
        self.call_after_refresh(self.show_all)

    def _answered(self, answer: Answer) -> None:
        if answer.result is not None and answer.result["node"] == self.node:
            self._detail = {"events": answer.result["events"]}

    def renew(self, changed: frozenset[str]) -> None:
        """Show the newest values."""
        row = None if self.node is None else self.desk.fleet.get(self.node)
        if row is None or not self._sheet.is_mounted:
            return
        if "clock" in changed:
            self.desk.ask("show", self._answered, node=self.node)
        glyph = STATES[row["state"]][0]
        self._title.text = (
            f"{row['node']}  {row['site']}  {glyph} {row['state']}"
            f"  last heard {time_of_day(row['last_seen'])}"
        )
        self._sheet.show(sections({**row, **self._detail}, self.desk.now()))
