"""`lampione statistics`: figures of hours to years."""

import argparse
import time
import zoneinfo
from datetime import date, datetime
from typing import Any

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import printer
from lampione.core.zone import fleet_zone
from lampione.desk import present

_BY = {
    "values": "hour",
    "noise": "day",
    "air": "hour",
    "limits": "year",
    "traffic": "day",
    "energy": "month",
}
_PATIENCE_S = 600.0  # years of a whole city take a while
_SINCE_S = {"5min": 3600.0, "hour": 86400.0, "day": 7 * 86400.0}
_FORMS = {"5min": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d",
          "month": "%Y-%m", "year": "%Y"}  # fmt: skip
_WORDS = frozenset({"at", "node", "measure", "unit", "index", "of", "pollutant", "over", "verdict"})


def statistics(options: argparse.Namespace) -> int:
    """`lampione statistics`."""
    wanted = _question(options)
    out = printer(options)
    with core(options) as client:
        found = client.call("statistics", timeout_s=_PATIENCE_S, **wanted)
    rows, fields = found["rows"], found["fields"]
    if out.as_json:
        for row in rows:
            out.json(dict(zip(fields, row, strict=True)))
        return OK
    if not rows:
        out.line("nothing is known of this time: what came in the last minutes follows soon")
        return OK
    zone = zoneinfo.ZoneInfo(found["zone"])
    shown = [n for n in range(len(fields)) if any(row[n] is not None for row in rows)]
    heads = [_head(fields[n], found["units"][n]) for n in shown]
    out.table(
        heads,
        ([_cell(fields[n], row[n], found["by"], zone) for n in shown] for row in rows),
        right=frozenset(
            head for n, head in zip(shown, heads, strict=True) if fields[n] not in _WORDS
        ),
        keys=sum(fields[n] in ("at", "node") for n in shown),
    )
    for note in found["notes"]:
        out.line(out.paint(note, "dim"))
    return OK


def _question(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the core's operation."""
    if options.nodes and options.all:
        raise CliError("give either nodes or --all, which is every node", USAGE)
    if not options.nodes and not options.all:
        raise CliError("name the nodes, or say --all", USAGE)
    if options.immission_class and options.noise != "it":
        raise CliError("--class goes with --noise it", USAGE)
    what = "noise" if options.noise else "values"
    for word in ("air", "limits", "traffic", "energy"):
        if getattr(options, word):
            what = word
    by = options.by or _BY[what]
    zone_name = options.zone or fleet_zone(options.state)
    try:
        zone = zoneinfo.ZoneInfo(zone_name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise CliError(
            f"{zone_name!r} is not a time zone: write one as Europe/Rome", USAGE
        ) from None
    now = time.time()
    until = now if options.until is None else _at(options.until, now, zone)
    if options.since is not None:
        since = _at(options.since, now, zone)
    elif by in _SINCE_S:
        since = until - _SINCE_S[by]
    else:
        since = _at(datetime.fromtimestamp(until, zone).date().replace(month=1, day=1), now, zone)
    wanted = {
        "what": what,
        "by": by,
        "since": since,
        "until": until,
        "nodes": options.nodes or None,
        "together": options.together,
        "measures": options.measure.split(",") if options.measure else None,
        "zone": zone_name,
        "periods": options.noise,
        "immission_class": options.immission_class,
    }
    if since >= until:
        raise CliError("the time asked for ends before it begins", USAGE)
    return {name: value for name, value in wanted.items() if value is not None}


def _at(moment: float | date, now: float, zone: zoneinfo.ZoneInfo) -> float:
    """Return the Unix time of so long ago, or of a day's begin."""
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=zone).timestamp()
    return now - moment


def _head(field: str, unit: str) -> str:
    if field == "at":
        return "from"
    return f"{field} {unit}".strip()


def _cell(field: str, found: Any, by: str, zone: zoneinfo.ZoneInfo) -> str:
    if found is None:
        return present.UNKNOWN
    if field == "at":
        return datetime.fromtimestamp(found, zone).strftime(_FORMS[by])
    if field == "too_few":
        return "too few" if found else ""
    return str(found)
