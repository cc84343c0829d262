"""The first screen of somebody who has no controller yet: what can be done, by one key each."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.filter import NoColor
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from lampione.desk import first
from lampione.desk.first import Choice
from lampione.desk.work import Answer, Start, Works, in_thread
from lampione.tui.app import DRAIN_S, theme_of
from lampione.tui.keys import OneKeyAtATime

_TITLE = "Lampione: smart lampposts, one terminal"
_CHOICES = (
    ("demo", "d", "the demo", "eleven virtual lampposts of Milan, live"),
    ("serve", "b", "my broker", "a controller on an MQTT broker of yours"),
    ("commission", "c", "my first board", "a board on a USB cable becomes a node"),
    ("offline", "o", "what was last known", "of this folder's store, to look at only"),
)
_URL = {
    "serve": "The broker's address, as mqtt://HOST or mqtts://HOST:",
    "commission": "The broker that the board will reach, as mqtt://HOST "
    "(empty: our own, for virtual boards of this computer):",
}


class WelcomeApp(OneKeyAtATime, inherit_bindings=False):
    """See the module. `choice` is what was chosen; None: nothing.

    Args:
        state: the folder, as it is shown.
        store: whether there is something that was last known.
        start: begins work beside the screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", "Quit", priority=True, system=True),
        Binding("q", "quit", "Quit"),
        Binding("escape", "again", "Back"),
        *(Binding(key, f"choose({do!r})", name) for do, key, name, _ in _CHOICES),
    ]
    ENABLE_COMMAND_PALETTE = False
    DEFAULT_CSS = """
    WelcomeApp Screen { align: center middle; }
    WelcomeApp #box { width: 72; max-width: 100%; height: auto; padding: 1 2; }
    WelcomeApp Static { height: auto; }
    WelcomeApp #title { text-style: bold; margin-bottom: 1; }
    WelcomeApp OptionList { height: auto; border: none; margin: 1 0; }
    WelcomeApp Input { display: none; border: none; height: 1; padding: 0 1; }
    WelcomeApp.-asking Input { display: block; }
    WelcomeApp.-asking OptionList { display: none; }
    *:nocolor .input--cursor { text-style: reverse; }
    OptionList:nocolor > .option-list--option-highlighted { text-style: reverse; }
    """

    def __init__(self, state: str, *, store: bool, start: Start = in_thread) -> None:
        super().__init__()
        self.choice: Choice | None = None
        self._state = state
        self._choices = [one for one in _CHOICES if store or one[0] != "offline"]
        self._works = Works(start)
        self._asking = ""
        self._checking = False
        self.animation_level = "none"
        if self.no_color:
            self._filters = [NoColor()]
        self.theme = theme_of()

    def compose(self) -> ComposeResult:
        """What this is, what can be done, what was said."""
        self._about = Static("", markup=False)
        self._said = Static("", markup=False)
        self._list = OptionList(
            *(Option(f"{key}  {name:<20} {what}", do) for do, key, name, what in self._choices),
            markup=False,
            compact=True,
        )
        self._input = Input(compact=True, placeholder="mqtt://")
        with Vertical(id="box"):
            yield Static(_TITLE, id="title", markup=False)
            yield self._about
            yield self._list
            yield self._input
            yield self._said
            yield Static("enter chooses   escape back   q quits", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.set_interval(DRAIN_S, self.take)
        self.action_again()

    def take(self) -> None:
        """Take what came of a look at a broker."""
        self._works.deliver()

    def action_again(self) -> None:
        """Show what can be done."""
        self._asking, self._checking = "", False
        self.remove_class("-asking")
        self._about.update(f"No controller runs on {self._state}.\nWhat shall it be?")
        self._said.update("")
        self._list.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.action_choose(str(event.option_id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """While an address is typed, letters are letters."""
        return not (self._asking and action in ("choose",))

    def action_choose(self, do: str) -> None:
        """Do it, or ask for a broker first."""
        if do not in [one[0] for one in self._choices]:
            return
        if do not in _URL:
            self._end(Choice(do))
            return
        self._asking = do
        self.add_class("-asking")
        self._about.update(_URL[do])
        self._input.value = ""
        self._input.focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        if self._checking:
            return
        if not text and self._asking == "commission":
            self._end(Choice("commission"))
            return
        try:
            url = first.parse(text)
        except ValueError as error:
            self._said.update(str(error))
            return
        self._checking = True
        self._said.update(f"looking for {url} …")
        self._works.run(lambda _: first.try_broker(url), self._looked(Choice(self._asking, text)))

    def _looked(self, choice: Choice) -> Callable[[Answer], None]:
        def done(answer: Answer) -> None:
            if not self._checking or self._asking != choice.do:
                return  # somebody went back meanwhile
            self._checking = False
            if answer.error is None:
                self._end(choice)
            else:
                self._said.update(f"{answer.error}. Mend it and press enter again")

        return done

    def _end(self, choice: Choice) -> None:
        self.choice = choice
        self.exit()
