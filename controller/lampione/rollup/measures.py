"""Which fields are rolled up, and by which rule."""

from enum import IntEnum
from typing import NamedTuple

from lampione_protocol import hour, names, schema

FIVE_MINUTES, HOUR, DAY = LEVELS = (300, 3600, 86400)  # seconds, by UTC


class Rule(IntEnum):
    """How values of a bucket become one. The numbers are in packed blocks: append only."""

    PLAIN = 1  # n, seconds, sum, min, max
    ENERGY = 2  # seconds, and the mean-square energy over them, see `ENERGY_SCALE`
    COUNTER = 3  # a meter's reading at the bucket's first and last message
    HISTOGRAM = 4  # bins that add up


class Measure(NamedTuple):
    """A field of a message and the rule for it; `bins` of a histogram."""

    name: str
    kind: int
    field: str
    rule: Rule
    bins: int = 0


# Energy of a level L in dB over t seconds: ENERGY_SCALE * 10^(L/10) * t. A day at the scale's end,
# 122.2 dB, is 2.3e18 and fits 63 bits; at 20 dB a step of energy is 0.003 dB.
ENERGY_SCALE = 16

# Of each field of a report: the sensor that it is from, whose flag in `valid` speaks for it; the
# lamp's level is the node's own.
SENSOR_OF: dict[str, str | None] = {
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
    "lamp_level": None,
    "lamp_power": "energy",
}
_HEALTH = ("voltage", "board_temperature", "rssi", "free_heap", "outbox_depth")
LEVEL_BINS = hour.FIRST_SPEED_PART * hour.BINS_A_PART
SPEED_BINS = (hour.PARTS - hour.FIRST_SPEED_PART) * hour.BINS_A_PART

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        *(Measure(name, schema.REPORT, name, Rule.PLAIN) for name in SENSOR_OF),
        Measure("laeq_energy", schema.REPORT, "laeq", Rule.ENERGY),
        *(Measure(name, schema.HEALTH, name, Rule.PLAIN) for name in _HEALTH),
        Measure("energy", schema.HEALTH, "energy", Rule.COUNTER),
        Measure("burn_hours", schema.HEALTH, "burn_hours", Rule.COUNTER),
        Measure("sound_levels", schema.HOUR, "bin", Rule.HISTOGRAM, LEVEL_BINS),
        Measure("speeds", schema.HOUR, "bin", Rule.HISTOGRAM, SPEED_BINS),
    )
}


def validity_bit(field: str) -> int:
    """Return the flag in a report's `valid` that a field needs; 0: none."""
    sensor = SENSOR_OF.get(field)
    return 0 if sensor is None else 1 << names.SENSORS.index(sensor)


def of_kind(kind: int) -> list[Measure]:
    """Return the measures of a message."""
    return [measure for measure in MEASURES.values() if measure.kind == kind]
