"""The application: takes what has come, ten times a second, and has the view show it."""

import os
import shlex
import time
from collections.abc import Callable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.filter import NoColor

from lampione.desk.desk import Desk
from lampione.desk.orders import Sending
from lampione.desk.present import STATES
from lampione.tui.bars import Part
from lampione.tui.dialogs import Confirm, ConfirmScreen, JumpScreen, KeysScreen
from lampione.tui.keys import OneKeyAtATime
from lampione.tui.orders import Ordering
from lampione.tui.palette import Offers
from lampione.tui.view import View
from lampione.tui.views import BY_NAME, FIRST, VIEWS

DRAIN_S = 0.1
CHECK_S = 0.5
DARK, LIGHT = "textual-dark", "textual-light"
SEVERITIES = {"critical": "bad", "major": "bad", "minor": "warn", "warning": "warn"}


def theme_of() -> str:
    """Return the theme that the terminal's ground asks for."""
    return LIGHT if os.environ.get("LAMPIONE_THEME") == "light" else DARK


class LampioneApp(OneKeyAtATime, inherit_bindings=False):
    """The screen of a controller.

    Args:
        desk: what is known and asked.
        read_only: nothing can be changed from here.
        ends_after_s: when the screen ends by itself; None: when the user says so.
        check: called twice a second; what it raises ends the screen and is kept in `failure`.
        first: the view to begin with, and what goes behind its name.
    """

    COMMANDS: ClassVar[set[Any]] = {Offers}
    TITLE = "Lampione"
    DEFAULT_CSS = """
    *:nocolor .input--cursor { text-style: reverse; }
    Header:nocolor { text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", "Quit", show=False, priority=True, system=True),
        Binding("ctrl+p", "command_palette", "Palette", show=False, system=True),
        *(
            Binding(place.key, f"go({place.name!r})", place.name, show=False)
            for place in VIEWS
            if place.key
        ),
    ]

    def __init__(
        self,
        desk: Desk,
        *,
        read_only: bool = False,
        ends_after_s: float | None = None,
        check: Callable[[], None] = lambda: None,
        first: tuple[str, str | None] = (FIRST, None),
    ) -> None:
        super().__init__()
        self.desk = desk
        self._read_only = read_only
        self._ends_after_s = ends_after_s
        self._check = check
        self._first = first
        self._views: dict[str, View] = {}
        self.failure: Exception | None = None
        self._ending = False
        self.animation_level = "none"
        if self.no_color:  # none at all, as no-color.org has it, where Textual would make greys
            self._filters = [NoColor()]
        self.theme = theme_of()

    def on_mount(self) -> None:
        """Begin to take."""
        self.go(FIRST)
        if self._first != (FIRST, None):
            self.go(*self._first)
        self.desk.start()
        self.set_interval(DRAIN_S, self.take)
        self.set_interval(1.0, self.tick)
        self.set_interval(CHECK_S, self._look)
        if self._ends_after_s is not None:
            self.set_timer(self._ends_after_s, self.exit)

    def on_unmount(self) -> None:
        """End the desk's threads."""
        self.desk.stop()

    def _look(self) -> None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whoever shows us raises it
            self.failure = error
            self.exit()

    @property
    def view(self) -> View | None:
        """Return the view that is seen, under windows too."""
        return next((s for s in reversed(self.screen_stack) if isinstance(s, View)), None)

    @property
    def _shown(self) -> View | None:
        """The view, if its parts are there: not before it is mounted, nor while the app closes."""
        view = self.view if self.is_running else None
        return view if view is not None and view.is_mounted else None

    @property
    def opened_read_only(self) -> bool:
        """Say whether this terminal was opened to look only, whoever works at it."""
        return self._read_only

    @property
    def why_read_only(self) -> str | None:
        """Say why nothing can be changed from here; None: it can."""
        if self._read_only:
            return "this terminal was opened read-only"
        if self.desk.who is not None and self.desk.role == "view":
            return str(self.desk.who.get("why") or "your role is view")
        return None

    def take(self) -> None:
        """Take what has come; have the view show it."""
        view = self._shown
        if view is None:
            return  # what has come waits
        changed = self.desk.take()
        if self._ending and not self.desk.going():
            self.exit()
        if changed:
            self.show_head()
            view.renew(changed)

    def tick(self) -> None:
        """Let ages grow, once a second."""
        view = self._shown
        if view is None:
            return
        self.show_head()
        view.ticked()
        view.renew(frozenset(("clock",)))

    def show_head(self) -> None:
        """Show the header of the view that is seen."""
        view = self.view
        if view is not None:
            view.header.parts = tuple(self._parts())
            view.header.last = time.strftime("%H:%M:%S", time.localtime(self.desk.now()))

    def _parts(self) -> list[Part]:
        desk = self.desk
        view = self.view
        name = next((n for n, v in self._views.items() if v is view), "")
        parts: list[Part] = [("bold", f"Lampione {name}".rstrip())]
        if self.why_read_only is not None:
            parts.append(("warn", "READ-ONLY"))
        if desk.link is not None:
            parts.append(("bad", f"○ {desk.link}"))
        elif desk.status and not desk.status["broker"]["connected"]:
            parts.append(("bad", "○ no broker"))
        else:
            parts.append(("good", "● connected"))
        if desk.status:
            parts.append(("", f"{desk.status['counters']['rate']:.1f}/s"))
        parts += self._alarms()
        if desk.tags:
            parts.append(("warn", f"▣ {len(desk.tags)} locked"))
        counts = desk.fleet.counts()
        shown = f"{len(desk.fleet)} of " if len(desk.fleet) != desk.fleet.total else ""
        parts.append(("", f"{shown}{desk.fleet.total} nodes"))
        for state, (glyph, colour) in STATES.items():
            if counts.get(state):
                parts.append((colour, f"{glyph} {counts[state]} {state}"))
        if desk.status:
            counters = desk.status["counters"]
            parts += [
                ("warn", f"{what} {counters[what]}")
                for what in ("missing", "lost", "refused")
                if counters[what]
            ]
        if desk.who is not None and desk.who["operator"]:
            parts.append(("", f"{desk.who['operator']} ({desk.role})"))
        return parts

    def _alarms(self) -> list[Part]:
        counts: dict[str, int] = {}
        for alarm in self.desk.alarms.values():
            if alarm["active"]:
                counts[alarm["severity"]] = counts.get(alarm["severity"], 0) + 1
        there = [severity for severity in SEVERITIES if counts.get(severity)]
        return [
            (SEVERITIES[severity], f"{'' if n else '▲ '}{counts[severity]} {severity}")
            for n, severity in enumerate(there)
        ]

    def go(self, name: str, argument: str | None = None) -> None:
        """Show a view; `back` returns to the one that is seen now. Raises KeyError."""
        place = BY_NAME[name]
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = place.make()
            self.install_screen(view, name)  # else Textual removes it when it is left
        if argument is not None:
            view.argument(argument)
        elif self.view is not None:
            view.come_from(self.view.here())
        while isinstance(self.screen, View) and view in self.screen_stack[:-1]:
            self._leave()
        if view is not self.screen:
            self.push_screen(view)
        elif view.is_mounted:
            view.show_all()

    def order(self, nodes: list[str], begun: Callable[[Sending], object] = lambda _: None) -> None:
        """Ask what is to be ordered of these nodes; `begun` gets the order on its way."""
        view = self.view
        if view is not None:
            Ordering(view, nodes, begun).ask()

    def back(self) -> None:
        """Show the view that was seen before."""
        if sum(isinstance(screen, View) for screen in self.screen_stack) > 1:
            self._leave()

    def _leave(self) -> None:
        view = self.screen
        self.pop_screen()
        if isinstance(view, View):
            view.left()

    async def action_quit(self) -> None:
        """End, once what is under way has ended in good order; who asks again waits for nothing."""
        going = self.desk.going()
        if not going or self._ending:
            self.exit()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._ending = True
                for one in self.desk.undertakings:
                    one.stop()
                if self.view is not None:
                    self.view.say("ending: what is under way comes to an end first; q: at once")

        if not isinstance(self.screen, ConfirmScreen):
            self.push_screen(ConfirmScreen(Confirm("stop it and quit?", going)), answered)

    def action_go(self, name: str) -> None:
        """Show a view."""
        self._jump(name)

    def action_jump(self) -> None:
        """Ask where to."""
        self.push_screen(JumpScreen(self._offers), self._jump)

    def _offers(self, text: str) -> list[tuple[str, str]]:
        name, space, rest = text.partition(" ")
        if not space:
            return [(p.name, p.summary) for p in VIEWS if p.name.startswith(name)]
        return [(f"{name} {node}", "") for node in self.desk.fleet.names(rest.strip(), 12)]

    def _jump(self, text: str | None) -> None:
        if text is None:
            return
        name, _, argument = text.partition(" ")
        found = [p.name for p in VIEWS if p.name.startswith(name)]
        view = self.view
        if view is None:
            return
        if not found or (len(found) > 1 and name not in found):
            view.say(f"there is no view {name!r}: " + ", ".join(p.name for p in VIEWS), "error")
            return
        try:
            self.go(name if name in found else found[0], argument.strip() or None)
        except ValueError as error:
            view.say(str(error), "error")

    def action_toggle_light(self) -> None:
        """Change between dark and light."""
        self.theme = DARK if self.theme == LIGHT else LIGHT

    def action_keys(self) -> None:
        """Show the keys of the view that is seen, its own first."""
        own = [b.description for b in type(self.screen).BINDINGS if isinstance(b, Binding)]
        keys: dict[str, list[str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.description and not binding.system:
                keys.setdefault(binding.description, []).append(self.get_key_display(binding))
        rows = [(" ".join(dict.fromkeys(k)), what) for what, k in keys.items()]
        rows.sort(key=lambda row: row[1] not in own)
        if self.desk.state is not None:
            state = shlex.quote(str(self.desk.state))
            rows = [("elsewhere", f"export LAMPIONE_STATE={state}"), ("", ""), *rows]
        self.push_screen(KeysScreen(rows))
