"""What all views have: the header, what was said, the keys, and the ways to the desk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from lampione.desk.desk import TOPICS, Desk
from lampione.desk.text import clean
from lampione.desk.work import Answer
from lampione.tui.bars import Header, Keys, Said
from lampione.tui.dialogs import Ask, AskScreen, Confirm, ConfirmScreen

if TYPE_CHECKING:
    from lampione.tui.app import LampioneApp

SAID_S = 8.0  # how long something that was said is seen
_TONES = {"information": "note", "warning": "warn", "error": "bad"}


class View(Screen[None], inherit_bindings=False):
    """One of the screens. A subclass gives `body` and `renew`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("colon", "app.jump", "Jump"),
        Binding("question_mark", "app.keys", "Keys"),
        Binding("q", "app.quit", "Quit", show=False),
        Binding("L", "lock", "Lock or unlock", show=False),
        Binding("ctrl+o", "sign_in", "Sign in", show=False),
        Binding("W", "where", "Where it stands", show=False),
    ]
    DEFAULT_CSS = "View #body { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.header = Header()
        self._said = Said()
        self._said_at = 0.0

    @property
    def lampione(self) -> LampioneApp:
        """Return the application."""
        return cast("LampioneApp", self.app)

    @property
    def desk(self) -> Desk:
        """Return what is known and asked."""
        return self.lampione.desk

    def compose(self) -> ComposeResult:
        """Header, body, what was said, keys."""
        yield self.header
        with Vertical(id="body"):
            yield from self.body()
        yield self._said
        yield Keys()

    def body(self) -> Iterable[Any]:
        """Yield what is between the header and the keys."""
        raise NotImplementedError

    def renew(self, changed: frozenset[str]) -> None:
        """Show what is new.

        Args:
            changed: topics of the desk; "clock", too, once a second. All of them when the view
                comes into sight.
        """
        raise NotImplementedError

    def argument(self, text: str) -> None:
        """Take what stood behind the view's name. Raises ValueError with what is wrong."""
        raise ValueError(f"nothing goes behind its name: {text}")

    def come_from(self, node: str | None) -> None:
        """Learn which node was under the cursor of the view before."""

    def here(self) -> str | None:
        """Return the node under the cursor; None: there is none."""
        return None

    def on_screen_resume(self) -> None:
        """It comes into sight: nothing on it may be old."""
        self.call_after_refresh(self.show_all)

    def show_all(self) -> None:
        """Show everything anew."""
        if self.is_mounted and self.is_current:
            self.lampione.show_head()
            self.renew(TOPICS | {"clock"})

    def left(self) -> None:
        """It was left; it may be opened again as it is."""

    def ticked(self) -> None:
        """A second has passed."""
        if self._said_at and self.desk.now() - self._said_at > SAID_S:
            self._said_at = 0.0
            self._said.remove_class("-shown")

    def say(self, text: str, severity: str = "information") -> None:
        """Say something in the line above the keys."""
        self._said.said = (_TONES[severity], clean(text))
        self._said.add_class("-shown")
        self._said_at = self.desk.now()

    def may_act(self) -> bool:
        """Say whether something may be changed here; if not, tell why."""
        why = self.lampione.why_read_only
        if why is not None:
            self.say(f"nothing can be changed: {why}", "warning")
        return why is None

    def end(self, going: object, stop: Callable[[], None], words: str) -> None:
        """Stop what goes on, if anything does, and say what becomes of it."""
        if not going:
            self.say("nothing runs")
            return
        stop()
        self.say(f"stopping: {words}", "warning")

    def act(
        self,
        op: str,
        what: str,
        done: Callable[[Answer], None] = lambda _: None,
        **parameters: Any,
    ) -> None:
        """Have the controller do something, and say what came of it.

        Args:
            what: in words, such as "acknowledge 3 alarms".
            done: gets the answer, too.
        """
        if not self.may_act():
            return

        def answered(answer: Answer) -> None:
            if answer.error is not None:
                self.say(f"{what}: {answer.error}", "error")
            else:
                self.say(f"{what}: done")
            done(answer)

        self.desk.ask(op, answered, **parameters)

    def confirm(self, question: Confirm, then: Callable[[], None]) -> None:
        """Ask; do `then` when the answer is yes."""
        self.app.push_screen(ConfirmScreen(question), lambda yes: then() if yes else None)

    def ask_for(self, question: Ask, then: Callable[[str], None]) -> None:
        """Ask for a line of text; do `then` with it unless nothing was said."""
        self.app.push_screen(AskScreen(question), lambda text: None if text is None else then(text))

    def action_lock(self) -> None:
        """Lock the lamp under the cursor off, or take its lock off."""
        from lampione.tui import locks

        node = self.here()
        if node is None:
            locks.ask_node(self)
        else:
            locks.lock_or_unlock(self, node)

    def action_sign_in(self) -> None:
        """Say who works here."""
        from lampione.tui.sign_in import SignInScreen

        def entered(who: dict[str, Any] | None) -> None:
            if who is not None:
                self.say(f"you are {clean(who['operator'])}, who may {who['role']}")

        self.app.push_screen(SignInScreen(self.desk), entered)

    def action_where(self) -> None:
        """Show where the node under the cursor stands, for a phone's camera."""
        from lampione.tui.where import show_where

        node = self.here()
        if node is None:
            self.say("no node is chosen", "warning")
        else:
            show_where(self, node)

    def action_back(self) -> None:
        """Go back to the view that was seen before."""
        self.lampione.back()
