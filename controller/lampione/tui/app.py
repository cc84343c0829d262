"""The application: takes what the feed brings, ten times a second, and shows it."""

import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, Static

from lampione.cli.present import COLUMNS, STATES
from lampione.tui.bars import Header, Part
from lampione.tui.feed import Feed, Item
from lampione.tui.fleet import Fleet
from lampione.tui.grid import Grid, Heads, shown_columns
from lampione.tui.node import NodeScreen

DRAIN_S = 0.1
CHECK_S = 0.5


class KeysScreen(ModalScreen[None], inherit_bindings=False):
    """The keys of the screen below, taken from its own bindings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Back")
    ]
    DEFAULT_CSS = """
    KeysScreen { align: center middle; }
    KeysScreen Static {
        width: auto; height: auto; max-height: 90%; padding: 1 2;
        background: $surface; border: round $primary;
    }
    """

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        super().__init__()
        self.keys = keys

    def compose(self) -> ComposeResult:
        """One line a key."""
        yield Static("\n".join(f"{k:<16} {what}" for k, what in self.keys), markup=False)


class FleetScreen(Screen[None], inherit_bindings=False):
    """All nodes, live."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "All", show=False),
        Binding("s", "sort(1)", "Sort"),
        Binding("r", "reverse", "Reverse"),
        Binding("question_mark", "app.keys", "Keys"),
        Binding("q", "app.quit", "Quit"),
    ]
    DEFAULT_CSS = """
    FleetScreen Input { display: none; height: 1; border: none; padding: 0 1; }
    FleetScreen.-filtering Input { display: block; }
    FleetScreen Vertical { height: 1fr; }
    """
    AUTO_FOCUS = "Grid"

    def __init__(self, fleet: Fleet, now: Callable[[], float]) -> None:
        super().__init__()
        self.fleet = fleet
        self.header = Header()
        self.grid = Grid(fleet, now)
        self._heads = Heads(fleet)
        self._input = Input(placeholder="words: node, site, state or reason", compact=True)

    def compose(self) -> ComposeResult:
        """Header, heads, grid, filter, keys."""
        yield self.header
        yield self._heads
        with Vertical():
            yield self.grid
        yield self._input
        yield Footer(show_command_palette=False)

    def _arranged(self) -> None:
        self._heads.refresh()
        self.grid.rearranged()

    def action_filter(self) -> None:
        """Open the line for words."""
        self.add_class("-filtering")
        self._input.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.fleet.arrange(words=event.value)
        self._arranged()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.set_class(bool(self.fleet.words), "-filtering")
        self.grid.focus()

    def action_clear(self) -> None:
        """Show all nodes again."""
        self._input.value = ""
        self.remove_class("-filtering")
        self.grid.focus()

    def action_sort(self, by: int) -> None:
        """Sort by the next column that is seen."""
        keys = [c.key for c in shown_columns(self.app.size.width)]
        now = keys.index(self.fleet.sort) if self.fleet.sort in keys else -1
        self.fleet.arrange(sort=keys[(now + by) % len(keys)], descending=False)
        self._arranged()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self.fleet.arrange(descending=not self.fleet.descending)
        self._arranged()

    def on_resize(self) -> None:
        """Other columns may fit now."""
        if self.fleet.sort not in {c.key for c in shown_columns(self.app.size.width)}:
            self.fleet.arrange(sort=COLUMNS[0].key)
        self.call_after_refresh(self._arranged)


