"""Values over time, for plots: what is asked of the store for a span of time, and what to draw.

Nothing is computed but which of the store's figures fall into which column of the plot.
"""

import math
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from lampione.desk.present import FIELDS
from lampione.rollup.measures import SENSOR_OF

MEASURES = (
    "laeq", "lamp_level", "lamp_power", "pm2_5", "pm10", "no2", "o3", "temperature", "humidity",
    "lafmax", "vehicles_toward", "vehicles_away", "presence", "ambient_light", "voltage", "rssi",
    "board_temperature", "free_heap", "idle",
)  # fmt: skip
SPANS = {"hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0}
_RAW_S = 3 * 3600.0  # up to here every report, beyond it means
_ROWS_MAX = 10_000
_BY = (("5min", 300.0, 3 * 86400.0), ("hour", 3600.0, 60 * 86400.0), ("day", 86400.0, math.inf))
_GAP = 2.5  # of the usual distance
_LEAST_S, _MOST_S = 60.0, 4 * 366 * 86400.0
_TICKS_S = (
    60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
    1209600, 2592000, 7776000, 31536000,
)  # fmt: skip

Point = tuple[float, float]


class Window(NamedTuple):
    """A span of time, Unix seconds."""

    since: float
    until: float

    @property
    def length_s(self) -> float:
        """How long it is."""
        return self.until - self.since

    def zoomed(self, factor: float, now: float) -> "Window":
        """Return it shorter (factor below 1) or longer, with the same middle, not beyond now."""
        length = min(max(self.length_s * factor, _LEAST_S), _MOST_S)
        middle = (self.since + self.until) / 2
        return Window(middle - length / 2, middle + length / 2).ending_by(now)

    def moved(self, share: float, now: float) -> "Window":
        """Return it later by a share of its length, not beyond now."""
        by = share * self.length_s
        return Window(self.since + by, self.until + by).ending_by(now)

    def ending_by(self, now: float) -> "Window":
        """Return it so much earlier that it ends at `now` at the latest."""
        over = max(0.0, self.until - now)
        return Window(self.since - over, self.until - over)


class Series(NamedTuple):
    """What the store said.

    points: by time, those that are known.
    gap_s: points farther apart than this have nothing between them.
    each: what a point is, such as "mean of 5 min".
    """

    points: list[Point]
    gap_s: float
    unit: str
    each: str

    def pieces(self) -> list[list[Point]]:
        """Return the points without gaps between them."""
        found: list[list[Point]] = []
        for point in self.points:
            if not found or point[0] - found[-1][-1][0] > self.gap_s:
                found.append([])
            found[-1].append(point)
        return found


def message_of(measure: str) -> str:
    """Return the message that a measure is a field of."""
    return "report" if measure in FIELDS["report"] else "health"


def question(node: str, measure: str, window: Window) -> tuple[str, dict[str, Any]]:
    """Return the operation and its parameters that answer for a window."""
    if window.length_s <= _RAW_S:
        message = message_of(measure)
        fields = [measure, "valid"] if message == "report" else [measure]
        return "history", {
            "node": node, "message": message, "since": window.since, "until": window.until,
            "fields": fields, "limit": _ROWS_MAX,
        }  # fmt: skip
    by = next(by for by, _, most in _BY if window.length_s <= most)
    return "statistics", {
        "what": "values", "by": by, "since": window.since, "until": window.until,
        "nodes": [node], "measures": [measure],
    }  # fmt: skip


def read(answer: Mapping[str, Any], measure: str) -> Series:
    """Return the series of an answer to `question`."""
    if "message" in answer:
        return _of_history(answer, measure)
    fields = answer["fields"]
    at, mean, total, unit = (fields.index(name) for name in ("at", "mean", "total", "unit"))
    step = next(step for by, step, _ in _BY if by == answer["by"])
    counted = measure.startswith("vehicles")
    points = [
        (row[at] + step / 2, float(found))
        for row in answer["rows"]
        if (found := row[total] if counted else row[mean]) is not None
    ]
    units = [row[unit] for row in answer["rows"]]
    span = {"5min": "5 min", "hour": "an hour", "day": "a day"}[answer["by"]]
    each = f"counted in {span}" if counted else f"mean of {span}"
    return Series(points, _GAP * step, units[0] if units else "", each)


def _of_history(answer: Mapping[str, Any], measure: str) -> Series:
    fields = answer["fields"]
    n = fields.index(measure)
    valid = fields.index("valid") if "valid" in fields else None
    sensor = SENSOR_OF.get(measure)

    def vouched(row: Sequence[Any]) -> bool:
        return sensor is None or valid is None or row[valid] is None or sensor in row[valid]

    points = [
        (float(row[0]), float(row[n]))
        for row in answer["rows"]
        if row[n] is not None and vouched(row)
    ]
    times = [float(row[0]) for row in answer["rows"]]
    apart = sorted(b - a for a, b in pairwise(times))
    usual = apart[len(apart) // 2] if apart else 60.0
    message = answer["message"].lower()
    return Series(points, _GAP * max(usual, 1.0), answer["units"][n], f"every {message}")


def thinned(piece: Sequence[Point], since: float, column_s: float) -> list[Point]:
    """Return the first, least, greatest and last point of every column, in their order."""
    found: list[Point] = []
    begin = 0
    for end in range(1, len(piece) + 1):
        if end == len(piece) or _column(piece[end], since, column_s) != _column(
            piece[begin], since, column_s
        ):
            column = piece[begin:end]
            places = {
                0,
                len(column) - 1,
                min(range(len(column)), key=lambda i: column[i][1]),
                max(range(len(column)), key=lambda i: column[i][1]),
            }
            found += [column[i] for i in sorted(places)]
            begin = end
    return found


def _column(point: Point, since: float, column_s: float) -> int:
    return math.floor((point[0] - since) / column_s)


def scale(points: Sequence[Point], least: float = 1.0) -> tuple[float, float]:
    """Return the least and greatest value to draw, some room around the points."""
    if not points:
        return 0.0, least
    low, high = min(v for _, v in points), max(v for _, v in points)
    room = max((high - low) * 0.05, (least - (high - low)) / 2, 0.0)
    return low - room, high + room


def ticks(window: Window, most: int) -> list[tuple[float, str]]:
    """Return round times of this computer's clock within a window, and how they are written."""
    step = next((s for s in _TICKS_S if window.length_s / s <= max(most, 1)), _TICKS_S[-1])
    offset = time.localtime(window.since).tm_gmtoff
    first = math.ceil((window.since + offset) / step) * step - offset
    form = "%H:%M" if step < 86400 else "%a %d" if window.length_s < 15 * 86400 else "%d %b"
    if window.length_s > 400 * 86400:
        form = "%b %Y"
    count = math.floor((window.until - first) / step) + 1
    return [
        (at, time.strftime(form, time.localtime(at)))
        for at in (first + n * step for n in range(max(count, 0)))
    ]
