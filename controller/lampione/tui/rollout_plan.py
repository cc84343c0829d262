"""A push in stages before it begins: which nodes, what changes, in which waves."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from lampione import durations
from lampione.desk import configs, plan
from lampione.desk.configs import StageOptions
from lampione.desk.plan import Line
from lampione.desk.present import STATES
from lampione.desk.text import age
from lampione.desk.work import Answer, Job
from lampione.tui.bars import Parts
from lampione.tui.dialogs import Ask, Confirm
from lampione.tui.table import Cell, Col, Row, Table
from lampione.tui.view import View

DEFAULT = StageOptions(canary=1, waves=("10%", "50%", "100%"), soak_s=600, stop_percent=5)


def _what(line: Row, _: float) -> Cell:
    if line.left_out is not None:
        return ("warn" if line.left_out == "locked" else "dim"), f"– {line.left_out}"
    return "note", f"▶ {line.compared.brief}"


def _state(line: Row, _: float) -> Cell:
    glyph, colour = STATES[line.state]
    return colour, f"{glyph} {line.state}"


NODES = (
    Col("node", 18, lambda line, _: line.node),
    Col("now", 9, _state),
    Col("runs", 14, lambda line, _: configs.runs(line.compared.state)),
    Col("what a push changes", 0, _what),
)
CHANGES = (
    Col("key", 28, lambda change, _: change.key),
    Col("restart", 7, lambda change, _: ("warn", "restart") if change.reboot else ""),
    Col("before → after", 0, lambda change, _: configs.change_text(change, known=True)),
)


class PlanView(View):
    """See the module. `begun` hears the number of the rollout that was begun."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "begin", "Begin"),
        Binding("w", "which", "Nodes"),
        Binding("c", "canary", "Canary"),
        Binding("v", "waves", "Waves"),
        Binding("o", "soak", "Soak"),
        Binding("x", "stop", "Stop"),
        Binding("t", "trial", "Trial"),
        Binding("tab", "other", "Other table", show=False),
        Binding("f5", "compare", "Compare anew", show=False),
        Binding("escape", "out", "Back", show=False),
    ]
    DEFAULT_CSS = """
    PlanView .line { background: $panel; }
    PlanView #changes { height: 40%; }
    """
    AUTO_FOCUS = "#plan"

    def __init__(self, begun: Callable[[int], None] = lambda _: None) -> None:
        super().__init__()
        self._begun = begun
        self._options = DEFAULT
        self._which = -1
        self._job: Job | None = None
        self._compared: list[configs.Compared] = []
        self._plan: list[Line] = []
        self._wrong: str | None = None
        self._done = 0
        self._beginning = False

    def here(self) -> str | None:
        """Return the node under the cursor."""
        return None if self.table.row is None else str(self.table.row.node)

    def body(self) -> Iterable[Any]:
        """Which nodes, the rules, the nodes, what changes at the one under the cursor."""
        self._title = Parts(classes="line")
        self._rules = Parts(classes="line")
        self.table = Table(NODES, lambda line: line.node, self.desk.now, empty="", id="plan")
        self.changes = Table(CHANGES, lambda c: c.key, self.desk.now, empty="", id="changes")
        yield self._title
        yield self._rules
        yield self.table
        yield self.changes

    def choices(self) -> list[tuple[str, list[str]]]:
        """Return the ways to choose nodes that there are, the narrowest first."""
        fleet = self.desk.fleet
        found = []
        marked = sorted(node for node in fleet.marks if fleet.get(node) is not None)
        if marked:
            found.append((f"{len(marked)} marked", marked))
        if len(fleet) != fleet.total:
            found.append((f"{len(fleet)} shown: {fleet.words or 'filtered'}", fleet.shown()))
        everything = sorted(set(fleet.names("", fleet.total)))
        found.append((f"all {fleet.total}", everything))
        return found

    def renew(self, changed: frozenset[str]) -> None:
        """Judge the nodes anew: who is online or locked changes."""
        if not self.table.is_mounted:
            return
        if self._which < 0:
            self.action_which()
        elif changed & {"clock", "tags"} and self._compared:
            self._judge()
        if changed & {"clock", "tags"}:
            self._head()

    def action_which(self) -> None:
        """Take the next way to choose nodes."""
        self._which = (self._which + 1) % len(self.choices())
        self.action_compare()

    def action_compare(self) -> None:
        """Compare what the nodes run with what the fleet's file wants, in a thread."""
        if self._job is not None:
            self._job.cancel()
        choices = self.choices()
        self._which %= len(choices)
        nodes = [node for node in choices[self._which][1] if not self._planned(node)]
        self._compared, self._plan, self._wrong, self._done = [], [], None, 0
        self.table.show((), empty="comparing with the fleet's file")
        self.changes.show(())
        desk = self.desk
        job: list[Job] = []

        def work(mine: Job) -> list[configs.Compared]:
            return plan.compare(desk.call, desk.state, nodes, mine.tell)

        def done(answer: Answer) -> None:
            if not job or job[0] is self._job:
                self._answered(answer)

        self._job = desk.run(work, done, self._reached)
        job.append(self._job)

    def _planned(self, node: str) -> bool:
        place = self.desk.sites.get(node)
        return bool(place and place["planned"])

    def _reached(self, count: int) -> None:
        self._done = count
        self._head()

    def _answered(self, answer: Answer) -> None:
        self._job = None
        if answer.kind == "cancelled":
            return
        if answer.error is not None:
            self._wrong = answer.error
            self.table.show((), empty=answer.error)
        else:
            self._compared = answer.result
            self._judge()
        self._head()

    def _judge(self) -> None:
        rows = self.desk.fleet

        def state(node: str) -> str:
            row = rows.get(node)
            return "never" if row is None else str(row["state"])

        self._plan = sorted(
            plan.lines(self._compared, self.desk.tags, state),
            key=lambda line: (line.left_out is not None, line.node),
        )
        self.table.show(self._plan, empty="no nodes")
        self._show_changes()

    def _show_changes(self) -> None:
        line = self.table.row
        if line is None:
            self.changes.show(())
        elif not line.compared.known:
            self.changes.show((), empty="what it runs is not known here: all of it is new")
        else:
            self.changes.show(line.compared.changes, empty="nothing changes")

    def _head(self) -> None:
        choices = self.choices()
        which = choices[self._which % len(choices)][0]
        given = plan.chosen(self._plan)
        words: tuple[str, str]
        if self._wrong is not None:
            words = ("bad", "no plan")
        elif self._job is not None:
            words = ("dim", f"{self._done} compared")
        else:
            restarts = sum(one.reboot for one in given)
            words = ("", f"{len(given)} of {len(self._plan)} change, {restarts} restart")
        self._title.parts = (("bold", "new rollout of configs"), ("note", which), words)
        o = self._options
        canary = ",".join(o.canaries) or str(o.canary)
        parts = [
            ("", f"canary {canary}"),
            ("", f"waves {','.join(o.waves) or 'all'}"),
            ("", f"soak {age(o.soak_s)}"),
            ("", f"stop above {o.stop_percent:g}%"),
            ("", f"trial {age(o.trial_s)}"),
        ]
        self._rules.parts = tuple(parts)

    @on(Table.Moved, "#plan")
    def _moved(self) -> None:
        self._show_changes()

    @on(Table.Opened, "#plan")
    def _opened(self) -> None:
        self.changes.focus()

    def action_other(self) -> None:
        """Go to the other table."""
        (self.changes if self.table.has_focus else self.table).focus()

    def action_out(self) -> None:
        """From the changes to the nodes, from the nodes back."""
        if self.changes.has_focus:
            self.table.focus()
            return
        if self._job is not None:
            self._job.cancel()
        self.action_back()

    def _set(self, title: str, text: str, read: Callable[[str], dict[str, Any]]) -> None:
        def then(answer: str) -> None:
            self._options = self._options._replace(**read(answer.strip()))
            self._head()

        self.ask_for(Ask(title, text=text, check=lambda t: read(t.strip())), then)

    def action_canary(self) -> None:
        """Ask who is first."""

        def read(text: str) -> dict[str, Any]:
            if text.isdecimal() and text.isascii():
                return {"canary": int(text), "canaries": ()}
            names = tuple(name for name in text.replace(",", " ").split() if name)
            known = {one.node for one in plan.chosen(self._plan)}
            for name in names:
                if name not in known:
                    raise ValueError(f"{name} is not among the nodes that change")
            return {"canary": 0, "canaries": names}

        o = self._options
        self._set(
            "canary: how many nodes, or their names", ",".join(o.canaries) or str(o.canary), read
        )

    def action_waves(self) -> None:
        """Ask for the waves."""

        def read(text: str) -> dict[str, Any]:
            waves = tuple(text.replace(",", " ").split())
            plan.check_waves(waves)
            return {"waves": waves}

        self._set(
            "waves: 25 nodes, or 10% until a tenth of all had its turn",
            ",".join(self._options.waves),
            read,
        )

    def action_soak(self) -> None:
        """Ask how long to wait between waves."""
        self._set(
            "soak behind each wave, as 10m or 1h",
            durations.text(self._options.soak_s),
            lambda text: {"soak_s": durations.duration_s(text)},
        )

    def action_stop(self) -> None:
        """Ask when to stop."""

        def read(text: str) -> dict[str, Any]:
            digits = text.removesuffix("%").strip()
            if not (digits.isascii() and digits.isdecimal() and int(digits) <= 100):
                raise ValueError("write 0 to 100, in percent")
            return {"stop_percent": float(digits)}

        self._set(
            "stop when more of a wave than this failed, in percent",
            f"{self._options.stop_percent:g}",
            read,
        )

    def action_trial(self) -> None:
        """Ask how long a node tries its config."""
        low, high = configs.TRIAL_S

        def read(text: str) -> dict[str, Any]:
            seconds = durations.duration_s(text)
            if not low <= seconds <= high:
                raise ValueError(f"from {low}s to {high}s are possible")
            return {"trial_s": seconds}

        self._set(
            "trial: a node goes back by itself unless it is confirmed within",
            durations.text(self._options.trial_s),
            read,
        )

    def action_begin(self) -> None:
        """Begin it, after a question that says what it will do."""
        if not self.may_act() or self._beginning:
            return
        given = plan.chosen(self._plan)
        if self._wrong is not None or self._job is not None or not given:
            self.say(
                self._wrong or ("wait: comparing" if self._job else "nothing changes"), "warning"
            )
            return
        options, desk = self._options, self.desk
        blobs = configs.blobs_of(given)
        missing = [name for name in options.canaries if name not in blobs]
        if missing:
            self.say(f"{missing[0]} is to be a canary and does not change", "warning")
            return

        def done(answer: Answer) -> None:
            self._beginning = False
            if answer.error is not None:
                self.say(f"not begun: {answer.error}", "error")
                return
            self._begun(answer.result["rollout"])
            self.action_back()

        def then() -> None:
            self._beginning = True
            desk.run(lambda _: configs.begin(desk.call, blobs, options), done)

        words, typed = plan.in_words(self._plan, options), plan.typed(self._plan)
        self.confirm(Confirm("begin this rollout?", words, typed), then)
