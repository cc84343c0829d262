"""The fleet's columns: those that come by themselves, and one for any field that is asked for."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from lampione.desk.present import (
    FIELDS,
    STATES,
    UNKNOWN,
    Row,
    air_band,
    reported,
    value,
    vehicles,
)
from lampione.desk.text import age

_STATE_ORDER = {"offline": 0, "silent": 1, "never": 2, "online": 3}
_BANDS = ("good", "fair", "mod.", "poor", "v.poor", "e.poor")
BETWEEN = 2  # cells


def _air(row: Row, _: float) -> str:
    band = air_band(row)
    return UNKNOWN if band is None else f"{band} {_BANDS[band - 1]}"


def _level(row: Row) -> str:
    level = row["report"].get("lamp_level")
    if level is None:
        return UNKNOWN
    return f"{level} % {row['report'].get('lamp_reason') or UNKNOWN}"


def _report(field: str) -> Callable[[Row, float], str]:
    return lambda row, _: value("report", field, reported(row, field))


def _by(field: str) -> Callable[[Row], Any]:
    return lambda row: _number(reported(row, field))


def _gaps(row: Row) -> str:
    missing, lost = _short(row["missing"]), _short(row["lost"])
    return f"{missing}+{lost}" if row["lost"] else missing


def _short(count: int) -> str:
    return str(count) if count < 1000 else f"{count // 1000}k"


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
    Column("site", "site", 24, False, lambda r, _: r["site"] or UNKNOWN, lambda r: r["site"], 119),
    Column(
        "state",
        "state",
        9,
        False,
        lambda r, _: f"{STATES[r['state']][0]} {r['state']}",
        lambda r: _STATE_ORDER[r["state"]],
    ),
    Column("level", "lamp", 14, False, lambda r, _: _level(r), _by("lamp_level")),
    Column("laeq", "LAeq dB", 7, True, _report("laeq"), _by("laeq")),
    Column("air", "air now", 7, False, _air, lambda r: _number(air_band(r))),
    Column(
        "vehicles", "veh", 4, True, lambda r, _: value("report", "vehicles_toward", vehicles(r)),
        lambda r: _number(vehicles(r)), 84,
    ),
    Column("power", "W", 5, True, _report("lamp_power"), _by("lamp_power")),
    Column("temperature", "°C", 5, True, _report("temperature"), _by("temperature"), 126),
    Column("humidity", "% RH", 5, True, _report("humidity"), _by("humidity"), 133),
    Column("la90", "LA90", 5, True, _report("la90"), _by("la90"), 140),
    Column("lafmax", "LAFmax", 6, True, _report("lafmax"), _by("lafmax"), 148),
    Column(
        "age",
        "age",
        4,
        True,
        lambda r, now: age(None if r["report_at"] is None else now - r["report_at"]),
        lambda r: r["report_at"] or 0,
    ),
    Column(
        "gaps", "gaps", 7, True, lambda r, _: _gaps(r), lambda r: -r["missing"] - r["lost"], 93
    ),
)  # fmt: skip

_BY_KEY = {column.key: column for column in COLUMNS}


class ColumnError(ValueError):
    """Not columns; the text says what is wrong."""


@cache
def column(key: str) -> Column:
    """Return a column by its key, or one of a field of report, health or hello.

    Raises ColumnError.
    """
    found = _BY_KEY.get(key)
    if found is not None:
        return found
    message, _, name = key.rpartition(".")
    for of in ("report", "health", "hello"):
        if message in ("", of) and name in FIELDS[of]:
            return _of_field(key, of, name)
    known = ", ".join(_BY_KEY)
    raise ColumnError(f"there is no column {key!r}: {known}, or a field as in `lampione show`")


def _of_field(key: str, message: str, name: str) -> Column:
    def read(row: Row) -> Any:
        return reported(row, name) if message == "report" else row[message].get(name)

    def order(row: Row) -> tuple[bool, float, str]:
        found = read(row)
        if isinstance(found, int | float):
            return False, -found, ""
        return found is None, 0.0, "" if found is None else str(found)

    head = f"{name} {FIELDS[message][name].unit}".rstrip()
    return Column(
        key, head, max(8, len(head)), True, lambda row, _: value(message, name, read(row)), order
    )


def keys_of(text: str) -> tuple[str, ...]:
    """Return the keys of `laeq,rssi`, the node's first; none for no text. Raises ColumnError."""
    keys = [key for part in text.replace(",", " ").lower().split() if (key := column(part).key)]
    return tuple(dict.fromkeys(["node", *keys])) if keys else ()


def shown(keys: Sequence[str], width: int) -> list[Column]:
    """Return these columns, or those that come by themselves, as far as a terminal has room."""
    if not keys:
        return [c for c in COLUMNS if width >= c.least]
    found: list[Column] = []
    left = width - 1 - BETWEEN  # the edge and the scroll bar
    for key in keys:
        left -= column(key).width + BETWEEN
        if found and left < -BETWEEN:
            break
        found.append(column(key))
    return found
