"""Who works at this screen: a name, and a PIN where there is one."""

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from lampione.desk.desk import Desk
from lampione.desk.text import clean
from lampione.desk.work import Answer

_NOBODY = (
    "This controller knows no operators, so everybody may do everything;\n"
    "your name stands in the audit. `lampione operators add` makes some."
)


class SignInScreen(ModalScreen[dict[str, Any] | None], inherit_bindings=False):
    """Asks for both in one window: what is typed ahead goes where it belongs.

    Its answer is `api.Entered`; None: nobody signed in.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("up,shift+tab", "app.focus_previous", "Up", show=False),
        Binding("down,tab", "app.focus_next", "Down", show=False),
    ]
    DEFAULT_CSS = """
    SignInScreen { align: center middle; }
    SignInScreen #box {
        width: auto; max-width: 96%; height: auto; max-height: 90%; padding: 0 2;
        background: $surface; border: round $primary;
    }
    SignInScreen Static { width: auto; max-width: 100%; height: auto; }
    SignInScreen Input {
        width: 40; height: 1; border: none; padding: 0 1; margin-bottom: 1; background: $panel;
    }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._operators: dict[str, Any] = {}
        self._known = Static("", markup=False)
        self._operator = Input(compact=True, id="name")
        self._secret = Input(compact=True, id="pin", password=True)
        self._wrong = Static("", markup=False)

    def compose(self) -> ComposeResult:
        """The operators, the name, the PIN, what is wrong."""
        with Vertical(id="box"):
            yield self._known
            yield Static("\nwho are you?")
            yield self._operator
            yield Static("PIN, where you have one")
            yield self._secret
            yield self._wrong

    def on_mount(self) -> None:
        """Ask who there is."""
        self._desk.ask("operators", self._came)

    def _came(self, answer: Answer) -> None:
        if answer.error is not None:
            self._wrong.update(answer.error)
            return
        self._operators = {one["name"]: one for one in answer.result}
        rows = [f"{clean(name):<16} {one['role']}" for name, one in sorted(self._operators.items())]
        self._known.update("\n".join(rows) or _NOBODY)

    @on(Input.Submitted, "#name")
    def _named(self, event: Input.Submitted) -> None:
        event.stop()
        one = self._operators.get(event.value.strip())
        if one is None or one["pin"]:
            self._secret.focus()
        else:
            self._enter()

    @on(Input.Submitted, "#pin")
    def _given(self, event: Input.Submitted) -> None:
        event.stop()
        self._enter()

    def _enter(self) -> None:
        self._wrong.update("…")
        name, pin = self._operator.value.strip(), self._secret.value or None
        self._desk.ask("enter", self._entered, operator=name, pin=pin)

    def _entered(self, answer: Answer) -> None:
        if not self.is_attached:
            return
        if answer.error is None:
            self.dismiss(answer.result)
            return
        self._wrong.update(clean(answer.error))
        self._secret.value = ""
