"""All nodes, live."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from lampione.desk import saved
from lampione.desk.columns import COLUMNS, ColumnError, column, keys_of, shown
from lampione.desk.fleet import FilterError
from lampione.desk.orders import Sending
from lampione.desk.saved import SavedError, SavedView
from lampione.tui.dialogs import Ask
from lampione.tui.grid import Grid, Heads
from lampione.tui.view import View

_HINT = "viale off   laeq>65   !online   faults"


class FleetView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "All", show=False),
        Binding("f", "faults", "Faults"),
        Binding("s", "sort(1)", "Sort"),
        Binding("r", "reverse", "Reverse", show=False),
        Binding("o", "order", "Order"),
        Binding("a", "mark_all", "Mark all shown", show=False),
        Binding("u", "unmark", "Take all marks off", show=False),
        Binding("c", "columns", "Columns", show=False),
        Binding("v", "view", "Views", show=False),
        Binding("V", "save", "Save this view", show=False),
    ]
    DEFAULT_CSS = """
    FleetView Input { display: none; height: 1; border: none; padding: 0 1; }
    FleetView.-filtering Input { display: block; }
    """
    AUTO_FOCUS = "Grid"

    def __init__(self) -> None:
        super().__init__()
        self._sendings: list[Sending] = []

    def body(self) -> Iterable[Any]:
        """Heads, grid, filter."""
        self.grid = Grid(self.desk.fleet, self.desk.now)
        self._heads = Heads(self.desk.fleet)
        self._input = Input(placeholder=_HINT, compact=True)
        yield self._heads
        yield self.grid
        yield self._input

    def here(self) -> str | None:
        """Return the node under the cursor."""
        return self.grid.cursor

    def renew(self, changed: frozenset[str]) -> None:
        """Show what is new."""
        if not self.grid.is_mounted:
            return
        self.grid.locked = self.desk.tags
        if self.desk.moved or "tags" in changed:
            self.grid.rearranged()
        else:
            self.grid.changed(self.desk.places)
        if "clock" in changed:
            self.grid.refresh()
        if self._sendings:
            self._tell()

    def _tell(self) -> None:
        """Say what came of the orders under way."""
        sending = self._sendings[-1]
        failed = sending.failed()
        self.say(sending.told(), "warning" if failed else "information")
        if sending.over:
            self._sendings.remove(sending)

    def _arrange(self, **how: Any) -> None:
        try:
            self.desk.fleet.arrange(**how)
        except FilterError as error:
            self.say(str(error), "warning")
        self._heads.refresh()
        self.grid.rearranged()
        self.lampione.show_head()

    def action_filter(self) -> None:
        """Open the line for words."""
        self.add_class("-filtering")
        self._input.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._arrange(words=event.value)

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.set_class(bool(self.desk.fleet.words), "-filtering")
        self.grid.focus()

    def action_clear(self) -> None:
        """Show all nodes again; with nothing to clear, go back."""
        fleet = self.desk.fleet
        if not (fleet.words or fleet.faults_only or self.has_class("-filtering")):
            self.lampione.back()
            return
        fleet.faults_only = False
        self._input.value = ""
        self.remove_class("-filtering")
        self._arrange(words="")
        self.grid.focus()

    def action_faults(self) -> None:
        """Show only nodes with which something is the matter, or all again."""
        fleet = self.desk.fleet
        fleet.faults_only = not fleet.faults_only
        self._arrange()
        self.say("faults only: f shows all again" if fleet.faults_only else "all nodes")

    def action_sort(self, by: int) -> None:
        """Sort by the next column that is seen."""
        fleet = self.desk.fleet
        keys = self._keys()
        now = keys.index(fleet.sort) if fleet.sort in keys else -1
        self._arrange(sort=keys[(now + by) % len(keys)], descending=False)

    def _keys(self) -> list[str]:
        """Return the keys of the columns that are seen."""
        return [c.key for c in shown(self.desk.fleet.columns, self.app.size.width)]

    def action_columns(self) -> None:
        """Choose the columns."""
        lines = [" ".join(c.key for c in COLUMNS), "or any field of `show`: laeq rssi firmware;",
                 "nothing: as many as the terminal has room for"]  # fmt: skip
        chosen = " ".join(self.desk.fleet.columns)
        self.ask_for(Ask("which columns?", lines, chosen, keys_of), self._choose)

    def _choose(self, text: str) -> None:
        fleet = self.desk.fleet
        fleet.columns = keys_of(text)
        seen = self._keys()
        self._arrange(sort=fleet.sort if fleet.sort in seen else seen[0])
        left = len(fleet.columns) - len(seen)
        if left > 0:
            self.say(f"{left} of the columns need a wider terminal", "warning")

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._arrange(descending=not self.desk.fleet.descending)

    def on_resize(self) -> None:
        """Other columns may fit now."""
        if self.desk.fleet.sort not in self._keys():
            self.desk.fleet.arrange(sort=COLUMNS[0].key)
        self.call_after_refresh(self._arrange)

    def action_mark_all(self) -> None:
        """Mark everything that is shown."""
        fleet = self.desk.fleet
        fleet.marks |= set(fleet.shown())
        self._marked()

    def action_unmark(self) -> None:
        """Take all marks off."""
        self.desk.fleet.marks.clear()
        self._marked()

    def _marked(self) -> None:
        self.grid.refresh()
        self.say(f"{len(self.desk.fleet.marks)} marked: o orders something of them, u unmarks")

    def action_order(self) -> None:
        """Order something of the marked nodes, or of the cursor's."""
        here = self.here()
        marked = sorted(self.desk.fleet.marks)
        self.lampione.order(marked or ([here] if here else []), self._sendings.append)

    def action_save(self) -> None:
        """Keep the filter, the order and the columns by a name."""
        fleet = self.desk.fleet
        view = SavedView(
            fleet.words, fleet.sort, fleet.descending, fleet.faults_only, fleet.columns
        )

        def keep(name: str) -> None:
            try:
                saved.save(saved.place(), name, view)
            except SavedError as error:
                self.say(str(error), "error")
            else:
                self.say(f"view {name} is kept: v shows it again")

        self.ask_for(Ask("a name for this view", check=saved.check), keep)

    def action_view(self) -> None:
        """Show a view that was kept."""
        try:
            views = saved.load(saved.place())
        except SavedError as error:
            self.say(str(error), "error")
            return
        if not views:
            self.say("no view is kept: V keeps this one")
            return

        def known(name: str) -> None:
            if name not in views:
                raise ValueError(f"there is no view {name!r}")

        lines = [f"{name:<16} {_about(view)}" for name, view in views.items()]
        self.ask_for(Ask("which view?", lines, check=known), lambda name: self._show(views[name]))

    def _show(self, view: SavedView) -> None:
        fleet = self.desk.fleet
        try:
            columns, sort = keys_of(" ".join(view.columns)), column(view.sort).key
        except ColumnError as error:  # of another version
            self.say(str(error), "warning")
            columns, sort = (), COLUMNS[0].key
        fleet.faults_only, fleet.columns = view.faults_only, columns
        self._input.value = view.words
        self.set_class(bool(view.words), "-filtering")
        self._arrange(words=view.words, sort=sort, descending=view.descending)

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        self.lampione.go("node", event.node)


def _about(view: SavedView) -> str:
    order = f"by {view.sort}" + (" ▼" if view.descending else "")
    parts = [view.words, "faults" if view.faults_only else "", order, ", ".join(view.columns)]
    return "  ".join(filter(None, parts))
