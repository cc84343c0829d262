"""Rollouts in stages: the list, and each node of the one under the cursor, live."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Static

from lampione.desk import staged
from lampione.desk.text import age, clean
from lampione.desk.work import Answer
from lampione.tui.bars import Parts
from lampione.tui.dialogs import Ask, Confirm
from lampione.tui.rollout_plan import PlanView
from lampione.tui.table import Cell, Col, Row, Table
from lampione.tui.view import View

BAR = 12
LIMIT = 20
LIST_EVERY = 5  # seconds; the one under the cursor is asked for every second
_NOTHING = "no push in stages yet: n begins one"


def _state(row: Row, _: float) -> Cell:
    glyph, tone = staged.STATES[row["state"]]
    return tone, f"{glyph} {row['state']}"


def _phase(row: Row, _: float) -> Cell:
    glyph, tone = staged.PHASES[row["phase"]]
    return tone, f"{glyph} {row['phase']}"


def _bar(row: Row, _: float) -> Cell:
    whole: dict[str, int] = {}
    for wave in row["waves"]:
        for phase, number in wave.items():
            whole[phase] = whole.get(phase, 0) + number
    return "", staged.bar(whole, BAR)


ROLLOUTS = (
    Col("no", 4, lambda row, _: str(row["rollout"]), right=True),
    Col("of", 6, lambda row, _: row["kind"], least=100),
    Col("by", 10, lambda row, _: row["author"] or "–", least=120),
    Col("age", 4, lambda row, now: age(now - row["created"]), right=True),
    Col("state", 11, _state),
    Col("", BAR, _bar),
    Col("nodes that have it", 0, lambda row, _: staged.summary(row)),
)
NODES = (
    Col("node", 18, lambda row, _: row["node"]),
    Col("wave", 4, lambda row, _: str(row["wave"]), right=True),
    Col("phase", 11, _phase),
    Col("since", 5, lambda row, now: age(now - row["since"]), right=True),
    Col("", 0, lambda row, _: staged.node_text(row)),
)


class RolloutsView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "plan", "New"),
        Binding("p", "pause", "Pause/resume"),
        Binding("t", "do('retry')", "Retry"),
        Binding("a", "do('abort')", "Abort"),
        Binding("v", "do('revert')", "Take back"),
        Binding("slash", "filter", "Filter", show=False),
        Binding("tab", "other", "Other table", show=False),
        Binding("escape", "out", "Back", show=False),
    ]
    DEFAULT_CSS = """
    RolloutsView #rollouts { height: 6; }
    RolloutsView .line { background: $panel; }
    RolloutsView #nodes { height: 1fr; }
    RolloutsView #why { height: auto; max-height: 3; padding: 0 1; background: $panel; }
    """
    AUTO_FOCUS = "#rollouts"

    def __init__(self) -> None:
        super().__init__()
        self._wanted: int | None = None
        self._number: int | None = None
        self._whole: Any = None
        self._members: dict[str, Any] = {}
        self._asked: set[str] = set()
        self._rows: list[Any] = []
        self._seconds = 0
        self._words: tuple[str, ...] = ()

    def argument(self, text: str) -> None:
        """Go to this rollout."""
        if not text.isdecimal():
            raise ValueError(f"{text!r} is no rollout's number")
        self._wanted = int(text)

    def here(self) -> str | None:
        """Return the node under the cursor."""
        row = self.table.row if self.table.has_focus else None
        return None if row is None else str(row["node"])

    def body(self) -> Iterable[Any]:
        """The list, three lines on the one under the cursor, its nodes."""
        self.rollouts = Table(
            ROLLOUTS, lambda row: row["rollout"], self.desk.now, empty="asking", id="rollouts"
        )
        self.table = Table(NODES, lambda row: row["node"], self.desk.now, empty="", id="nodes")
        self._state = Parts(classes="line")
        self._waves = Parts(classes="line")
        self._rules = Parts(classes="line")
        yield self.rollouts
        yield self._state
        yield self._waves
        yield self._rules
        yield self.table
        self._why = Static("", id="why", markup=False)
        yield self._why

    def renew(self, changed: frozenset[str]) -> None:
        """Ask anew once a second; what is on the way is not asked for twice."""
        if not self.rollouts.is_mounted or "clock" not in changed:
            return
        if "status" in changed or self._seconds % LIST_EVERY == 0:
            self._ask("rollouts", self._listed, limit=LIMIT)
        self._seconds += 1
        self._ask_whole()
        self._show_head()
        self.rollouts.refresh()
        self.table.refresh()

    def _ask(self, op: str, done: Any, **parameters: Any) -> None:
        if op in self._asked:
            return
        self._asked.add(op)

        def answered(answer: Answer) -> None:
            self._asked.discard(op)
            done(answer)

        self.desk.ask(op, answered, **parameters)

    def _ask_whole(self) -> None:
        if self._number is None:
            return
        since = 0 if self._whole is None else self._whole["revision"]
        self._ask("rollout", self._taken, rollout=self._number, since=since)

    def _listed(self, answer: Answer) -> None:
        if answer.error is not None:
            self.rollouts.show((), empty=answer.error)
            return
        self.rollouts.styles.height = max(3, min(len(answer.result) + 1, self.size.height // 3))
        self._rows = answer.result
        self.rollouts.show(self._rows, empty=_NOTHING)
        if self._wanted is not None:
            if not self.rollouts.go(self._wanted):
                self.say(f"there is no rollout {self._wanted} among the last {LIMIT}", "error")
            self._wanted = None
        row = self.rollouts.row
        self._choose(None if row is None else row["rollout"])

    def _choose(self, number: int | None) -> None:
        if number == self._number:
            return
        self._number, self._whole, self._members = number, None, {}
        self._show_nodes()
        self._ask_whole()

    def _taken(self, answer: Answer) -> None:
        if answer.error is not None:
            self.table.show((), empty=answer.error)
            return
        whole = answer.result
        if whole["rollout"] != self._number:
            self._ask_whole()
            return
        self._whole = whole
        self._rows = [whole if row["rollout"] == self._number else row for row in self._rows]
        self.rollouts.show(self._rows)
        staged.merge(self._members, whole)
        self._show_nodes()

    def _show_nodes(self) -> None:
        self._show_head()
        rows = staged.in_order(self._members, self._words)
        self.table.show(rows, empty="nothing fits" if self._members else "")
        self._explain()

    def _show_head(self) -> None:
        whole = self._whole
        if whole is None:
            self._state.parts = self._waves.parts = self._rules.parts = ()
            return
        _, tone = staged.STATES[whole["state"]]
        self._state.parts = (
            ("bold", f"rollout {whole['rollout']}"),
            (tone, staged.now_text(whole, self.desk.now())),
            *((("note", f"/ {' '.join(self._words)}"),) if self._words else ()),
        )
        room = max(6, (self.app.size.width - 4) // max(1, len(whole["waves"])) - 12)
        self._waves.parts = tuple(
            (
                "bold" if n == whole["wave"] and not whole["final"] else "",
                f"{n} [{staged.bar(wave, min(room, 24))}] "
                f"{sum(wave.get(p, 0) for p in staged.HAS_IT)}/{sum(wave.values())}",
            )
            for n, wave in enumerate(whole["waves"], 1)
        )
        self._rules.parts = (("dim", staged.rules_text(whole)),)

    @on(Table.Moved, "#rollouts")
    def _moved(self, event: Table.Moved) -> None:
        self._choose(None if event.row is None else event.row["rollout"])

    @on(Table.Moved, "#nodes")
    def _moved_node(self) -> None:
        self._explain()

    def _explain(self) -> None:
        """Say in full why a node is where it is: the column may be too narrow."""
        row = self.table.row
        told = "" if row is None else staged.node_text(row)
        self._why.update("" if row is None or not told else clean(f"{row['node']}: {told}"))

    @on(Table.Opened, "#rollouts")
    def _opened(self) -> None:
        self.table.focus()

    @on(Table.Opened, "#nodes")
    def _opened_node(self, event: Table.Opened) -> None:
        if self.desk.fleet.get(event.row["node"]) is None:
            self.say(f"{event.row['node']} has no key any more", "warning")
        else:
            self.lampione.go("node", event.row["node"])

    def action_other(self) -> None:
        """Go to the other table."""
        (self.table if self.rollouts.has_focus else self.rollouts).focus()

    def action_filter(self) -> None:
        """Ask which nodes to show."""

        def then(text: str) -> None:
            self._words = tuple(text.lower().split())
            self._show_nodes()
            self.table.focus()

        title = "show nodes with these words of name, phase or reason; nothing: all"
        self.ask_for(Ask(title, text=" ".join(self._words)), then)

    def action_out(self) -> None:
        """Show all nodes again; then to the list, and from there to the view before."""
        if self._words:
            self._words = ()
            self._show_nodes()
        elif self.table.has_focus:
            self.rollouts.focus()
        else:
            self.action_back()

    def action_plan(self) -> None:
        """Plan another."""
        if self.may_act():
            self.app.push_screen(PlanView(self._begun))

    def _begun(self, number: int) -> None:
        self._wanted = number
        self._ask("rollouts", self._listed, limit=LIMIT)

    def action_pause(self) -> None:
        """Pause it, or let it go on."""
        row = self.rollouts.row
        if row is not None:
            self.action_do("pause" if row["state"] in staged.DOES["pause"] else "resume")

    def action_do(self, do: str) -> None:
        """Have something done with the rollout under the cursor, after a question."""
        if not self.may_act():
            return
        whole = self._whole
        if whole is None:
            self.say(_NOTHING if self._number is None else "not known yet: ask again")
            return
        if whole["state"] not in staged.DOES[do]:
            self.say(f"rollout {self._number} is {whole['state']}: nothing to {do}", "warning")
            return
        number = whole["rollout"]

        def then() -> None:
            self.act(
                "rollout",
                f"telling rollout {number} to {do}",
                self._acted,
                rollout=number,
                do=do,
                since=0,
            )

        lines = staged.consequences(whole, do)
        if do == "pause":
            then()
        else:
            typed = staged.typed(whole, do)
            self.confirm(Confirm(f"{do} rollout {number}?", lines, typed), then)

    def _acted(self, answer: Answer) -> None:
        if answer.error is None:
            self._taken(answer)
            self._ask("rollouts", self._listed, limit=LIMIT)
