"""The window that orders something of one node or of many."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from lampione.desk.orders import CHOICES, HARSH, TYPED_FROM, Choice, Sending, lamps, order_of, words
from lampione.tui.dialogs import Ask, Confirm
from lampione.tui.view import View


class ChoiceScreen(ModalScreen[str | None], inherit_bindings=False):
    """One key an order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back"),
        *(Binding(c.key, f"dismiss({c.op!r})", c.name) for c in CHOICES),
    ]
    DEFAULT_CSS = """
    ChoiceScreen { align: center middle; }
    ChoiceScreen #box {
        width: auto; height: auto; padding: 0 2; background: $surface; border: round $primary;
    }
    ChoiceScreen Static { width: auto; height: auto; }
    """

    def __init__(self, whose: str) -> None:
        super().__init__()
        self._whose = whose

    def compose(self) -> ComposeResult:
        """The lamps, and a line an order."""
        with Vertical(id="box"):
            yield Static(self._whose, markup=False)
            yield Static("")
            yield Static("\n".join(f"{c.key}  {c.name}" for c in CHOICES), markup=False)


def level(text: str) -> int:
    """Return a level. Raises ValueError."""
    digits = text.strip().removesuffix("%").strip()
    if not digits.isascii() or not digits.isdigit() or not 0 <= int(digits) <= 100:
        raise ValueError("a level is from 0 to 100 %")
    return int(digits)


def minutes(text: str) -> float:
    """Return how many minutes: `30`, `30m`, `2h`. Raises ValueError."""
    text = text.strip().lower()
    factor = {"m": 1, "h": 60}.get(text[-1:], 1)
    digits = text.rstrip("mh").strip()
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) * factor <= 7 * 1440:
        raise ValueError("a time is from 1 minute to 7 days: 30, 30m, 2h")
    return float(int(digits) * factor)


class Ordering:
    """From the choice to the confirmation to what became of it, in one view."""

    def __init__(self, view: View, nodes: list[str], begun: Callable[[Sending], object]) -> None:
        self._view = view
        self._nodes = nodes
        self._begun = begun

    def ask(self) -> None:
        """Ask what is wanted."""
        view = self._view
        if not self._nodes:
            view.say("there is no node here", "warning")
        elif view.may_act():
            whose = lamps(self._nodes, view.desk.sites)
            view.app.push_screen(ChoiceScreen(whose), self._chosen)

    def _chosen(self, op: str | None) -> None:
        choice = next((c for c in CHOICES if c.op == op), None)
        if choice is None:
            return
        if "level" in choice.asks:
            self._view.ask_for(
                Ask("level, %", check=level), lambda text: self._timed(choice, level(text))
            )
        else:
            self._timed(choice, None)

    def _timed(self, choice: Choice, percent: int | None) -> None:
        if "for" in choice.asks:
            self._view.ask_for(
                Ask("for how long? 30m, 2h", text="30m", check=minutes),
                lambda text: self._sure(choice, percent, minutes(text)),
            )
        else:
            self._sure(choice, percent, None)

    def _sure(self, choice: Choice, percent: int | None, length: float | None) -> None:
        desk = self._view.desk
        order = order_of(choice, percent, length)
        text = words(choice, order, self._nodes, desk.sites, desk.now())
        locked = [node for node in self._nodes if node in desk.tags]
        lines = [text]
        if locked:
            lines.append(f"{len(locked)} locked, which will refuse it: {', '.join(locked[:5])}")
        typed = str(len(self._nodes)) if (
            choice.op in HARSH and len(self._nodes) >= TYPED_FROM
        ) else None  # fmt: skip
        self._view.confirm(
            Confirm(f"{choice.name}?", lines, typed), lambda: self._send(order, choice.name)
        )

    def _send(self, order: object, name: str) -> None:
        sending = Sending(self._view.desk, self._nodes, order)  # type: ignore[arg-type]
        sending.begin()
        self._view.say(f"{name}: {sending.told()}")
        self._begun(sending)
