"""Which fields are rolled up, and how, as data."""

import enum
from typing import NamedTuple

from lampione_protocol import hour, names, schema

LEVELS = (300, 3600, 86400)  # seconds of a bucket; buckets are aligned to UTC
BLOCK = 1024  # nodes that are rolled up together; block b: ids from b * BLOCK on


class Kind(enum.IntEnum):
    """How values of a bucket become one. Stored: append-only."""

    MEAN = 1  # n, seconds, sum of steps x seconds, min, max: of what lasts as long as its report
    TOTAL = 2  # n, seconds, sum, min, max: of what was counted in the time of a report
    SAMPLE = 3  # n, sum, min, max: of what was true at an instant
    ENERGY = 4  # n, seconds, sum of `ENERGY_STEPS` x 10^(L/10) x seconds, of levels L in dB
    HISTOGRAM = 5  # bins
    COUNTER = 6  # n, first, last: time and value of a counter, which may start anew


class Measure(NamedTuple):
    """What is rolled up of a field."""

    message: int
    field: str  # HISTOGRAM: of the hour's bins, see `first_part`
    kind: Kind
    first_part: int = 0  # of an Hour message, HISTOGRAM alone
    parts: int = 0
    levels: tuple[int, ...] = LEVELS

    @property
    def bins(self) -> int:
        """How many bins a histogram has."""
        return self.parts * hour.BINS_A_PART


_MEANS = (
    "pm1",
    "pm2_5",
    "pm10",
    "no2",
    "o3",
    "temperature",
    "humidity",
    "lafmax",
    "sound_valid",
    "presence",
    "ambient_light",
    "lamp_level",
    "lamp_power",
)
_TOTALS = ("vehicles_toward", "vehicles_away")
_SAMPLES = ("voltage", "board_temperature", "rssi", "free_heap", "idle")
_COUNTERS = ("energy", "burn_hours")
_HOURS = LEVELS[1:]
_SPEEDS = hour.FIRST_SPEED_PART

MEASURES: dict[str, Measure] = {
    **{name: Measure(schema.REPORT, name, Kind.MEAN) for name in _MEANS},
    "speed_max": Measure(schema.REPORT, "speed_max", Kind.SAMPLE),
    **{name: Measure(schema.REPORT, name, Kind.TOTAL) for name in _TOTALS},
    "laeq_energy": Measure(schema.REPORT, "laeq", Kind.ENERGY),
    **{name: Measure(schema.HEALTH, name, Kind.SAMPLE) for name in _SAMPLES},
    **{name: Measure(schema.HEALTH, name, Kind.COUNTER) for name in _COUNTERS},
    "sound_levels": Measure(schema.HOUR, "bin", Kind.HISTOGRAM, 0, _SPEEDS, _HOURS),
    "speeds": Measure(schema.HOUR, "bin", Kind.HISTOGRAM, _SPEEDS, hour.PARTS - _SPEEDS, _HOURS),
}
"""By name. Stored under these names: append-only."""

ENERGY_STEPS = 16  # fine enough for 20 dB: 0.001 dB
COUNTER_BITS = 24  # of a counter's value; its time stands above them

SENSOR_OF = {
    "pm1": "particulates",
    "pm2_5": "particulates",
    "pm10": "particulates",
    "no2": "no2",
    "o3": "o3",
    "temperature": "climate",
    "humidity": "climate",
    "laeq": "sound",
    "lafmax": "sound",
    "la10": "sound",
    "la50": "sound",
    "la90": "sound",
    "lceq": "sound",
    "sound_valid": "sound",
    "vehicles_toward": "radar",
    "vehicles_away": "radar",
    "speed_mean": "radar",
    "speed_max": "radar",
    "presence": "radar",
    "ambient_light": "light",
    "lamp_power": "energy",
}
"""Field of a report to the sensor whose flag in `valid` speaks for it; others need none."""


def validity_bit(field: str) -> int:
    """Return the flag in a report's `valid` that a field needs; 0: none."""
    sensor = SENSOR_OF.get(field)
    return 0 if sensor is None else 1 << names.SENSORS.index(sensor)
