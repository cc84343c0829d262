"""Who did what to which lamp, when, and what came of it."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from lampione.desk import audit_file
from lampione.desk.audit_words import (
    Outcome,
    facts,
    matches,
    outcomes,
    sentence,
    what_was_done,
)
from lampione.desk.present import when
from lampione.desk.text import clean
from lampione.desk.work import Answer, Job
from lampione.tui.dialogs import Ask, KeysScreen
from lampione.tui.table import Col, Table
from lampione.tui.view import View

PAGE = 200
RENEW_S = 2.0  # between two looks for what is new
COLUMNS = (
    Col("when", 11, lambda entry, now: when(entry["at"], now)),
    Col("who", 8, lambda entry, _: ("bold", clean(entry["operator"]))),
    Col("what", 19, lambda entry, _: what_was_done(entry)),
    Col("which", 14, lambda entry, _: clean(entry["node"] or "")),
)
_NONE = Outcome("", "")


class AuditView(View):
    """Entries, newest first; what lies further back comes when the cursor is at the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("escape", "clear", "All", show=False),
        Binding("v", "verify", "Verify"),
        Binding("e", "export", "Export"),
    ]
    DEFAULT_CSS = """
    AuditView Input { display: none; height: 1; border: none; padding: 0 1; }
    AuditView.-filtering Input { display: block; }
    AuditView #one { height: 2; padding: 0 1; background: $panel; }
    """
    AUTO_FOCUS = "Table"

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Any] = []
        self._outcomes: dict[int, Outcome] = {}
        self._whole = False  # nothing lies further back
        self._busy = False
        self._asked_at = 0.0
        self._node: str | None = None
        self._words = ""

    def body(self) -> Iterable[Any]:
        """Entries, and the line for words."""
        outcome = Col("outcome", 0, lambda entry, _: self._outcome(entry))
        self.table = Table(
            (*COLUMNS, outcome),
            lambda entry: entry["seq"],
            self.desk.now,
            empty="nothing was done yet",
        )
        self._one = Static("", markup=False, id="one")
        self._input = Input(placeholder="words: who, what, which lamp, outcome", compact=True)
        yield self.table
        yield self._one
        yield self._input

    def argument(self, text: str) -> None:
        """Show what was done to one node."""
        if self.desk.fleet.get(text) is None:
            raise ValueError(f"there is no node {text!r}")
        self._of(text)

    def _of(self, node: str | None) -> None:
        self._node, self._entries, self._whole, self._asked_at = node, [], False, 0.0

    def renew(self, changed: frozenset[str]) -> None:
        """Look for what is new, once in a while."""
        if self.desk.now() - self._asked_at >= RENEW_S or "who" in changed:
            self._ask()
        elif "clock" in changed:
            self.table.refresh()

    def _ask(self, **further: Any) -> None:
        """Ask for the newest, or for what lies further back."""
        if self._busy:
            return
        self._busy, self._asked_at = True, self.desk.now()
        node = self._node

        def came(answer: Answer) -> None:
            self._busy = False
            if answer.error is not None:
                self.say(f"audit: {answer.error}", "error")
            elif node == self._node:
                self._take(answer.result, newest=not further)
            else:
                self._ask()

        self.desk.ask("audit", came, node=node, limit=PAGE, **further)

    def _take(self, found: list[Any], *, newest: bool) -> None:
        known = {entry["seq"]: entry for entry in self._entries}
        full = len(found) == PAGE
        if newest and known and full and found[-1]["seq"] > max(known):
            known = {}  # more came than a page holds: what lies between is asked for again
        if not full or not known:
            self._whole = not full
        known |= {entry["seq"]: entry for entry in found}
        self._entries = [known[seq] for seq in sorted(known, reverse=True)]
        self._outcomes = outcomes(self._entries)
        self._show()

    def _outcome(self, entry: Any) -> Outcome:
        return self._outcomes.get(entry["seq"], _NONE)

    def _show(self) -> None:
        if not self.table.is_mounted:
            return
        words = self._words.casefold().split()
        rows = [e for e in self._entries if matches(e, self._outcome(e).text, words)]
        empty = "nothing like that was done" if words or self._node else "nothing was done yet"
        self.table.show(rows, empty=empty)
        self._tell()
        if not rows:
            self._more()

    @on(Table.Moved)
    def _moved(self) -> None:
        self._tell()
        if self.table.at_end:
            self._more()

    def _tell(self) -> None:
        """Say below what the columns have no room for."""
        entry = self.table.row
        self._one.update("" if entry is None else sentence(entry, self._outcome(entry).text))

    def _more(self) -> None:
        if self._entries and not self._whole:
            self._ask(before=self._entries[-1]["seq"])

    def here(self) -> str | None:
        """Return the node that the entry under the cursor is of."""
        return None if self.table.row is None else self.table.row["node"]

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(KeysScreen(facts(event.row, self._outcome(event.row).text)))

    def action_filter(self) -> None:
        """Open the line for words."""
        self.add_class("-filtering")
        self._input.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._words = event.value
        self._show()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.set_class(bool(self._words), "-filtering")
        self.table.focus()

    def action_clear(self) -> None:
        """Show everything again; with nothing to clear, go back."""
        if self._node is not None:
            self._of(None)
            self._ask()
        elif not self._words and not self.has_class("-filtering"):
            self.lampione.back()
        self._input.value = ""
        self.remove_class("-filtering")
        self.table.focus()

    def action_verify(self) -> None:
        """Have the whole chain checked."""

        def came(answer: Answer) -> None:
            if answer.error is not None:
                self.say(f"verify: {answer.error}", "error")
            elif answer.result["bad"] is not None:
                self.say(f"BROKEN at entry {answer.result['bad']}: {answer.result['why']}", "error")
            else:
                count, head = answer.result["entries"], answer.result["head"]
                self.say(f"{count} entries, all as they were written; last hash {head[:16]}")

        self.desk.ask("verify", came)

    def action_export(self) -> None:
        """Ask for a file's name, and write everything into it."""

        def write(text: str) -> None:
            path = Path(text.strip()).expanduser()

            def work(_: Job) -> Any:
                return audit_file.write(self.desk.call, path)

            def came(answer: Answer) -> None:
                if answer.error is not None:
                    self.say(f"export: {answer.error}", "error")
                elif answer.result.fault is not None:
                    self.say(f"{path}: BROKEN, {answer.result.fault.why}", "error")
                else:
                    self.say(
                        f"{answer.result.entries} entries in {path}; check them anywhere: "
                        f"lampione audit --verify {shlex.quote(str(path))}"
                    )

            self.desk.run(work, came)

        def check(text: str) -> None:
            if not text.strip():
                raise ValueError("say a file's name")

        lines = ["All entries with their hashes, JSON Lines. Here, where this screen runs."]
        self.ask_for(Ask("into which new file?", lines, "audit.jsonl", check), write)
