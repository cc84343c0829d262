"""All nodes, live."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from lampione.desk.present import COLUMNS
from lampione.tui.grid import Grid, Heads, shown_columns
from lampione.tui.view import View


class FleetView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "All", show=False),
        Binding("s", "sort(1)", "Sort"),
        Binding("r", "reverse", "Reverse"),
    ]
    DEFAULT_CSS = """
    FleetView Input { display: none; height: 1; border: none; padding: 0 1; }
    FleetView.-filtering Input { display: block; }
    """
    AUTO_FOCUS = "Grid"

    def body(self) -> Iterable[Any]:
        """Heads, grid, filter."""
        self.grid = Grid(self.desk.fleet, self.desk.now)
        self._heads = Heads(self.desk.fleet)
        self._input = Input(placeholder="words: node, site, state or reason", compact=True)
        yield self._heads
        yield self.grid
        yield self._input

    def renew(self, changed: frozenset[str]) -> None:
        """Show what is new."""
        if not self.grid.is_mounted:
            return
        if self.desk.moved:
            self.grid.rearranged()
        else:
            self.grid.changed(self.desk.places)
        if "clock" in changed:
            self.grid.refresh()

    def here(self) -> str | None:
        """Return the node under the cursor."""
        return self.grid.cursor

    def _arranged(self) -> None:
        self._heads.refresh()
        self.grid.rearranged()

    def action_filter(self) -> None:
        """Open the line for words."""
        self.add_class("-filtering")
        self._input.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.desk.fleet.arrange(words=event.value)
        self._arranged()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.set_class(bool(self.desk.fleet.words), "-filtering")
        self.grid.focus()

    def action_clear(self) -> None:
        """Show all nodes again; with nothing to clear, go back."""
        if not self._input.value and not self.has_class("-filtering"):
            self.lampione.back()
        self._input.value = ""
        self.remove_class("-filtering")
        self.grid.focus()

    def action_sort(self, by: int) -> None:
        """Sort by the next column that is seen."""
        fleet = self.desk.fleet
        keys = [c.key for c in shown_columns(self.app.size.width)]
        now = keys.index(fleet.sort) if fleet.sort in keys else -1
        fleet.arrange(sort=keys[(now + by) % len(keys)], descending=False)
        self._arranged()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self.desk.fleet.arrange(descending=not self.desk.fleet.descending)
        self._arranged()

    def on_resize(self) -> None:
        """Other columns may fit now."""
        fleet = self.desk.fleet
        if fleet.sort not in {c.key for c in shown_columns(self.app.size.width)}:
            fleet.arrange(sort=COLUMNS[0].key)
        self.call_after_refresh(self._arranged)

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        self.lampione.go("node", event.node)
