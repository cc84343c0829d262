"""The district: streets in braille, a letter a node, coloured by what was chosen."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from lampione.desk import drawing, streets
from lampione.desk.braille import Floats
from lampione.desk.drawing import Cell
from lampione.desk.mapping import District, Sight
from lampione.desk.present import STATES
from lampione.desk.quantities import QUANTITIES, UNKNOWN, Quantity, Seen, severities
from lampione.desk.text import age, clean, filled
from lampione.desk.work import Answer
from lampione.tui.bars import Title
from lampione.tui.tones import style
from lampione.tui.view import View

_STEP = 0.25  # of what is seen, a key
_NEARER = 1 / 1.5
_BAR = 20  # letters of the scale's bar, at most


class MapWidget(Widget, inherit_bindings=False):
    """Draws; knows the sight and the node under the cursor.

    Attributes:
        renewals: how often the nodes were judged anew, for tests of what work is done.
    """

    class Moved(Message):
        """Another node is under the cursor, or another part of the map is seen."""

    class Opened(Message):
        """The user wants to see this node."""

        def __init__(self, node: str) -> None:
            super().__init__()
            self.node = node

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "pan(-1, 0)", "West", show=False),
        Binding("right,l", "pan(1, 0)", "East", show=False),
        Binding("up,k", "pan(0, -1)", "North", show=False),
        Binding("down,j", "pan(0, 1)", "South", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Nearer, farther", key_display="+ -"),
        Binding("minus", "zoom(-1)", "Farther", show=False),
        Binding("0", "fit", "All"),
        Binding("n", "next(1)", "Next"),
        Binding("N", "next(-1)", "Previous", show=False),
        Binding("enter", "open", "Values"),
    ]
    DEFAULT_CSS = "MapWidget { height: 1fr; }"
    can_focus = True

    def __init__(self) -> None:
        super().__init__()
        self.district = District({}, [])
        self.sight: Sight | None = None
        self.cursor: str | None = None
        self.renewals = 0
        self._marks: drawing.Marks | None = None
        self._degrees: Floats = streets.NONE
        self._segments: Floats = streets.NONE
        self._streets: tuple[Sight, list[str]] | None = None
        self._lines: list[list[Cell]] = []
        self._fits = True  # until somebody moves it

    def stand(self, district: District) -> None:
        """Nodes stand elsewhere, or there are others."""
        self.district = district
        self._segments = district.origin.segments(self._degrees)
        self._streets = None
        if district.place(self.cursor) is None:
            self.cursor = district.names[0] if district.names else None
        if self._fits:
            self.sight = None

    def pave(self, degrees: Floats) -> None:
        """Take streets, see `streets.parse`."""
        self._degrees = degrees
        self._segments = self.district.origin.segments(degrees)
        self._streets = None
        self._draw()

    def show(self, marks: drawing.Marks) -> None:
        """Show the nodes as they were judged."""
        self._marks = marks
        self.renewals += 1
        self._draw()

    def on_resize(self) -> None:
        """There is more or less room."""
        if self.sight is not None:
            self.sight = None if self._fits else self.sight.sized(*self.size)
        self._draw()

    def _draw(self) -> None:
        if self._marks is None or not self.size.width or not self.size.height:
            return
        if len(self._marks.places) != len(self.district.names):
            return  # judged before the nodes moved; it comes again
        if self.sight is None:
            self.sight = Sight.of(self.district.at, *self.size)
        if self._streets is None or self._streets[0] != self.sight:
            self._streets = self.sight, self.sight.streets(self._segments)
        self._lines = drawing.draw(
            self.district, self.sight, self._marks, self._streets[1], self.cursor
        )
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render a line of the map."""
        base = self.rich_style
        if y >= len(self._lines):
            return Strip.blank(self.size.width, base)
        segments = [
            Segment(clean("".join(letter for letter, _ in cells)), base + self._style(tone))
            for tone, group in groupby(self._lines[y], lambda cell: cell[1])
            if (cells := list(group))
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _style(self, tone: str) -> Style:
        if tone == "cursor":
            return Style(reverse=True, bold=True)
        if tone in (drawing.STREET, "name"):
            return Style(dim=True)
        return style(self.app, tone) + Style(bold=True)

    def _see(self, sight: Sight, *, fits: bool = False) -> None:
        self.sight, self._fits = sight, fits
        self._draw()
        self.post_message(self.Moved())

    def action_pan(self, columns: int, rows: int) -> None:
        """See what lies beside."""
        if self.sight is not None:
            width, height = self.size
            self._see(
                self.sight.moved(
                    columns * max(1, round(width * _STEP)), rows * max(1, round(height * _STEP))
                )
            )

    def action_zoom(self, by: int) -> None:
        """See it from nearer or farther, about the cursor's node where that is seen."""
        if self.sight is None:
            return
        nearer = self.sight.zoomed(_NEARER**by)
        n = self.district.place(self.cursor)
        if by > 0 and n is not None:
            at = self.district.at[n]
            column, row = self.sight.cells(at[None, :])[0].tolist()
            if 0 <= column < self.sight.columns and 0 <= row < self.sight.rows:
                share = 1 - nearer.scale / self.sight.scale
                nearer = nearer._replace(
                    east=nearer.east + (float(at[0]) - nearer.east) * share,
                    north=nearer.north + (float(at[1]) - nearer.north) * share,
                )
        self._see(nearer)

    def action_fit(self) -> None:
        """See all nodes."""
        self._see(Sight.of(self.district.at, *self.size), fits=True)

    def action_next(self, by: int) -> None:
        """Put the cursor on the next node by name, and see it."""
        names = self.district.names
        if names:
            n = self.district.place(self.cursor)
            self.go(names[(0 if n is None else n + by) % len(names)])

    def go(self, node: str) -> None:
        """Put the cursor on a node, and see it."""
        n = self.district.place(node)
        if n is None:
            return
        self.cursor = node
        sight = self.sight
        if sight is not None:
            held = sight.holding(self.district.at[n])
            self._fits = self._fits and held == sight
            self.sight = held
        self._draw()
        self.post_message(self.Moved())

    def action_open(self) -> None:
        """Ask for the values of the cursor's node."""
        if self.cursor is not None:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the node that was clicked; open what it is on already."""
        if self.sight is None or not self.district.names:
            return
        cells = self.sight.cells(self.district.at)
        far = abs(cells[:, 0] - event.x) + 2 * abs(cells[:, 1] - event.y)
        nearest = int(far.argmin())
        if far[nearest] <= 2:
            node = self.district.names[nearest]
            if node == self.cursor:
                self.action_open()
            self.go(node)


class MapView(View):
    """See the module."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "quantity(1)", "Colour by"),
        Binding("V", "quantity(-1)", "Colour by, back", show=False),
        Binding("o", "order", "Order"),
    ]
    DEFAULT_CSS = """
    MapView #head, MapView #node { background: $panel; padding: 0 1; }
    MapView #legend { height: auto; padding: 0 1; color: $text-muted; }
    """
    AUTO_FOCUS = "MapWidget"

    def __init__(self) -> None:
        super().__init__()
        self._quantity = 0
        self._wanted: str | None = None
        self._known: tuple[int, int] = (-1, -1)
        self._severities: dict[str, str] = {}

    @property
    def quantity(self) -> Quantity:
        """Return what the letters say."""
        return QUANTITIES[self._quantity]

    def argument(self, text: str) -> None:
        """Jump to a node, or show a quantity of this name."""
        keys = [quantity.key for quantity in QUANTITIES]
        if text in keys:
            self._quantity = keys.index(text)
            return
        if self.desk.fleet.get(text) is None:
            raise ValueError(f"there is no node {text!r}; or say {', '.join(keys)}")
        place = self.desk.sites.get(text)
        if place is None or place["latitude"] is None or place["longitude"] is None:
            raise ValueError(f"{text} has no position: give its site one in the fleet's file")
        self._wanted = text

    def here(self) -> str | None:
        """Return the node that keys are about."""
        return self.map.cursor

    def body(self) -> Iterable[Any]:
        """What is shown, the map, the legend, the cursor's node."""
        self._head = Title(id="head")
        self.map = MapWidget()
        self._legend = Static("", id="legend", markup=False)
        self._node = Title(id="node")
        yield self._head
        yield self.map
        yield self._legend
        yield self._node

    def on_mount(self) -> None:
        """Read the streets, beside the screen."""
        path = self.desk.streets
        if path is not None:
            self.desk.run(lambda _: streets.read(path), self._paved)

    def _paved(self, answer: Answer) -> None:
        if answer.error is not None:
            self.say(f"no streets: {answer.error}", "warning")
        elif len(answer.result):
            self.map.pave(answer.result)

    def renew(self, changed: frozenset[str]) -> None:
        """Judge the nodes anew, once a second: as often as their ages change."""
        if not self.map.is_mounted:
            return
        fleet = self.desk.fleet
        known = (fleet.total, id(self.desk.sites))
        if known != self._known:
            self._known = known
            names = fleet.names("", fleet.total)
            self.map.stand(District(self.desk.sites, names))
        elif "clock" not in changed:
            return
        self._judge()

    def _judge(self) -> None:
        self._severities = severities(self.desk.alarms.values())
        fleet, district = self.desk.fleet, self.map.district
        self.map.show(
            drawing.judged(district, self.quantity, fleet.get, self.desk.now(), self._severities)
        )
        if self._wanted is not None and district.place(self._wanted) is not None:
            self.map.go(self._wanted)
            self._wanted = None
        self._legend.update(self._letters())
        self._say_where()

    def _letters(self) -> Text:
        """Return what the letters mean; no entry is broken between lines."""
        bands = (*self.quantity.bands, UNKNOWN)
        text = Text()
        for line in filled(self.quantity.legend(), self.size.width - 2):
            text.append("\n" if text else "")
            for n in line:
                band = bands[n]
                text.append(band.letter, style(self.app, band.tone) + Style(bold=True))
                text.append(band.legend.removeprefix(band.letter) + "  ")
        return text

    def _say_where(self) -> None:
        district, sight = self.map.district, self.map.sight
        head = f"{self.quantity.title}   {len(district.names)} nodes"
        if district.without:
            head += f", {len(district.without)} without a position"
        if sight is not None and district.names:
            bar, length = sight.bar(_BAR)
            head += f"   ├{'─' * max(bar - 2, 0)}┤ {length}"
        if not district.names:
            head += "   no node has a position: the fleet's file gives them to sites"
        self._head.text = head
        self._node.text = self._told(self.map.cursor)

    def _told(self, node: str | None) -> str:
        """Say the values of a node in a line."""
        row = None if node is None else self.desk.fleet.get(node)
        if row is None:
            return ""
        now = self.desk.now()
        seen = Seen(row, now, self._severities.get(row["node"]))
        place = self.desk.sites.get(row["node"])
        received = row["report_at"]
        parts = [row["node"], row["site"], f"{STATES[row['state']][0]} {row['state']}"]
        if self.quantity.key != "state":
            band = self.quantity.band(self.quantity.judge(seen))
            told = UNKNOWN.word if band is UNKNOWN else self.quantity.told(seen)
            parts.append(f"{band.letter} {told}")
        parts.append(f"report {age(None if received is None else now - received)} old")
        if row["node"] in self.desk.tags:
            parts.append("▣ LOCKED")
        if place is not None and place["approximate"]:
            parts.append("(not surveyed)")
        return clean("  ".join(part for part in parts if part))

    def on_map_widget_moved(self) -> None:
        """Say what is seen now."""
        self._say_where()

    def on_map_widget_opened(self, event: MapWidget.Opened) -> None:
        """Show a node's values."""
        self.lampione.go("node", event.node)

    def action_quantity(self, by: int) -> None:
        """Colour the nodes by the next quantity."""
        self._quantity = (self._quantity + by) % len(QUANTITIES)
        self._judge()

    def action_order(self) -> None:
        """Ask for a command to give the cursor's node."""
        if self.map.cursor is not None:
            self.lampione.order([self.map.cursor])
