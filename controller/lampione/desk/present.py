"""How a node looks to people: cells, glyphs, units. Shared by the tables and the screen.

Works on the core's dictionaries (`lampione.api.Node`); nothing here talks to anyone.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lampione_protocol.names import ALL_MESSAGES
from lampione_protocol.schema import EPOCH_2020

from lampione.live.meaning import SENSOR_FAULTS
from lampione.rollup import air
from lampione.rollup.measures import SENSOR_OF

UNKNOWN = "–"
Row = Mapping[str, Any]
"""A node as the core says it (`lampione.api.Node`), with `site` added."""

STATES = {
    "online": ("●", "green"),
    "silent": ("◐", "yellow"),
    "offline": ("○", "red"),
    "never": ("·", "dim"),
}
TIMES = frozenset({"start", "time", "expires"})
_CLOCK_UNSET = EPOCH_2020 + 365 * 86400  # nodes count from 2020 until their clock is set


class Field(NamedTuple):
    """unit: as people read it; digits: behind the point, as many as the resolution deserves."""

    unit: str
    digits: int


def _digits(steps: int) -> int:
    return 0 if steps <= 1 else 1


FIELDS: dict[str, dict[str, Field]] = {
    name.lower(): {
        f[0]: Field(f[6], 0 if f[1] == "m" else _digits(f[5])) for f in fields if f[1] != "x"
    }
    for _, name, fields in ALL_MESSAGES
}


def clock(unix_s: float | None, form: str = "%H:%M:%S") -> str:
    """Write a time of day, in this computer's zone."""
    return UNKNOWN if unix_s is None else time.strftime(form, time.localtime(unix_s))


def when(at: float, now: float) -> str:
    """Write a time in eleven characters: of the day, and which, unless it is today."""
    today = time.localtime(at)[:3] == time.localtime(now)[:3]
    return clock(at, "%H:%M:%S" if today else "%m-%d %H:%M")


def value(message: str, field: str, found: Any) -> str:
    """Write one field's value without its unit; `–` when unknown."""
    if found is None:
        return UNKNOWN
    if isinstance(found, list | tuple):
        return ", ".join(map(str, found)) or "none"
    if isinstance(found, bool) or not isinstance(found, int | float):
        return str(found)
    if field in TIMES:
        if found < _CLOCK_UNSET:
            return f"{found - EPOCH_2020:.0f} s after boot"
        return clock(found, "%Y-%m-%d %H:%M:%S")
    if field == "firmware" and isinstance(found, int):
        return f"{found >> 12}.{found >> 6 & 63}.{found & 63}"
    digits = FIELDS.get(message, {}).get(field, Field("", 1)).digits
    return f"{found:.{digits}f}"


def with_unit(message: str, field: str, found: Any) -> str:
    """Write one field's value with its unit."""
    text = value(message, field, found)
    unit = FIELDS.get(message, {}).get(field, Field("", 1)).unit
    return text if text == UNKNOWN or not unit or field in TIMES else f"{text} {unit}"


def reported(row: Row, field: str) -> Any:
    """Return a value of the report; None where its sensor said that it does not count."""
    report = row["report"]
    sensor = SENSOR_OF.get(field)
    valid = report.get("valid")
    if sensor is not None and valid is not None and sensor not in valid:
        return None
    return report.get(field)


def faults(row: Row) -> list[str]:
    """Return what is the matter with a node, in words; without alarms and locks."""
    found = [row["state"]] if row["state"] in ("offline", "silent") else []
    found += row["report"].get("faults") or []
    for field, state in row["health"].items():
        if field.startswith("state_") and state in SENSOR_FAULTS:
            found.append(f"{field[6:]} {state}")
    return found


def troubled(alarms: Iterable[Any], tags: Iterable[Any]) -> set[str]:
    """Return the nodes that have an alarm (`api.Alarm`) or a lock (`api.Tag`)."""
    found = {tag["node"] for tag in tags}
    for alarm in alarms:
        if alarm["active"]:
            found.update(alarm.get("members") or ([alarm["node"]] if alarm.get("node") else ()))
    return found


def air_band(row: Row) -> int | None:
    """Return the European index's band, 1 good to 6, of this minute's worst pollutant.

    The index itself is of means of an hour: `lampione statistics --air`.
    """
    bands = []
    for pollutant, edges in air.EDGES.items():
        found = reported(row, pollutant)
        if found is not None:
            bands.append(bisect_left(edges, found * air.UGM3_A_PPB.get(pollutant, 1.0)) + 1)
    return max(bands, default=None)


def vehicles(row: Row) -> int | None:
    """Return how many vehicles the report counts, both ways."""
    ways = [reported(row, f"vehicles_{way}") for way in ("toward", "away")]
    known = [way for way in ways if way is not None]
    return sum(known) if known else None


def is_stale(row: Row, now: float) -> bool:
    """Say whether the last report is old: two of its durations and 5 s late, or none came."""
    received = row["report_at"]
    if received is None:
        return True
    duration: float = row["report"].get("duration_s") or 60
    return bool(now - received > 3 * duration + 5)


def flat(row: Row) -> dict[str, Any]:
    """Return a node for JSON: as the core says it, with its site, without `changed`."""
    return {k: v for k, v in row.items() if k != "changed"}
