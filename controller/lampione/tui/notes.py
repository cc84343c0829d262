"""What one shift leaves to the next."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from lampione.desk.present import clock
from lampione.desk.text import clean
from lampione.desk.work import Answer
from lampione.tui.dialogs import Ask
from lampione.tui.table import Col, Table
from lampione.tui.view import View

LIMIT = 200
RENEW_S = 10.0
COLUMNS = (
    Col("when", 11, lambda note, _: clock(note["at"], "%m-%d %H:%M")),
    Col("who", 12, lambda note, _: ("bold", clean(note["operator"]))),
    Col("note", 0, lambda note, _: clean(" ".join(note["text"].split()))),
)


class NotesView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "add", "Add a note")]
    DEFAULT_CSS = """
    NotesView #note { height: auto; max-height: 50%; padding: 0 1; background: $panel; }
    """
    AUTO_FOCUS = "Table"

    def __init__(self) -> None:
        super().__init__()
        self._asked_at = 0.0

    def body(self) -> Iterable[Any]:
        """One line a note, and the whole one below."""
        self.table = Table(
            COLUMNS, lambda note: note["id"], self.desk.now, empty="nobody left a note: a adds one"
        )
        self._whole = Static("", markup=False)
        yield self.table
        with VerticalScroll(id="note", can_focus=False):
            yield self._whole

    def renew(self, changed: frozenset[str]) -> None:
        """Look again once in a while: others write notes, too."""
        now = self.desk.now()
        if "nodes" in changed or now - self._asked_at >= RENEW_S:
            self._asked_at = now
            self.desk.ask("notes", self._came, limit=LIMIT)

    def _came(self, answer: Answer) -> None:
        if answer.error is not None:
            self.say(f"notes: {answer.error}", "error")
        elif self.table.is_mounted:
            self.table.show(answer.result)
            self._show()

    def on_table_moved(self) -> None:
        """Another note."""
        self._show()

    def _show(self) -> None:
        note = self.table.row
        if note is None:
            self._whole.update("")
            return
        text = "\n".join(clean(line) for line in note["text"].splitlines())
        self._whole.update(
            f"{clock(note['at'], '%Y-%m-%d %H:%M:%S')}  {clean(note['operator'])}\n\n{text}\n\n"
            f"audit {note['seq']}: {note['head']}"
        )

    def action_add(self) -> None:
        """Ask for a note, and keep it."""
        if not self.may_act():
            return

        def check(text: str) -> None:
            if not text.strip():
                raise ValueError("there is no text")

        self.ask_for(
            Ask("what has the next shift to know?", check=check),
            lambda text: self.act("note", "note", self._added, text=text.strip()),
        )

    def _added(self, answer: Answer) -> None:
        if answer.error is None:
            self.desk.ask("notes", self._came, limit=LIMIT)
