"""Commission: boards on cables become nodes, by a list; what each is at, and what it measured."""

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Static

from lampione.desk.boards import Connected
from lampione.desk.commission_rows import Item
from lampione.desk.commissioning import Commissioning
from lampione.desk.text import clean, fitted
from lampione.tui.dialogs import Ask, Confirm, KeysScreen
from lampione.tui.table import Cell, Col, Table
from lampione.tui.tones import style
from lampione.tui.view import View

_STATES = {"free": ("good", "● free"), "busy": ("warn", "◐ busy"), "closed": ("bad", "✗ no right")}
_BAR = 10


class CommissionView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "list", "List"),
        Binding("b", "begin", "Begin"),
        Binding("x", "stop", "Stop"),
        Binding("f", "flash", "Flash"),
        Binding("w", "wifi", "Wi-Fi"),
        Binding("u", "broker", "Broker"),
        Binding("tab", "other", "Boards or list", show=False),
    ]
    DEFAULT_CSS = """
    CommissionView #top { height: auto; max-height: 2; padding: 0 1; }
    CommissionView #boards { height: 5; }
    CommissionView #rows { height: 1fr; }
    CommissionView #about { height: auto; min-height: 6; max-height: 42%; padding: 0 1; }
    CommissionView:nocolor #boards, CommissionView:nocolor #rows { border: none; }
    """
    AUTO_FOCUS = "#rows"

    def __init__(self) -> None:
        super().__init__()
        self._work: Commissioning | None = None
        self._named: str | None = None

    @property
    def work(self) -> Commissioning:
        """Return what is shown."""
        if self._work is None:
            self._work = Commissioning(self.desk, self._changed)
            self._work.open(self._named)
        return self._work

    def argument(self, text: str) -> None:
        """Take a list's file."""
        if self._work is None:
            self._named = text
        else:
            self._work.check_file(text)
            self._work.open(text)

    def body(self) -> Iterable[Any]:
        """What is said, the boards, the list, one row of it."""
        self._top = Static("", id="top", markup=False)
        now = self.desk.now
        self.boards = Table(
            (
                Col("board on USB", 20, lambda b, _: clean(b.shown)),
                Col("port", 14, lambda b, _: clean(b.port)),
                Col("what", 18, lambda b, _: clean(b.what), least=110),
                Col("node", 14, lambda b, _: b.node or "–"),
                Col("state", 0, self._board_state),
            ),
            lambda b: b.board,
            now,
            empty="no board is plugged in: look at cable and power; some cables only charge",
        )
        self.boards.id = "boards"
        self.rows = Table(
            (
                Col("node", 16, lambda item, _: item.node),
                Col("state", 13, lambda item, _: item.state),
                Col("board", 16, lambda item, _: clean(item.entry.board or "")),
                Col("tries", 5, lambda item, _: str(item.entry.attempts or ""), True, least=110),
                Col("", _BAR, self._bar, least=110),
                Col("what", 0, lambda item, _: clean(item.now)),
            ),
            lambda item: item.node,
            now,
            empty="no list yet: o opens one, a .toml or .csv with a row for each node",
        )
        self.rows.id = "rows"
        self._about = Static("", id="about", markup=False)
        yield self._top
        yield self.boards
        yield self.rows
        yield self._about

    def renew(self, changed: frozenset[str]) -> None:
        """Look what is plugged in, once a second; the rest tells us itself."""
        self.work.look()
        if "link" in changed:
            self._show()

    def _changed(self) -> None:
        if self.is_mounted and self.is_current:
            self._show()

    def _show(self) -> None:
        work = self.work
        self.boards.show(work.boards or [])
        self.rows.show(work.items)
        text = Text()
        if work.path is not None:
            text.append(f"{clean(work.path.name)}: {work.words}", style(self.app, "bold"))
        else:
            text.append("boards become nodes: give a list of them", style(self.app, "dim"))
        tone, said = work.said
        if said:
            text.append("\n" + clean(said), style(self.app, tone))
        elif work.lacking is not None:
            text.append(
                f"\n{work.lacking} has no network yet: w says which", style(self.app, "warn")
            )
        self._top.update(text)
        self._detail()

    def _detail(self) -> None:
        lines: list[Cell] = []
        board, item = self.boards.row, self.rows.row
        if self.boards.has_focus and board is not None:
            lines.append(("bold", f"{clean(board.shown)}, {clean(board.what)}"))
            lines.append(("", f"serial number {clean(board.board)}, port {clean(board.port)}"))
            owner = f"it is {board.node}, by its record" if board.node else "no record knows it"
            lines.append(("", owner))
            lines.append(("warn", board.why) if board.why else ("dim", "f brings its firmware up"))
        elif item is not None:
            lines += [("bold", item.node), *item.details()]
        room = max(6, self.query_one("#body").size.height * 42 // 100)
        going = item is not None and item.going  # then what is done now is at the end
        lines = fitted(lines, room, self.size.width - 2, end=going)
        text = Text(no_wrap=False)
        for n, (tone, line) in enumerate(lines):
            text.append(("\n" if n else "") + clean(line), style(self.app, tone))
        self._about.update(text)

    def _board_state(self, board: Connected, _: float) -> Cell:
        if board.board in self.work.flashing:
            return "note", f"► {self.work.flashing[board.board]}"
        for item in self.work.items:
            if item.going and item.entry.board == board.board:
                return "note", f"► {item.node}"
        tone, word = _STATES[board.state]
        return tone, f"{word}: {board.why}" if board.why else word

    def _bar(self, item: Item, _: float) -> Cell:
        if not item.going or item.part is None:
            return ""  # type: ignore[return-value]
        full = round(item.part * _BAR)
        return "note", "█" * full + "░" * (_BAR - full)

    @on(Table.Moved)
    def _moved(self) -> None:
        self._detail()

    @on(Table.Opened, "#rows")
    def _opened(self) -> None:
        """Show all of a row: there may be more than has room below."""
        item = self.rows.row
        if item is not None:
            lines = [(clean(line)[:16].rstrip(), clean(line)[16:]) for _, line in item.details()]
            self.app.push_screen(KeysScreen([(item.node, ""), *lines]))

    def on_descendant_focus(self) -> None:
        """What is told below belongs to the table that has the keys."""
        self.call_after_refresh(self._detail)

    def action_other(self) -> None:
        """Go to the other table."""
        (self.rows if self.boards.has_focus else self.boards).focus()

    def here(self) -> str | None:
        """Return the node under the cursor."""
        row = self.rows.row
        return None if row is None else str(row.node)

    def action_list(self) -> None:
        """Ask for the list's file."""
        work = self.work
        if work.running:
            self.say("a run goes on: x stops it first", "warning")
            return
        before = "" if work.path is None else str(work.path)
        question = Ask(
            "which list? a .toml or .csv, a row for each node",
            ["what is done of it is kept beside it; docs/provisioning.md has its form"],
            before,
            work.check_file,
        )
        self.ask_for(question, lambda text: work.open(text.strip()))

    def action_begin(self) -> None:
        """Begin, or go on, once it was said what that does."""
        work = self.work
        if not self.may_act():
            return
        if work.running:
            self.say("it runs already: x stops it", "warning")
        elif work.path is None:
            self.say("there is no list: o opens one", "warning")
        elif work.lacking is not None:
            self.action_wifi(begin=True)
        elif not (left := [i.node for i in work.items if i.entry.state != "done"]):
            self.say("all of it is done")
        else:
            lines = [
                f"{len(left)} nodes are left, {left[0]} first; {work.order.jobs} boards at a time.",
                "Each board is flashed, gets its node's name, keys and settings, blinks, and has",
                "its lamp at 0, 50 and 100 %. Boards that no list names are taken as they come.",
            ]
            self.confirm(Confirm(f"commission by {clean(work.path.name)}?", lines), work.begin)

    def action_stop(self) -> None:
        """Stop between two steps."""
        words = "what is under way comes to the end of a step"
        self.end(self.work.running, self.work.stop, words)

    def action_flash(self) -> None:
        """Bring the firmware of the board under the cursor up to date."""
        board = self.boards.row
        if not self.may_act():
            return
        if board is None:
            self.say("no board is plugged in: look at cable and power", "warning")
        elif self.work.running:
            self.say("a run goes on, which flashes too: x stops it first", "warning")
        elif board.why:
            self.say(f"{board.port}: {board.why}", "error")
        else:
            lines = ["1 board gets this program's firmware and starts it; who it is, its settings"]
            lines.append("and its outbox stay. Only what changed is sent.")
            self.confirm(
                Confirm(f"flash {clean(board.shown)}?", lines), lambda: self.work.flash(board)
            )

    def action_wifi(self, begin: bool = False) -> None:
        """Ask for the network that nodes join: a name and a password, or a file."""
        work = self.work

        def done(what: str = "it is kept in memory until this program ends") -> None:
            self._show()
            if begin:
                self.action_begin()
            else:
                self.say(what)

        def named(text: str) -> None:
            text = text.strip()
            if text == "-":
                work.cable()
                done("nodes have a network by cable")
            elif "/" in text:
                done()  # the question has read the file
            else:
                secret = Ask(
                    f"the password of {clean(text)}",
                    check=lambda p: work.wifi(text, p),
                    secret=True,
                )
                self.ask_for(secret, lambda _: done())

        def check(text: str) -> None:
            if "/" in text:
                work.wifi_file(text)
            elif not text.strip():
                raise ValueError("say its name")

        lines = ["its name; or a file of mode 0600, with a / in it; or - for nodes on a cable"]
        self.ask_for(Ask("which Wi-Fi do nodes join?", lines, check=check), named)

    def action_broker(self) -> None:
        """Ask how nodes reach the broker."""
        lines = [
            "mqtt://HOST or mqtts://USER@HOST?password-file=FILE; empty: as the controller does,",
            "which real boards cannot where that is this computer's own 127.0.0.1",
        ]
        self.ask_for(
            Ask(
                "how do nodes reach the broker?",
                lines,
                self.work.order.broker or "",
                self.work.broker,
            ),
            lambda _: self.say("nodes get it with their settings"),
        )
