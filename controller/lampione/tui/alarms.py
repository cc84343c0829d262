"""What is broken: faults first, with the key that mends it."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from lampione.desk import alarm_words as words
from lampione.desk.text import clean
from lampione.desk.work import Answer
from lampione.durations import duration_s
from lampione.tui.dialogs import Ask, KeysScreen
from lampione.tui.table import Col, Table
from lampione.tui.view import View

LIMIT = 1000
COLUMNS = (
    Col("severity", 10, lambda alarm, _: words.severity(alarm)),
    Col("state", 7, words.state),
    Col("since", 5, words.since, right=True),
    Col("which", 20, lambda alarm, _: ("bold", words.which(alarm))),
    Col("what", 0, lambda alarm, _: words.what(alarm)),
    Col("who", 10, lambda alarm, _: words.who(alarm), least=100),
    Col("note", 30, lambda alarm, _: clean(alarm["note"] or ""), least=140),
)


class AlarmsView(View):
    """Those that stand, as they come and go; `h`: history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("u", "unacknowledge", "Take that back", show=False),
        Binding("A", "assign", "Assign"),
        Binding("n", "note", "Note"),
        Binding("z", "shelve", "Shelve"),
        Binding("f", "faults", "Faults"),
        Binding("h", "history", "History"),
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "All", show=False),
    ]
    DEFAULT_CSS = """
    AlarmsView Input { display: none; height: 1; border: none; padding: 0 1; }
    AlarmsView.-filtering Input { display: block; }
    AlarmsView #above { height: 1; padding: 0 1; color: $text-muted; }
    AlarmsView #one { height: auto; max-height: 8; padding: 0 1; background: $panel; }
    """
    AUTO_FOCUS = "Table"

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._faults = False
        self._history: list[Any] | None = None
        self._node: str | None = None

    def body(self) -> Iterable[Any]:
        """What is shown, one line an alarm, and why."""
        self.table = Table(COLUMNS, lambda alarm: alarm["id"], self.desk.now, empty="no alarms")
        self._above = Static("", id="above", markup=False)
        self._one = Static("", id="one", markup=False)
        self._line = Input(placeholder="words, !word for those without it", compact=True)
        yield self._above
        yield self.table
        yield self._line
        yield self._one

    def argument(self, text: str) -> None:
        """Take words to filter by: `:alarms bligny-1`."""
        self._filter = text.strip()

    def here(self) -> str | None:
        """Return the node of the alarm under the cursor."""
        row = self.table.row
        return None if row is None else row["node"]

    def renew(self, changed: frozenset[str]) -> None:
        """Show what came or went."""
        if changed & {"alarms", "clock", "link"}:
            self._show()

    def _show(self) -> None:
        if not self.table.is_mounted:
            return
        now = self.desk.now()
        standing = list(self.desk.alarms.values())
        found = words.ordered(standing if self._history is None else self._history, now)
        if self._history is not None:
            found.sort(key=lambda alarm: -alarm["changed"])
        if self._faults:
            found = [alarm for alarm in found if words.is_fault(alarm)]
        if self._filter:
            found = [alarm for alarm in found if words.matches(alarm, self._filter)]
        kinds = [
            "history" if self._history is not None else "standing",
            *(["faults only"] if self._faults else []),
            *([f"filter: {self._filter}"] if self._filter else []),
        ]
        narrowed = self._faults or self._filter
        self._above.update(f"{len(found)} alarms, {', '.join(kinds)}")
        self.table.show(found, empty="none of these: escape shows all" if narrowed else "no alarms")
        self._explain()

    def on_table_moved(self) -> None:
        """Another alarm."""
        self._explain()

    def _explain(self) -> None:
        row = self.table.row
        if row is None:
            self._one.update("")
            return
        self._one.update("\n".join(words.why(row, self.desk.now())))

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        alarm = event.row
        if alarm["node"]:
            self.lampione.go("node", alarm["node"])
        elif alarm["members"]:
            tone = "is silent" if alarm["active"] else "was silent"
            rows = [(name, tone) for name in map(clean, alarm["members"])]
            self.app.push_screen(KeysScreen(rows))
        else:
            self.say(alarm["mend"] or alarm["what"])

    def _each(self, do: str, what: str, **asked: Any) -> None:
        """Do it to the marked alarms, or to the one under the cursor."""
        rows = self.table.chosen
        if not rows or not self.may_act():
            return
        failed: list[str] = []
        left = [len(rows)]

        def answered(answer: Answer) -> None:
            left[0] -= 1
            if answer.error is not None:
                failed.append(answer.error)
            if left[0]:
                return
            self.table.marks.clear()
            if failed:
                self.say(f"{what}: {len(failed)} of {len(rows)} failed: {failed[0]}", "error")
            else:
                self.say(f"{what}: {len(rows)} alarms" if len(rows) > 1 else f"{what}: done")
            if self._history is not None:
                self._look()

        for row in rows:
            self.desk.ask("alarm", answered, alarm=row["id"], do=do, **asked)

    def action_acknowledge(self) -> None:
        """Somebody has seen them."""
        self._each("ack", "acknowledge")

    def action_unacknowledge(self) -> None:
        """Take that back."""
        self._each("unack", "not acknowledged")

    def _asked(self, question: Ask, do: str, what: str) -> None:
        if self.table.chosen and self.may_act():
            self.ask_for(question, lambda text: self._each(do, what, text=text.strip()))

    def action_assign(self) -> None:
        """Ask who takes them on."""
        known = self.desk.who or {}
        me = str(known.get("operator") or "")
        self._asked(Ask("who takes it on? nothing: nobody", text=me), "assign", "assign")

    def action_note(self) -> None:
        """Ask for a note."""
        row = self.table.row
        before = "" if row is None else str(row["note"] or "")
        self._asked(Ask("note", text=before), "note", "note")

    def action_shelve(self) -> None:
        """Ask for how long they are put aside."""
        if not self.table.chosen or not self.may_act():
            return

        self.ask_for(
            Ask(
                "put aside for how long? 30m, 8h, 2d; 0s: not any more", text="8h", check=duration_s
            ),
            lambda text: self._each("shelve", "shelve", for_s=duration_s(text)),
        )

    def action_faults(self) -> None:
        """Only what is to be mended, or everything."""
        self._faults = not self._faults
        self._show()

    def action_history(self) -> None:
        """What was, or what stands."""
        if self._history is not None:
            self._history = None
            self._show()
        else:
            self._look()

    def _look(self) -> None:
        self.desk.ask("alarms", self._came, which="all", limit=LIMIT)

    def _came(self, answer: Answer) -> None:
        if answer.error is not None:
            self.say(f"history: {answer.error}", "error")
        else:
            self._history = answer.result
            self._show()

    def action_filter(self) -> None:
        """Begin to write a filter."""
        self.add_class("-filtering")
        self._line.value = self._filter
        self._line.focus()

    @on(Input.Submitted)
    def _filtered(self, event: Input.Submitted) -> None:
        self._filter = event.value.strip()
        self.remove_class("-filtering")
        self.table.focus()
        self._show()

    def action_clear(self) -> None:
        """Show all again; with nothing to take back, go back."""
        if self.has_class("-filtering"):
            self.remove_class("-filtering")
            self.table.focus()
        elif self._filter or self._faults or self._history is not None:
            self._filter, self._faults, self._history = "", False, None
            self._show()
        else:
            self.action_back()
