"""Windows over a view: its keys, the line that jumps, and questions."""

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

_BOX = """
{name} {{ align: center middle; }}
{name} #box {{
    width: auto; max-width: 96%; height: auto; max-height: 90%; padding: 0 2;
    background: $surface; border: round $primary;
}}
{name} Static {{ width: auto; max-width: 100%; height: auto; }}
{name} Input {{ width: 40; height: 1; border: none; padding: 0 1; margin-top: 1; }}
"""


class KeysScreen(ModalScreen[None], inherit_bindings=False):
    """The keys of the view below, taken from its own bindings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Back"),
        Binding("down,j,pagedown,space", "more(1)", "Down", show=False),
        Binding("up,k,pageup", "more(-1)", "Up", show=False),
    ]
    DEFAULT_CSS = _BOX.format(name="KeysScreen")

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        super().__init__()
        self.keys = keys

    def compose(self) -> ComposeResult:
        """One line a key."""
        with VerticalScroll(id="box", can_focus=False):
            yield Static("\n".join(f"{k:<16} {what}" for k, what in self.keys), markup=False)

    def action_more(self, by: int) -> None:
        """Scroll."""
        self.query_one("#box").scroll_relative(y=by * 5, animate=False)


class Confirm(NamedTuple):
    """A question before something is done.

    lines: what it will do, in numbers.
    typed: the word that has to be typed, for what must not happen by a slip.
    """

    title: str
    lines: Sequence[str] = ()
    typed: str | None = None


class ConfirmScreen(ModalScreen[bool], inherit_bindings=False):
    """Asks; the answer is yes only when it was meant."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No"),
        Binding("y,enter", "answer(True)", "Yes"),
    ]
    DEFAULT_CSS = _BOX.format(name="ConfirmScreen")

    def __init__(self, question: Confirm) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The question, what it will do, how to answer."""
        title, lines, typed = self.question
        with Vertical(id="box"):
            yield Static(title, markup=False)
            if lines:
                yield Static("\n" + "\n".join(lines), markup=False)
            if typed is None:
                yield Static("\ny yes   n no")
            else:
                yield Static(f"\ntype {typed} and enter; escape: no", markup=False)
                yield Input(compact=True)

    def action_answer(self, yes: bool) -> None:
        """Answer, unless a word has to be typed first."""
        if not yes or self.question.typed is None:
            self.dismiss(yes)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip() == self.question.typed:
            self.dismiss(True)


class Ask(NamedTuple):
    """A question that is answered by a line of text.

    check: raises ValueError, with what is wrong, for a text that cannot be.
    secret: it is not shown.
    """

    title: str
    lines: Sequence[str] = ()
    text: str = ""
    check: Callable[[str], object] = lambda _: None
    secret: bool = False


class AskScreen(ModalScreen[str | None], inherit_bindings=False):
    """Asks for a line of text; None: nothing was said."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    DEFAULT_CSS = _BOX.format(name="AskScreen") + "AskScreen Input { width: 60; max-width: 100%; }"

    def __init__(self, question: Ask) -> None:
        super().__init__()
        self.question = question
        self._wrong = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The question and the line."""
        with Vertical(id="box"):
            yield Static("\n".join([self.question.title, *self.question.lines]), markup=False)
            yield Input(self.question.text, password=self.question.secret, compact=True)
            yield self._wrong

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            self.question.check(event.value)
        except ValueError as error:
            self._wrong.update(str(error))
        else:
            self.dismiss(event.value)


class JumpScreen(ModalScreen[str | None], inherit_bindings=False):
    """The line after `:`. Names that fit stand over it; tab completes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("tab", "complete", "Complete", priority=True),
    ]
    DEFAULT_CSS = """
    JumpScreen { align: left bottom; }
    JumpScreen Static { width: 100%; background: $panel; padding: 0 1; height: auto; }
    JumpScreen Input { height: 1; border: none; padding: 0 1; }
    """

    def __init__(self, offers: Callable[[str], list[tuple[str, str]]]) -> None:
        """offers: what fits to a text, as (name, what it is)."""
        super().__init__()
        self._offers = offers
        self._list = Static("", markup=False)
        self._input = Input(placeholder="where to", compact=True)

    def compose(self) -> ComposeResult:
        """The list over the line."""
        yield self._list
        yield self._input

    def on_mount(self) -> None:
        """Show everything there is."""
        self._show("")

    def _show(self, text: str) -> None:
        found = self._offers(text)[:12]
        self._list.update("\n".join(f"{name:<12} {what}" for name, what in found) or "nothing fits")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip() or None)

    def action_complete(self) -> None:
        """Take the first that fits."""
        found = self._offers(self._input.value)
        if found:
            self._input.value = found[0][0] + " "
            self._input.cursor_position = len(self._input.value)
