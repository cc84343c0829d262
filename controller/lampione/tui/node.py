"""One node: values, plots, sensors, light, events, link, commands."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from lampione.desk import node_sheet, series, tonight
from lampione.desk.node_sheet import Section
from lampione.desk.present import STATES, Row, when, with_unit
from lampione.desk.present import clock as time_of_day
from lampione.desk.series import MEASURES, SPANS, Series, Window
from lampione.desk.text import clean
from lampione.desk.work import Answer
from lampione.tui.bars import Parts, Title
from lampione.tui.node_sheet import Sheet
from lampione.tui.plot import Plot
from lampione.tui.view import View

PANES = ("values", "plots", "sensors", "light", "events", "link", "commands")
_WIDTHS = {"values": 56, "light": 64, "events": 72, "link": 56}  # of a column
_WIDE = 1000
_NEARER = 0.5
_EVENTS, _LOG, _COMMANDS = 200, 200, 50
_LOG_S = 7 * 86400.0


class NodeView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,right_square_bracket", "pane(1)", "Next", key_display="tab"),
        Binding("shift+tab,left_square_bracket", "pane(-1)", "Pane before", show=False),
        Binding("o", "order", "Order"),
        Binding("n", "next(1)", "Next node", show=False),
        Binding("N", "next(-1)", "Node before", show=False),
        Binding("m", "map", "On the map", show=False),
        Binding("h", "span('hour')", "Hour"),
        Binding("d", "span('day')", "Day"),
        Binding("w", "span('week')", "Week"),
        Binding("p", "measure(1)", "Measure"),
        Binding("P", "measure(-1)", "Measure before", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Zoom", key_display="+ -"),
        Binding("minus", "zoom(-1)", "Farther", show=False),
        Binding("left", "pan(-1)", "Earlier", show=False),
        Binding("right", "pan(1)", "Later", show=False),
        Binding("0", "now", "Until now", show=False),
    ]
    DEFAULT_CSS = """
    NodeView #name { background: $panel; padding: 0 1; }
    NodeView #plot-head { padding: 0 1; display: none; }
    NodeView.-plots Sheet { display: none; }
    NodeView.-plots Plot { display: block; height: 1fr; }
    NodeView.-plots #plot-head { display: block; }
    """
    AUTO_FOCUS = "Sheet"

    def __init__(self) -> None:
        super().__init__()
        self.node: str | None = None
        self.pane = PANES[0]
        self.measure = MEASURES[0]
        self._span: str | None = "hour"  # ends now; None: `_window` as it was chosen
        self._window = Window(0.0, 3600.0)
        self._forget()

    def _forget(self) -> None:
        self._told: dict[str, Any] = {}
        self._questions: dict[str, object] = {}  # the last of each name
        self._asked_at: dict[str, float] = {}
        self._series: Series | None = None

    def argument(self, text: str) -> None:
        """Show this node; a pane's name may follow."""
        node, _, pane = text.partition(" ")
        if self.desk.fleet.get(node) is None:
            raise ValueError(f"there is no node {node!r}")
        if pane and pane not in PANES:
            raise ValueError(f"of a node there is {', '.join(PANES)}")
        self.node = node
        self.pane = pane or self.pane
        self._forget()

    def come_from(self, node: str | None) -> None:
        """Begin with the node under the cursor, where none was chosen."""
        if self.node is None and node is not None and self.desk.fleet.get(node) is not None:
            self.node = node

    def here(self) -> str | None:
        """Return the node that keys are about."""
        return self.node

    def body(self) -> Iterable[Any]:
        """The name, the panes' names, what the pane shows."""
        self._title = Title(id="name")
        self._panes = Parts(id="panes")
        self._plot_head = Title(id="plot-head")
        self._sheet = Sheet()
        self._plot = Plot()
        yield self._title
        yield self._panes
        yield self._plot_head
        yield self._sheet
        yield self._plot

    def on_resize(self) -> None:
        """Lay out anew."""
        self.call_after_refresh(self.show_all)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Keys of plots are for plots."""
        return action not in ("span", "measure", "zoom", "pan", "now") or self.pane == "plots"

    def renew(self, changed: frozenset[str]) -> None:  # noqa: ARG002
        """Show the newest values; ask for what the pane needs when it is due."""
        row = None if self.node is None else self.desk.fleet.get(self.node)
        if not self._sheet.is_mounted:
            return
        self._panes.parts = tuple(
            ("bold", f"[{name}]") if name == self.pane else ("dim", name) for name in PANES
        )
        self.set_class(self.pane == "plots", "-plots")
        if row is None:
            self._title.text = "no node is chosen: type :node NAME, or enter on one in fleet or map"
            self._sheet.show([], _WIDE)
            return
        self._title.text = self._headline(row)
        self._ask(row)
        if self.pane == "plots":
            self._show_plot()
        else:
            sections = self._sections(row, self.desk.now())
            self._sheet.show(sections, _WIDTHS.get(self.pane, _WIDE))

    def _headline(self, row: Row) -> str:
        text = f"{row['node']}  {row['site']}  {STATES[row['state']][0]} {row['state']}"
        tag = self.desk.tags.get(row["node"])
        if tag is not None:
            text += f"  ▣ LOCKED by {tag.get('operator', '?')}"
        seen = row["last_seen"]
        heard = "never heard" if seen is None else f"last heard {when(seen, self.desk.now())}"
        return clean(f"{text}  {heard}")

    def _sections(self, row: Row, now: float) -> list[Section]:
        told = self._told
        events = told.get("events")
        if self.pane == "sensors":
            return node_sheet.sensors(row, events if isinstance(events, list) else [], now)
        if self.pane == "light":
            tag = self.desk.tags.get(row["node"])
            return node_sheet.light(row, told.get("tonight"), tag, now)
        if self.pane == "events":
            return node_sheet.events(events, told.get("log"))
        if self.pane == "link":
            detail = told.get("show")
            return node_sheet.link(row, detail if isinstance(detail, dict) else {}, now)
        if self.pane == "commands":
            return node_sheet.commands(told.get("commands"), now)
        return node_sheet.values(row, now)

    def _ask(self, row: Row) -> None:
        """Ask for what the pane shows, unless it was asked not long ago."""
        node, now = row["node"], self.desk.now()
        if self.pane == "plots":
            self._ask_series(node, now)
        if self.pane in ("sensors", "events"):
            self._want("events", 5, "events", node=node, limit=_EVENTS)
        if self.pane == "events":
            self._want(
                "log", 5, "history", self._take_log, node=node, message="log",
                since=now - _LOG_S, limit=_LOG,
            )  # fmt: skip
        if self.pane == "light":
            self._want("config", 60, "configs", self._find_tonight, nodes=[node], blobs=True)
        if self.pane == "link":
            self._want("show", 1, "show", node=node)
        if self.pane == "commands":
            self._want("commands", 1, "commands", node=node, limit=_COMMANDS)

    def _want(
        self,
        name: str,
        every_s: float,
        op: str,
        take: Callable[[Answer], None] | None = None,
        **parameters: Any,
    ) -> None:
        now = self.desk.now()
        asked = self._asked_at.get(name)
        if asked is not None and now - asked < every_s:
            return
        self._asked_at[name] = float("inf")  # until it is answered
        told, question = self._told, object()
        self._questions[name] = question

        def answered(answer: Answer) -> None:
            if self._questions.get(name) is not question:
                return  # of another node or window
            self._asked_at[name] = self.desk.now()
            if take is not None:
                take(answer)
            elif answer.error is None:
                told[name] = answer.result
            else:
                told.setdefault(name, answer.error)
            if self.is_current:
                self.renew(frozenset(("told",)))

        self.desk.ask(op, answered, **parameters)

    def _take_log(self, answer: Answer) -> None:
        if answer.error is not None:
            self._told.setdefault("log", answer.error)
            return
        fields = answer.result["fields"]
        rows = [dict(zip(fields, row, strict=True)) for row in answer.result["rows"]]
        self._told["log"] = rows[::-1]

    def _find_tonight(self, answer: Answer) -> None:
        node, told, now, state = self.node, self._told, self.desk.now(), self.desk.state
        row = None if node is None else self.desk.fleet.get(node)
        if node is None or row is None:
            return
        config = answer.result[0] if answer.error is None and answer.result else None
        burn_h = row["health"].get("burn_hours")

        def found(answer: Answer) -> None:
            told["tonight"] = answer.error if answer.error is not None else answer.result
            if told is self._told and self.is_current:
                self.renew(frozenset(("told",)))

        self.desk.run(lambda _: tonight.find(config, state, node, now, burn_h), found)

    # Plots

    def _ask_series(self, node: str, now: float) -> None:
        if self._span is not None:
            self._window = Window(now - SPANS[self._span], now)
        op, parameters = series.question(node, self.measure, self._window)
        following = self._span is not None
        every_s = 5.0 if following and op == "history" else 60.0 if following else float("inf")
        window, measure = self._window, self.measure

        def take(answer: Answer) -> None:
            if measure != self.measure:
                return
            if answer.error is not None:
                self._told["series"] = answer.error
                self._series = None
            else:
                self._told.pop("series", None)
                self._series = series.read(answer.result, measure)
                self._plot.draw(self._series, window)

        self._want("series", every_s, op, take, **parameters)

    def _show_plot(self) -> None:
        error = self._told.get("series")
        head = f"{self.measure}"
        if error is not None:
            head += f": cannot be shown: {error}"
        elif self._series is None:
            head += ": asked for"
        elif not self._series.points:
            head += ": nothing is known of this time"
        else:
            last = self._series.points[-1][1]
            told = with_unit(series.message_of(self.measure), self.measure, last)
            head += f", {self._series.each}, last {told}"
        since, until = (time_of_day(at, "%a %d %b %H:%M") for at in self._window)
        self._plot_head.text = clean(f"{head}   {since} to {until}")
        if error is not None or (self._series is not None and not self._series.points):
            self._plot.draw(Series([], 1.0, "", ""), self._window)

    def _replot(self, *, keep: bool = False) -> None:
        """Ask anew; what was told of before stays until then, unless it is of something else."""
        if not keep:
            self._series = None
        for of_before in (self._told, self._questions, self._asked_at):
            of_before.pop("series", None)
        self.show_all()

    def action_span(self, name: str) -> None:
        """Show the last hour, day or week."""
        self._span = name
        self._replot()

    def action_measure(self, by: int) -> None:
        """Show the next measure that the node has any value of."""
        row = self.desk.fleet.get(self.node or "")
        known = [
            name
            for name in MEASURES
            if row is not None and row[series.message_of(name)].get(name) is not None
        ] or list(MEASURES)
        now = known.index(self.measure) if self.measure in known else -by
        self.measure = known[(now + by) % len(known)]
        self._replot()

    def action_zoom(self, by: int) -> None:
        """Show half the time, or twice."""
        self._window = self._window.zoomed(_NEARER**by, self.desk.now())
        self._span = None
        self._replot(keep=True)

    def action_pan(self, by: int) -> None:
        """Show what was earlier, or later."""
        self._window = self._window.moved(by / 2, self.desk.now())
        self._span = None
        self._replot(keep=True)

    def action_now(self) -> None:
        """Follow what comes again."""
        self._span = "hour"
        self._replot()

    # Ways

    def action_pane(self, by: int) -> None:
        """Show the next pane."""
        self._go_to(PANES[(PANES.index(self.pane) + by) % len(PANES)])

    def _go_to(self, pane: str) -> None:
        self.pane = pane
        self._sheet.scroll_to(y=0, animate=False)
        self.refresh_bindings()
        self.show_all()

    def action_next(self, by: int) -> None:
        """Show the next node, in the fleet's order."""
        fleet = self.desk.fleet
        if self.node is None or not len(fleet):
            return
        n = fleet.index(self.node)
        self.argument(fleet.at(0 if n is None else (n + by) % len(fleet))["node"])
        self.show_all()

    def action_map(self) -> None:
        """Show where it stands."""
        if self.node is not None:
            try:
                self.lampione.go("map", self.node)
            except ValueError as error:
                self.say(str(error), "warning")

    def action_order(self) -> None:
        """Ask for a command to give it."""
        if self.node is not None:
            self.lampione.order([self.node], self._ordered)

    def _ordered(self, _: object) -> None:
        """Show what becomes of an order."""
        self._asked_at.pop("commands", None)
        self._go_to("commands")
