"""Where a node stands: its position and a code that a phone's camera reads."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from lampione.desk.text import clean
from lampione.desk.where import NowhereError, Where, code, drawn, find
from lampione.tui.view import View

_BLACK_ON_WHITE = Style(color="#000000", bgcolor="#ffffff")


class Code(Widget):
    """A QR code. Without colour it is drawn for the theme's ground."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._modules = code(text)
        self.styles.width = len(self._modules[0])
        self.styles.height = (len(self._modules) + 1) // 2

    def render_line(self, y: int) -> Strip:
        """Render two rows of modules."""
        plain = self.app.no_color
        dark_ink = not plain or not self.app.current_theme.dark
        lines = drawn(self._modules, ink_dark=dark_ink)
        if y >= len(lines):
            return Strip.blank(self.size.width)
        return Strip([Segment(lines[y], Style.null() if plain else _BLACK_ON_WHITE)])


class WhereScreen(ModalScreen[None], inherit_bindings=False):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,W", "dismiss", "Back"),
    ]
    DEFAULT_CSS = """
    WhereScreen { align: center middle; }
    WhereScreen #box { width: auto; height: auto; padding: 0 1; background: $surface; }
    WhereScreen Static { width: auto; max-width: 76; height: auto; }
    """

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def compose(self) -> ComposeResult:
        """The words, the code."""
        words = [clean(line) for line in self.where.words()]
        if self.where.approximate:
            words[1] += ": look around there"
        with Vertical(id="box"):
            yield Static("\n".join(words), markup=False)
            yield Code(self.where.uri)
            yield Static("escape back", markup=False)


def show_where(view: View, node: str) -> None:
    """Show where a node stands, over a view; or say why that is not known."""
    try:
        found = find(view.desk.sites, node)
    except KeyError:
        view.say(f"nobody knows where {node} stands: it is not in the fleet's file", "warning")
    except NowhereError as error:
        view.say(str(error), "warning")
    else:
        view.app.push_screen(WhereScreen(found))
