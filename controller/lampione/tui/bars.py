"""One-line widgets: titles, the header, what is said."""

from rich.segment import Segment
from textual import events
from textual.dom import DOMNode
from textual.reactive import reactive
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from lampione.tui.tones import style

_APART = "  "
_LEAST = 16  # letters of what is wrong
Part = tuple[str, str]
"""(tone or "", text)"""


class Title(Widget):
    """One line of text."""

    DEFAULT_CSS = "Title { height: 1; }"
    text: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render the text."""
        base = self.rich_style
        return Strip([Segment(self.text, base)]).adjust_cell_length(self.size.width, base)


class Parts(Widget):
    """One line of parts, those that fit: the least important are the last."""

    DEFAULT_CSS = "Parts { height: 1; padding: 0 1; }"
    parts: reactive[tuple[Part, ...]] = reactive(())
    last: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render what fits, and `last` at the right."""
        base = self.rich_style
        room = self.size.width - len(self.last) - 1
        segments = []
        used = 0
        for tone, whole in self.parts:
            text = whole
            if used + len(text) + 2 > room:
                if tone != "bad" or room - used < _LEAST:
                    continue
                text = text[: room - used - 3] + "…"  # what is wrong is said as far as it goes
            segments.append(Segment(text, base + style(self.app, tone)))
            segments.append(Segment("  ", base))
            used += len(text) + 2
        segments.append(Segment(" " * (self.size.width - used - len(self.last)), base))
        segments.append(Segment(self.last, base))
        return Strip(segments).adjust_cell_length(self.size.width, base)


class Header(Parts):
    """Connection, alarms, counts and rate on the left, the clock on the right."""

    DEFAULT_CSS = "Header { background: $boost; }"


class Said(Widget):
    """What was said last, above the keys; it goes after a while."""

    DEFAULT_CSS = """
    Said { height: 1; display: none; padding: 0 1; background: $panel; }
    Said.-shown { display: block; }
    """
    said: reactive[Part] = reactive(("", ""))

    def render_line(self, y: int) -> Strip:  # noqa: ARG002
        """Render it."""
        base = self.rich_style
        tone, text = self.said
        return Strip([Segment(text, base + style(self.app, tone))]).adjust_cell_length(
            self.size.width, base
        )


class Keys(Widget):
    """The keys of the view, in as many lines as they need; those that are not shown: `?`.

    One widget for all of them: Textual's own has one a key, and makes all anew with every focus.
    """

    DEFAULT_CSS = "Keys { height: 1; dock: bottom; background: $panel; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[str, str, str, DOMNode]] = []  # key, words, action, whose
        self._lines: list[list[tuple[str, str, str, DOMNode]]] = [[]]

    def on_mount(self) -> None:
        """Hear when other keys count."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is not self.screen:
            return
        found: dict[str, tuple[str, str, str, DOMNode]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in found:
                display = self.app.get_key_display(binding)
                found[binding.action] = display, binding.description, binding.action, active.node
        self._keys = list(found.values())
        self._arrange()

    def on_resize(self) -> None:
        """More or less of them stand in a line now."""
        self._arrange()

    def _arrange(self) -> None:
        self._lines = [[]]
        used = 0
        for one in self._keys:
            width = len(one[0]) + len(one[1]) + 1
            if used and used + width > self.size.width:
                self._lines.append([])
                used = 0
            self._lines[-1].append(one)
            used += width + len(_APART)
        self.styles.height = len(self._lines)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render one of the lines."""
        base = self.rich_style
        key_style = base + style(self.app, "head")
        segments: list[Segment] = []
        for key, words, _, _ in self._lines[y] if y < len(self._lines) else ():
            segments += [Segment(key, key_style), Segment(f" {words}{_APART}", base)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key does."""
        end = 0
        for key, words, action, node in self._lines[event.y] if event.y < len(self._lines) else ():
            end += len(key) + len(words) + 1 + len(_APART)
            if event.x < end:
                await self.app.run_action(action, node)
                return
