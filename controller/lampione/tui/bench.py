"""Bench: the hardware-in-the-loop tests of a rig, run and followed, measurement by measurement."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Static

from lampione.desk.benching import Benching, Test
from lampione.desk.text import clean, fitted
from lampione.tui.dialogs import Ask, Confirm, KeysScreen
from lampione.tui.table import Cell, Col, Table
from lampione.tui.tones import style
from lampione.tui.view import View

_DOING = {
    "list": "the tests are being listed",
    "doctor": "the doctor looks at the bench",
    "run": "a run goes on",
    "compare": "two reports are being compared",
    "verify": "a signature is being looked at",
}


def _seconds(test: Test, _: float) -> str:
    return f"{sum(run['seconds'] for run in test.runs):.1f}" if test.runs else ""


def _boards(test: Test, _: float) -> str:
    return ", ".join(dict.fromkeys(board[0] for run in test.runs for board in run["boards"]))


class BenchView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "rig", "Rig"),
        Binding("slash", "words", "Which"),
        Binding("m", "smoke", "Smoke", show=False),
        Binding("d", "doctor", "Doctor"),
        Binding("b", "begin", "Run"),
        Binding("x", "stop", "Stop"),
        Binding("c", "compare", "Compare"),
        Binding("v", "verify", "Verify"),
    ]
    DEFAULT_CSS = """
    BenchView #top { height: auto; max-height: 4; padding: 0 1; }
    BenchView #tests { height: 1fr; }
    BenchView #about { height: auto; min-height: 6; max-height: 42%; padding: 0 1; }
    """
    AUTO_FOCUS = "#tests"

    def __init__(self) -> None:
        super().__init__()
        self._work: Benching | None = None

    @property
    def work(self) -> Benching:
        """Return what is shown."""
        if self._work is None:
            self._work = Benching(self.desk, self._changed)
            self._work.refresh()
        return self._work

    def argument(self, text: str) -> None:
        """Take a rig's file."""
        self.work.choose(rig=text)

    def body(self) -> Iterable[Any]:
        """What is said, the tests, one of them."""
        self._top = Static("", id="top", markup=False)
        self.tests = Table(
            (
                Col("suite", 22, lambda test, _: test.suite, least=110),
                Col("test", 0, lambda test, _: clean(test.short.removeprefix("test_"))),
                Col("state", 10, lambda test, _: test.state),
                Col("s", 6, _seconds, True),
                Col("board", 14, _boards, least=110),
                Col("within", 9, lambda test, _: test.measured, True),
            ),
            lambda test: test.name,
            self.desk.now,
            empty="no tests yet",
        )
        self.tests.id = "tests"
        self._about = Static("", id="about", markup=False)
        yield self._top
        yield self.tests
        yield self._about

    def renew(self, changed: frozenset[str]) -> None:
        """Show it when it comes into sight; what goes on tells itself."""
        if self._work is None or "link" in changed:
            self._show()

    def _changed(self) -> None:
        if self.is_mounted and self.is_current:
            self._show()

    def _show(self) -> None:
        work = self.work
        self.tests.show(work.tests)
        rig = "three virtual boards" if work.rig is None else clean(str(work.rig))
        which = "the short suite" if work.smoke else "all suites"
        words = f", words {work.words!r}" if work.words else ""
        text = Text(f"rig: {rig}; {which}{words}", style(self.app, "bold"))
        if work.doing:
            text.append(f"\n► {_DOING[work.doing]}", style(self.app, "note"))
        tone, said = work.said
        if said:
            text.append("\n" + clean(said), style(self.app, tone))
        if work.verdict is not None:
            text.append(f"\nreport: {work.folder}/report.html", style(self.app, "dim"))
        self._top.update(text)
        self._detail()

    def _detail(self) -> None:
        room = max(6, self.query_one("#body").size.height * 42 // 100)
        test = self.tests.row
        lines: list[Cell] = []
        if self.work.findings:
            lines = self.work.findings[-room:]
        elif test is not None:
            lines = fitted([("bold", test.name), *test.details()], room, self.size.width - 2)
        text = Text()
        for n, (tone, line) in enumerate(lines):
            text.append(("\n" if n else "") + clean(line), style(self.app, tone))
        self._about.update(text)

    @on(Table.Moved)
    def _moved(self) -> None:
        if not self.work.doing:
            self.work.findings = []
        self._detail()

    @on(Table.Opened)
    def _opened(self) -> None:
        """Show all of a test: there may be more than has room below."""
        test = self.tests.row
        if test is not None:
            lines = [(clean(line)[:16].rstrip(), clean(line)[16:]) for _, line in test.details()]
            self.app.push_screen(KeysScreen([(test.short, ""), *lines]))

    def _idle(self) -> bool:
        """Say whether nothing goes on; if something does, tell what."""
        if self.work.doing:
            self.say(f"{_DOING[self.work.doing]}: x ends it", "warning")
        return not self.work.doing

    def action_rig(self) -> None:
        """Ask for the rig's file."""
        if self._idle():
            before = "" if self.work.rig is None else str(self.work.rig)
            lines = ["a .toml, see docs/rigs.md; empty: three virtual boards"]
            self.ask_for(Ask("which rig?", lines, before), lambda text: self.work.choose(rig=text))

    def action_words(self) -> None:
        """Ask for words that the tests' names must have."""
        if self._idle():
            lines = ["words in their names, with and, or, not; empty: all of them"]
            self.ask_for(
                Ask("which tests?", lines, self.work.words),
                lambda text: self.work.choose(words=text),
            )

    def action_smoke(self) -> None:
        """Change between the short suite and all of them."""
        if self._idle():
            self.work.choose(smoke=not self.work.smoke)

    def action_doctor(self) -> None:
        """Have the bench looked at."""
        if self.may_act() and self._idle():
            self.work.doctor()

    def action_begin(self) -> None:
        """Run the tests that are marked, or all that are listed."""
        if not (self.may_act() and self._idle()):
            return
        work = self.work
        marked = [test.name for test in work.tests if test.name in self.tests.marks]
        chosen = [test for test in work.tests if not marked or test.name in marked]
        able = sum(not test.lacks for test in chosen)
        if not able:
            self.say("the rig can run none of these: see what each lacks", "warning")
            return
        lines = [
            f"{len(chosen)} tests, {able} of which the rig can run.",
            "Boards of the rig are switched, reset and flashed, and lose what they held.",
        ]
        self.confirm(Confirm("run?", lines), lambda: work.run(marked))

    def action_stop(self) -> None:
        """End what goes on in good order."""
        self.end(self.work.doing, self.work.stop, "boards are being switched off")

    def action_compare(self) -> None:
        """Compare the last two reports."""
        if self._idle():
            self.work.compare()

    def action_verify(self) -> None:
        """Look at the last report's signature."""
        if self._idle():
            self.work.verify()
