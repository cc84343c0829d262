"""What the node says once an hour: histograms of sound and speeds, and uncorrected means."""

from array import array

from lampione_protocol.hour import BINS_A_PART, FIRST_SPEED_PART, HOUR_FIELDS, PARTS, RAW_FIELDS
from lampione_protocol.schema import HOUR, RAW
from micropython import const

_START = const(0)
_PART = const(1)
_TOWARD = const(2)
_V85 = const(4)
_TOO_FEW = const(5)
_BINS = const(6)  # the first of the twelve
_OCCUPANCY = const(18)
_CLOCK = const(19)
_RAW_AIR = const(10)  # temperature, humidity
_LONGEST_S = const(8190)
_SOUND = const(4)
_RADAR = const(5)
_FEW = const(3)  # the schema's rule: no speeds of fewer vehicles


class Hour:
    """An hour's counts, as the parts fill them in.

    levels: 96 bins of 1 dB from 24 dB, of LAF every 125 ms. speeds: 24 bins of 5 km/h from 0.
    toward, away: vehicles, or None. v85: km/h, or None. occupancy: percent, or None.
    """

    def __init__(self):
        self.levels = array("H", [0] * (FIRST_SPEED_PART * BINS_A_PART))
        self.speeds = array("H", [0] * ((PARTS - FIRST_SPEED_PART) * BINS_A_PART))
        self.toward = self.away = 0
        self.v85 = self.occupancy = None
        self.v85_too_few = 1


def post_hour(post, parts, air, start: int, duration_s: int, clock: int) -> None:
    """Post the hour that began at `start`; the parts begin their next.

    `parts` are those with `fill_hour(hour)` or `fill_raw(values)`.
    """
    counts = Hour()
    sound = radar = raw = False
    for part in parts:
        sound = sound or part.sensor == _SOUND
        radar = radar or part.sensor == _RADAR
        raw = raw or hasattr(part, "fill_raw")
        if hasattr(part, "fill_hour"):
            part.fill_hour(counts)
    hidden = counts.toward is None or counts.toward + counts.away < _FEW
    values = [None] * len(HOUR_FIELDS)
    values[_START] = start
    values[_CLOCK] = clock
    values[_TOO_FEW] = counts.v85_too_few
    if radar:
        values[_TOWARD] = counts.toward
        values[_TOWARD + 1] = counts.away
        values[_V85] = None if hidden else counts.v85
        values[_OCCUPANCY] = None if hidden else counts.occupancy
    for number in range(PARTS):
        first = number * BINS_A_PART
        bins = counts.levels
        if number < FIRST_SPEED_PART:
            if not sound:
                continue
        elif not radar:
            break
        else:
            first -= FIRST_SPEED_PART * BINS_A_PART
            bins = None if hidden else counts.speeds
        values[_PART] = number
        for i in range(BINS_A_PART):
            values[_BINS + i] = bins[first + i] if bins else None
        post.send(HOUR, HOUR_FIELDS, values)
    if raw:
        values = [None] * len(RAW_FIELDS)
        values[0] = start
        values[1] = min(duration_s, _LONGEST_S)
        values[2] = clock
        values[_RAW_AIR], values[_RAW_AIR + 1] = air.get()
        for part in parts:
            if hasattr(part, "fill_raw"):
                part.fill_raw(values)
        post.send(RAW, RAW_FIELDS, values)
