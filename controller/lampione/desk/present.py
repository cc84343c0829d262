"""How a node looks to people: cells, glyphs, units. Shared by the tables and the screen.

Works on the core's dictionaries (`lampione.api.Node`); nothing here talks to anyone.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lampione_protocol.names import ALL_MESSAGES
from lampione_protocol.schema import EPOCH_2020

from lampione.desk.text import age

UNKNOWN = "–"
Row = Mapping[str, Any]
"""A node as the core says it (`lampione.api.Node`), with `site` added."""

STATES = {
    "online": ("●", "green"),
    "silent": ("◐", "yellow"),
    "offline": ("○", "red"),
    "never": ("·", "dim"),
}
_STATE_ORDER = {"offline": 0, "silent": 1, "never": 2, "online": 3}
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


def is_stale(row: Row, now: float) -> bool:
    """Say whether the last report is old: two of its durations and 5 s late, or none came."""
    received = row["report_at"]
    if received is None:
        return True
    duration: float = row["report"].get("duration_s") or 60
    return bool(now - received > 3 * duration + 5)


def _level(row: Row) -> str:
    level = row["report"].get("lamp_level")
    if level is None:
        return UNKNOWN
    return f"{level} % {row['report'].get('lamp_reason') or UNKNOWN}"


def _report(field: str) -> Callable[[Row, float], str]:
    return lambda row, _: value("report", field, row["report"].get(field))


def _gaps(row: Row) -> str:
    missing, lost = row["missing"], row["lost"]
    return f"{missing}+{lost} lost" if lost else str(missing)


def _number(found: float | None) -> tuple[bool, float]:
    return found is None, -(found or 0)


class Column(NamedTuple):
    """One column of the fleet.

    least: the narrowest terminal that shows it.
    order: what to sort by; most urgent first.
    """

    key: str
    head: str
    width: int
    right: bool
    cell: Callable[[Row, float], str]
    order: Callable[[Row], Any]
    least: int = 0


COLUMNS = (
    Column("node", "node", 16, False, lambda r, _: r["node"], lambda r: r["node"]),
    Column("site", "site", 24, False, lambda r, _: r["site"] or UNKNOWN, lambda r: r["site"], 100),
    Column(
        "state",
        "state",
        9,
        False,
        lambda r, _: f"{STATES[r['state']][0]} {r['state']}",
        lambda r: _STATE_ORDER[r["state"]],
    ),
    Column(
        "level",
        "lamp",
        14,
        False,
        lambda r, _: _level(r),
        lambda r: _number(r["report"].get("lamp_level")),
    ),
    Column(
        "laeq",
        "LAeq dB",
        7,
        True,
        _report("laeq"),
        lambda r: _number(r["report"].get("laeq")),
    ),
    Column(
        "temperature",
        "°C",
        5,
        True,
        _report("temperature"),
        lambda r: _number(r["report"].get("temperature")),
    ),
    Column(
        "humidity",
        "% RH",
        5,
        True,
        _report("humidity"),
        lambda r: _number(r["report"].get("humidity")),
        124,
    ),
    Column(
        "la90", "LA90", 5, True, _report("la90"), lambda r: _number(r["report"].get("la90")), 124
    ),
    Column(
        "lafmax",
        "LAFmax",
        6,
        True,
        _report("lafmax"),
        lambda r: _number(r["report"].get("lafmax")),
        124,
    ),
    Column(
        "age",
        "age",
        4,
        True,
        lambda r, now: age(None if r["report_at"] is None else now - r["report_at"]),
        lambda r: r["report_at"] or 0,
    ),
    Column("gaps", "gaps", 4, True, lambda r, _: _gaps(r), lambda r: -r["missing"] - r["lost"]),
)


def flat(row: Row) -> dict[str, Any]:
    """Return a node for JSON: as the core says it, with its site, without `changed`."""
    return {k: v for k, v in row.items() if k != "changed"}
