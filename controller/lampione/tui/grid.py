"""A grid on Textual's Line API: it renders the lines that are seen and nothing else."""

from collections.abc import Callable, Collection
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from lampione.desk.columns import BETWEEN, shown
from lampione.desk.fleet import Fleet
from lampione.desk.present import STATES, Row, is_stale
from lampione.tui.tones import style as tone

MARK, LOCK = "*", "▣"
GLOW_S = 1.0  # how long a changed cell stands out
_BETWEEN = " " * BETWEEN


def fit(text: str, width: int, right: bool) -> str:
    """Return `text` in exactly `width` cells."""
    if len(text) > width:
        text = text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)


class Heads(Widget):
    """The grid's heads; the sorted column carries an arrow."""

    DEFAULT_CSS = """
    Heads { height: 1; background: $panel; color: $text-muted; text-style: bold; padding: 0 1; }
    """

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self._fleet = fleet

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render the heads."""
        base = self.rich_style
        segments = []
        for column in shown(self._fleet.columns, self.app.size.width):
            head = column.head
            if column.key == self._fleet.sort:
                head += "▼" if self._fleet.descending else "▲"
            segments.append(Segment(fit(head, column.width, column.right) + _BETWEEN, base))
        return Strip(segments).adjust_cell_length(self.size.width, base)


class Grid(ScrollView, inherit_bindings=False):
    """The fleet, one line a node. The cursor stays on its node when the order changes.

    Attributes:
        lines_rendered: how many lines were rendered, for tests of what work is done.
    """

    class Opened(Message):
        """The user wants to see this node."""

        def __init__(self, node: str) -> None:
            super().__init__()
            self.node = node

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("home,g", "end(0)", "First", show=False),
        Binding("end,G", "end(-1)", "Last", show=False),
        Binding("enter", "open", "Values"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--cursor"}
    DEFAULT_CSS = """
    Grid { padding: 0 1; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Grid .grid--cursor { background: $primary 40%; }
    """
    can_focus = True
    cursor: reactive[str | None] = reactive(None, repaint=False)

    def __init__(self, fleet: Fleet, now: Callable[[], float]) -> None:
        """now: the clock that ages are counted by, Unix seconds."""
        super().__init__()
        self._fleet = fleet
        self._now = now
        self.lines_rendered = 0
        self.locked: Collection[str] = ()

    def on_mount(self) -> None:
        """Take the place that there is."""
        self.rearranged()

    def rearranged(self) -> None:
        """The order has changed: render anew what is seen."""
        self.virtual_size = Size(self.size.width, len(self._fleet))
        if len(self._fleet) and (self.cursor is None or self._fleet.index(self.cursor) is None):
            self.cursor = self._fleet.at(0)["node"]
        self.refresh()

    def changed(self, places: set[int]) -> None:
        """These rows look different."""
        top, height = self.scroll_offset.y, self.size.height
        for n in places:
            if top <= n < top + height:
                self.refresh_line(n)

    def render_line(self, y: int) -> Strip:
        """Render the line y of what is seen."""
        self.lines_rendered += 1
        n = y + self.scroll_offset.y
        base = self.rich_style
        if n >= len(self._fleet):
            return Strip.blank(self.size.width, base)
        row = self._fleet.at(n)
        now = self._now()
        if row["node"] == self.cursor:
            cursor = self.get_component_rich_style("grid--cursor")
            base += Style(bgcolor=cursor.bgcolor, reverse=self.app.no_color)
        return self._line(row, now, base).adjust_cell_length(self.size.width, base)

    def _line(self, row: Row, now: float, base: Style) -> Strip:
        if is_stale(row, now):
            base += Style(dim=True)
        received = row["report_at"]
        glows = received is not None and now - received < GLOW_S
        before = self._fleet.before(row["node"]) if glows else None
        segments = []
        for column in shown(self._fleet.columns, self.app.size.width):
            text = column.cell(row, now)
            if column.key == "node":
                text = self._named(row["node"], column.width)
            style = base
            if column.key == "state":
                style += tone(self.app, STATES[row["state"]][1])
            elif column.key == "gaps" and (row["missing"] or row["lost"]):
                style += tone(self.app, "warn")
            elif before is not None and column.key != "age" and text != column.cell(before, now):
                style += tone(self.app, "head")
            segments.append(Segment(fit(text, column.width, column.right), style))
            segments.append(Segment(_BETWEEN, base))
        return Strip(segments)

    def _named(self, node: str, width: int) -> str:
        """Return a node's name with its mark and its lock."""
        signs = (MARK if node in self._fleet.marks else "") + (LOCK if node in self.locked else "")
        return f"{signs} {fit(node, width - len(signs) - 1, False)}" if signs else node

    def watch_cursor(self, before: str | None, after: str | None) -> None:
        """Render the two lines that the cursor left and came to."""
        for node in (before, after):
            n = None if node is None else self._fleet.index(node)
            if n is not None:
                self.refresh_line(n)

    def _go(self, n: int) -> None:
        if not len(self._fleet):
            return
        n = max(0, min(n, len(self._fleet) - 1))
        self.cursor = self._fleet.at(n)["node"]
        top, height = self.scroll_offset.y, self.size.height
        if n < top:
            self.scroll_to(y=n, animate=False)
        elif n >= top + height:
            self.scroll_to(y=n - height + 1, animate=False)

    def _place(self) -> int:
        """Return the cursor's place; the top of what is seen when the filter hides its node."""
        n = None if self.cursor is None else self._fleet.index(self.cursor)
        return self.scroll_offset.y if n is None else n

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._place() + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by so many pages."""
        self._go(self._place() + by * max(1, self.size.height - 1))

    def action_end(self, which: int) -> None:
        """Move the cursor to the first or the last row."""
        self._go(which % max(1, len(self._fleet)))

    def action_mark(self) -> None:
        """Mark the cursor's node, or take the mark off, and go on to the next."""
        if self.cursor is not None and self._fleet.index(self.cursor) is not None:
            self._fleet.marks ^= {self.cursor}
            self.refresh()
            self.action_move(1)

    def action_open(self) -> None:
        """Ask for the values of the cursor's node."""
        if self.cursor is not None and self._fleet.index(self.cursor) is not None:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; open what it is on already."""
        n = event.y + self.scroll_offset.y
        if n < len(self._fleet):
            if self._fleet.at(n)["node"] == self.cursor:
                self.action_open()
            self._go(n)
