"""A plot of one measure over time; gaps are gaps."""

from collections.abc import Sequence

from textual_plot import AxisFormatter, HiResMode, PlotWidget

from lampione.desk.series import Series, Window, scale, thinned, ticks
from lampione.tui.tones import style

_LETTERS_A_TICK = 12


class _Clock(AxisFormatter):
    """Round times of this computer's clock; x counts from the window's begin."""

    def __init__(self, window: Window, most: int) -> None:
        self._ticks = {at - window.since: text for at, text in ticks(window, most)}

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:  # noqa: ARG002
        """Return where the ticks are."""
        return [at for at in self._ticks if min_ <= at <= max_]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Return what stands below them."""
        return [self._ticks.get(at, "") for at in ticks]


class Plot(PlotWidget, inherit_bindings=False):
    """Draws a series. Zooming and panning asks the store anew, so it is the view's."""

    DEFAULT_CSS = """
    Plot { display: none; }
    Plot Grid { padding: 0; }
    Plot > .plot--axis { color: $text-muted; }
    Plot > .plot--tick { color: $text; }
    """

    def __init__(self) -> None:
        super().__init__(allow_pan_and_zoom=False)
        self._shown: tuple[Series, Window] | None = None

    def on_mount(self) -> None:
        """Leave no more room around than letters need."""
        self.margin_top, self.margin_bottom, self.margin_left = 1, 2, 8
        super().on_mount()
        if self._shown is not None:
            self.draw(*self._shown)

    def on_resize(self) -> None:
        """Another width has other columns."""
        if self._shown is not None:
            self.draw(*self._shown)

    def draw(self, series: Series, window: Window) -> None:
        """Draw a window of a series."""
        self._shown = series, window
        if not self.size.width or not self.query("#legend"):
            return  # its parts are not there yet, or have gone
        self.clear()
        across = max(self.size.width - int(self.margin_left), 4)
        self.set_xlimits(0, window.length_s)
        self.set_ylimits(*scale(series.points))
        self.set_x_formatter(_Clock(window, across // _LETTERS_A_TICK))
        found = style(self.app, "note").color
        colour = "default" if found is None else found.name
        for piece in series.pieces():
            thin = thinned(piece, window.since, window.length_s / (2 * across))
            x, y = zip(*((at - window.since, value) for at, value in thin), strict=True)
            if len(x) == 1:
                self.scatter(x, y, marker_style=colour, hires_mode=HiResMode.BRAILLE)
            else:
                self.plot(x, y, line_style=colour, hires_mode=HiResMode.BRAILLE)
