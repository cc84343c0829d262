"""A table on Textual's Line API: columns as data, any number of rows, a cursor and marks."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lampione.tui.grid import fit
from lampione.tui.tones import style

_BETWEEN = "  "
MARK = "*"

Row = Any
Cell = tuple[str, str]
"""(tone or "", text)"""


class Col(NamedTuple):
    """One column.

    width: cells; 0: what is left, for one column of a table.
    cell: of a row and Unix seconds.
    least: the narrowest terminal that shows it.
    """

    head: str
    width: int
    cell: Callable[[Row, float], Cell | str]
    right: bool = False
    least: int = 0


class Table(ScrollView, inherit_bindings=False):
    """Rows with a head over them. The cursor and the marks stay with their rows.

    Args:
        columns: from left to right.
        key: what a row is known by.
        now: Unix seconds.
        empty: what stands there when there are no rows.
    """

    class Opened(Message):
        """The user wants to see this row."""

        def __init__(self, table: "Table", row: Row) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "Table":
            """Return the table, so that `on` can choose by its id."""
            return self.table

    class Moved(Message):
        """The cursor is on another row; None: there are no rows."""

        def __init__(self, table: "Table", row: Row | None) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "Table":
            """Return the table."""
            return self.table

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "end(0)", "First", show=False),
        Binding("end,G", "end(-1)", "Last", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("enter", "open", "Open", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor", "table--head"}
    DEFAULT_CSS = """
    Table { padding: 0 1; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Table .table--cursor { background: $primary 15%; }
    Table:focus .table--cursor { background: $primary 40%; }
    Table .table--head { color: $text-muted; text-style: bold; background: $panel; }
    """
    can_focus = True

    def __init__(
        self,
        columns: Sequence[Col],
        key: Callable[[Row], Hashable],
        now: Callable[[], float],
        *,
        empty: str = "nothing",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._columns = columns
        self._key = key
        self._now = now
        self._empty = empty
        self._rows: Sequence[Row] = ()
        self._cursor: Hashable | None = None
        self._place = 0
        self.marks: set[Hashable] = set()

    @property
    def row(self) -> Row | None:
        """Return the row under the cursor."""
        return self._rows[self._place] if self._rows else None

    @property
    def at_end(self) -> bool:
        """Say whether the cursor is on the last row."""
        return self._place >= len(self._rows) - 1

    @property
    def chosen(self) -> list[Row]:
        """Return the marked rows; without marks, the one under the cursor."""
        marked = [row for row in self._rows if self._key(row) in self.marks]
        return marked or ([self.row] if self._rows else [])

    def show(self, rows: Sequence[Row], *, empty: str | None = None) -> None:
        """Show these rows, in this order."""
        if empty is not None:
            self._empty = empty
        self._rows = rows
        keys = [self._key(row) for row in rows]
        self.marks &= set(keys)
        before = self._cursor
        if before in keys:
            self._place = keys.index(before)
        else:
            self._place = max(0, min(self._place, len(rows) - 1))
            self._cursor = keys[self._place] if keys else None
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        self._keep_in_sight()
        self.refresh()
        if self._cursor != before:
            self.post_message(self.Moved(self, self.row))

    def go(self, key: Hashable) -> bool:
        """Put the cursor on the row that is known by `key`; say whether there is one."""
        for place, row in enumerate(self._rows):
            if self._key(row) == key:
                self._go(place)
                return True
        return False

    def on_resize(self) -> None:
        """There is more or less room."""
        self.virtual_size = Size(self.size.width, len(self._rows) + 1)
        self._keep_in_sight()

    def _widths(self) -> list[tuple[Col, int]]:
        shown = [c for c in self._columns if self.app.size.width >= c.least]
        room = self.scrollable_content_region.width - len(MARK) - 1
        left = room - sum(c.width + len(_BETWEEN) for c in shown) + len(_BETWEEN)
        return [(c, c.width or max(left, 4)) for c in shown]

    def render_line(self, y: int) -> Strip:
        """Render the line y of what is seen; the head stays on top."""
        base = self.rich_style
        width = self.scrollable_content_region.width
        if y == 0:
            base = self.get_component_rich_style("table--head")
            heads = [Segment(fit(c.head, w, c.right) + _BETWEEN, base) for c, w in self._widths()]
            return Strip([Segment("  ", base), *heads]).adjust_cell_length(width, base)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self._rows):
            text = f"  {self._empty}" if not self._rows and y == 1 else ""
            dim = base + Style(dim=True)
            return Strip([Segment(text, dim)]).adjust_cell_length(width, base)
        row = self._rows[place]
        if place == self._place:
            base += Style(
                bgcolor=self.get_component_rich_style("table--cursor").bgcolor,
                reverse=self.app.no_color and self.has_focus,
                underline=self.app.no_color and not self.has_focus,
            )
        now = self._now()
        segments = [Segment(f"{MARK if self._key(row) in self.marks else ' '} ", base)]
        for column, room in self._widths():
            cell = column.cell(row, now)
            tone, text = ("", cell) if isinstance(cell, str) else cell
            segments.append(Segment(fit(text, room, column.right), base + style(self.app, tone)))
            segments.append(Segment(_BETWEEN, base))
        return Strip(segments).adjust_cell_length(width, base)

    def _keep_in_sight(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height - 1)
        if self._place < top:
            self.scroll_to(y=self._place, animate=False)
        elif self._place >= top + height:
            self.scroll_to(y=self._place - height + 1, animate=False)

    def _go(self, place: int) -> None:
        if not self._rows:
            return
        place = max(0, min(place, len(self._rows) - 1))
        if place == self._place and self._cursor == self._key(self._rows[place]):
            return
        self._place = place
        self._cursor = self._key(self._rows[place])
        self._keep_in_sight()
        self.refresh()
        self.post_message(self.Moved(self, self.row))

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._place + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by so many pages."""
        self._go(self._place + by * max(1, self.size.height - 2))

    def action_end(self, which: int) -> None:
        """Move the cursor to the first or the last row."""
        self._go(which % max(1, len(self._rows)))

    def action_mark(self) -> None:
        """Mark the row, or take the mark off, and go on to the next."""
        if self._rows:
            self.marks ^= {self._key(self._rows[self._place])}
            self.refresh()
            self._go(self._place + 1)

    def action_open(self) -> None:
        """Ask for what is behind the row."""
        if self._rows:
            self.post_message(self.Opened(self, self.row))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there; open what it is on already."""
        place = event.y - 1 + self.scroll_offset.y
        if 0 <= place < len(self._rows):
            if place == self._place:
                self.action_open()
            self._go(place)
