"""A street's days, made up but plausible: what reports of one minute look like, in columns."""

from typing import Any

import numpy as np
from lampione import batch
from lampione.batch import UNKNOWN, Columns
from lampione_protocol import hour, schema


def fields(layout: batch.Fields) -> dict[str, tuple[int, int]]:
    """Return the range in steps of each field of a layout that is a number."""
    return {str(f[0]): (f[3], f[4]) for f in layout if f[1] not in "xyt"}


def columns_of(layout: batch.Fields, given: dict[str, Any]) -> Columns:
    """Return columns, clipped to the fields' ranges; what is not given is unknown."""
    count = max(np.size(values) for values in given.values())
    found = Columns()
    for name, (low, high) in fields(layout).items():
        values = given.get(name)
        found[name] = (
            np.full(count, UNKNOWN, np.int32)
            if values is None
            else np.clip(np.rint(np.broadcast_to(values, count)), low, high).astype(np.int32)
        )
    found.sound = np.ones(count, np.bool_)
    return found


def reports(
    rng: np.random.Generator, nodes: int, minutes: int, start: int, first: int = 1
) -> tuple[np.ndarray, np.ndarray, Columns]:
    """Return ids, times and columns of a report a minute of each node, by node then time.

    Air is an AR(1) walk about a slow daily wave, the same for all with a node's own offset and
    noise; sound follows the traffic of the hour; light and power follow the night.
    """
    ids = np.repeat(np.arange(first, first + nodes), minutes)
    at = np.tile(start + 60 * np.arange(minutes), nodes)
    day = at % 86400 / 86400
    busy = np.clip(1 - np.cos(2 * np.pi * (day - 0.15)), 0.1, 2) / 2
    noise = rng.normal(0, 1, (5, nodes, minutes))
    walk = np.empty_like(noise)
    walk[:, :, 0] = noise[:, :, 0]
    for n in range(1, minutes):
        walk[:, :, n] = 0.97 * walk[:, :, n - 1] + 0.25 * noise[:, :, n]
    w = walk.reshape(5, -1)
    own = np.repeat(rng.normal(0, 1, nodes), minutes)
    fine = np.clip(18 + 6 * w[0] + 2 * own, 1, None)
    laeq = 52 + 12 * busy + 2 * own + rng.normal(0, 2.5, len(ids))
    vehicles = rng.poisson(6 * busy, (2, len(ids)))
    dark = (day < 0.25) | (day > 0.75)
    lamp = np.where(dark, np.where(day < 0.2, 60, 100), 0)
    any_vehicle = vehicles.sum(0) > 2
    return ids, at, columns_of(
        schema.REPORT_FIELDS,
        {
            "start": at - schema.EPOCH_2020, "duration_s": 60, "clock": 2,
            "pm1": 2 * fine * 0.7, "pm2_5": 2 * fine, "pm10": 2 * fine * 1.4,
            "no2": 20 + 15 * busy + 3 * w[1], "o3": 30 - 10 * busy + 3 * w[2],
            "temperature": 10 * (14 + 5 * np.sin(2 * np.pi * day) + w[3]),
            "humidity": 60 + 5 * w[4],
            "laeq": 10 * laeq, "lafmax": 10 * (laeq + 9 + rng.exponential(3, len(ids))),
            "la10": 5 * (laeq + 3), "la50": 5 * (laeq - 2), "la90": 5 * (laeq - 6),
            "lceq": 5 * (laeq + 6), "sound_valid": 25,
            "vehicles_toward": vehicles[0], "vehicles_away": vehicles[1],
            "speed_mean": np.where(any_vehicle, 42 + rng.normal(0, 4, len(ids)), 0),
            "speed_max": np.where(any_vehicle, 55 + rng.normal(0, 6, len(ids)), 0),
            "presence": rng.poisson(2 * busy),
            "ambient_light": np.where(dark, 200, 200_000 * busy),
            "lamp_level": lamp, "lamp_reason": 1,
            "lamp_power": lamp * 1.2 + rng.normal(0, 0.6, len(ids)),
            "valid": 511, "faults": 0,
        },
    )  # fmt: skip


def health(
    rng: np.random.Generator, nodes: int, quarters: int, start: int, first: int = 1
) -> tuple[np.ndarray, np.ndarray, Columns]:
    """Return a Health every 15 minutes."""
    ids = np.repeat(np.arange(first, first + nodes), quarters)
    at = np.tile(start + 900 * np.arange(quarters), nodes)
    count = len(ids)
    own = np.repeat(rng.integers(1_000, 100_000, nodes), quarters)
    since = (at - start) / 3600
    return ids, at, columns_of(
        schema.HEALTH_FIELDS,
        {
            "time": at - schema.EPOCH_2020, "clock": 2, "energy": own + since * 6,
            "burn_hours": own // 20 + since, "voltage": 460 + rng.normal(0, 3, count),
            "board_temperature": 30 + rng.normal(0, 1, count),
            "rssi": -65 + rng.normal(0, 3, count),
            "free_heap": 70 + rng.normal(0, 3, count), "idle": 80 + rng.normal(0, 2, count),
        },
    )  # fmt: skip


def hours(
    rng: np.random.Generator, nodes: int, count: int, start: int, first: int = 1
) -> tuple[np.ndarray, np.ndarray, Columns]:
    """Return ten parts an hour of each node."""
    parts = hour.PARTS
    ids = np.repeat(np.arange(first, first + nodes), count * parts)
    at = np.tile(np.repeat(start + 3600 * np.arange(count), parts), nodes)
    part = np.tile(np.arange(parts), nodes * count)
    rows = nodes * count
    centre = 52 + rng.normal(0, 3, rows) - hour.LEVEL_LOW_DB
    bins = np.arange(96)
    shape = np.exp(-0.5 * ((bins - centre[:, None]) / 4) ** 2) + 0.15 * np.exp(
        -0.5 * ((bins - centre[:, None] - 9) / 5) ** 2
    )
    sound = rng.multinomial(28_800, shape / shape.sum(1, keepdims=True))
    speed = np.exp(-0.5 * ((np.arange(24) * 5 + 2.5 - 42) / 9) ** 2)
    speeds = rng.multinomial(rng.integers(3, 700, rows), speed / speed.sum())
    every = np.concatenate([sound, speeds], axis=1).reshape(-1, hour.BINS_A_PART)
    given: dict[str, Any] = {f"bin_{n}": every[:, n] for n in range(hour.BINS_A_PART)}
    given |= {"start": at - schema.EPOCH_2020, "part": part, "clock": 2}
    return ids, at, columns_of(hour.HOUR_FIELDS, given)