class LampioneApp(App[None], inherit_bindings=False):
    """The screen of a controller.

    Args:
        feed: where the data comes from.
        sites: node id to its site's name.
        now: the clock for ages, Unix seconds.
        ends_after_s: when the screen ends by itself; None: when the user says so.
        state: the controller's folder, for the help to say; None: not said.
        check: called twice a second; what it raises ends the screen and is kept in `failure`.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "Lampione"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True, system=True)
    ]

    def __init__(
        self,
        feed: Feed,
        sites: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
        ends_after_s: float | None = None,
        state: str | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._feed = feed
        self._now = now
        self._ends_after_s = ends_after_s
        self._state = state
        self._check = check
        self.failure: Exception | None = None
        self.fleet = Fleet(sites)
        self.link: str | None = "connecting"
        self.status: dict[str, Any] = {}
        self._main = FleetScreen(self.fleet, now)

    def on_mount(self) -> None:
        """Begin to take."""
        self.push_screen(self._main)
        self._feed.start()
        self.set_interval(DRAIN_S, self.take)
        self.set_interval(1.0, self.tick)
        self.set_interval(CHECK_S, self._look)
        if self._ends_after_s is not None:
            self.set_timer(self._ends_after_s, self.exit)

    def on_unmount(self) -> None:
        """End the feed's threads."""
        self._feed.stop()

    def _look(self) -> None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whoever shows us raises it
            self.failure = error
            self.exit()

    def take(self) -> None:
        """Take what has come; render what changed."""
        if not self._main.grid.is_mounted:
            return  # what has come waits
        items = self._feed.drain()
        if not items:
            return
        rows: list[Any] = []
        for item in items:
            self._note(item)
            if item[0] == "nodes":
                rows += item[1]
        places, moved = self.fleet.update(rows)
        grid = self._main.grid
        if moved:
            grid.rearranged()
        else:
            grid.changed(places)
        self._head()
        if rows and isinstance(self.screen, NodeScreen):
            self.screen.renew()

    def _note(self, item: Item) -> None:
        kind, what = item
        if kind == "link":
            self.link = what
        elif kind == "status":
            self.status = what
        elif kind == "broker" and self.status:
            self.status = {**self.status, "broker": what}
        elif kind == "detail" and isinstance(self.screen, NodeScreen):
            self.screen.detail(what)

    def tick(self) -> None:
        """Let ages grow, once a second."""
        if not self._main.grid.is_mounted:
            return
        self._head()
        if self.screen is self._main:
            self._main.grid.refresh()
        elif isinstance(self.screen, NodeScreen):
            self.screen.renew()

    def _head(self) -> None:
        header = self._main.header
        header.parts = tuple(self._parts())
        header.clock = time.strftime("%H:%M:%S", time.localtime(self._now()))

    def _parts(self) -> list[Part]:
        parts: list[Part] = [("bold", "Lampione")]
        status = self.status
        if self.link is not None:
            parts.append(("red", f"○ {self.link}"))
        elif status and not status["broker"]["connected"]:
            parts.append(("red", "○ no broker"))
        else:
            parts.append(("green", "● connected"))
        counts = self.fleet.counts()
        shown = f"{len(self.fleet)} of " if self.fleet.words else ""
        parts.append(("", f"{shown}{self.fleet.total} nodes"))
        for state, (glyph, colour) in STATES.items():
            if counts.get(state):
                parts.append((colour, f"{glyph} {counts[state]} {state}"))
        if status:
            counters = status["counters"]
            parts.append(("", f"{counters['rate']:.1f}/s"))
            missing, lost = counters["missing"], counters["lost"]
            parts.append(("yellow" if missing else "", f"missing {missing}"))
            parts.append(("yellow" if lost else "", f"lost {lost}"))
            refused = counters["refused"]
            parts.append(("yellow" if refused else "", f"refused {refused}"))
        return parts

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        node = event.node
        self._feed.focus(node)
        self.push_screen(
            NodeScreen(node, lambda: self.fleet.get(node), self._now),
            lambda _: self._feed.focus(None),
        )

    def action_keys(self) -> None:
        """Show the keys of the screen that is seen."""
        keys: dict[str, list[str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.description and not binding.system:
                keys.setdefault(binding.description, []).append(self.get_key_display(binding))
        rows = [(" ".join(k), what) for what, k in keys.items()]
        if self._state is not None:
            rows += [("", ""), ("elsewhere", f"export LAMPIONE_STATE={shlex.quote(self._state)}")]
        self.push_screen(KeysScreen(rows))
