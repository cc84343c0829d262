"""`lampione show`: one node whole, a measure of it over time, or its lamp's night."""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, columns, printer, rows
from lampione.core.client import Client, CoreError
from lampione.desk import chart, present, series, tonight
from lampione.desk.describe import describe
from lampione.desk.text import age, clean
from lampione.live.places import names

_ROWS = 24  # of a plot, at most


def show(options: argparse.Namespace) -> int:
    """`lampione show NODE`."""
    out = printer(options)
    with core(options) as client:
        if options.plot is not None:
            return _plot(options, out, client)
        detail = client.call("show", node=options.node)
        if options.tonight:
            return _tonight(options, out, client, detail)
        detail["site"] = names(client.call("places")).get(options.node)
    if out.as_json:
        out.json(detail)
        return OK
    glyph, colour = present.STATES[detail["state"]]
    out.line(
        f"{out.paint(detail['node'], 'bold')}  {detail['site'] or ''}  "
        f"{out.paint(glyph + ' ' + detail['state'], colour)}"
    )
    now = time.time()
    tag = detail["tag"]
    if tag is not None:
        why = f"{clean(tag['operator'])}, {age(now - tag['at'])} ago: {clean(tag['reason'])}"
        out.line(out.paint(f"LOCKED OFF by {why}", "yellow"))
    for heading, facts in describe(detail, now):
        out.line()
        out.line(out.paint(heading, "bold"))
        for name, text in facts:
            shown = f"  {name:<20}{text}"
            out.line(out.paint(shown, "dim") if text == present.UNKNOWN else shown)
    return OK


def _plot(options: argparse.Namespace, out: Printer, client: Client) -> int:
    measure = options.plot
    if measure not in series.MEASURES:
        raise CliError(f"{measure!r} is not drawn: {', '.join(series.MEASURES)} are", USAGE)
    now = time.time()
    window = series.Window(now - options.since_s, now)
    op, parameters = series.question(options.node, measure, window)
    found = series.read(client.call(op, **parameters), measure)
    if out.as_json:
        for at, value in found.points:
            out.json({"node": options.node, "measure": measure, "unit": found.unit,
                      "each": found.each, "at": at, "value": value})  # fmt: skip
    elif not found.points:
        out.line(f"nothing is known of {measure} of {options.node} in that time")
    else:
        unit = f" {found.unit}" if found.unit else ""
        out.line(out.paint(f"{options.node}  {measure}{unit}, {found.each}", "bold"))
        for line in chart.lines(found, window, columns(), min(rows() - 2, _ROWS)):
            out.line(line)
    return OK


def _tonight(
    options: argparse.Namespace, out: Printer, client: Client, detail: dict[str, Any]
) -> int:
    now = time.time()
    try:
        config = client.call("configs", nodes=[options.node], blobs=True)[0]
    except CoreError:  # whoever may not see configs asks the fleet's file
        config = None
    try:
        found = tonight.find(
            config, options.state, options.node, now, detail["health"].get("burn_hours")
        )
    except tonight.NoNight as error:
        raise CliError(f"nothing is known of tonight: {error}") from None
    if out.as_json:
        for line in _changes(options.node, found, now):
            out.json(line)
        return OK
    out.line(out.paint(f"{options.node}  tonight, from {found.source}", "bold"))
    following = found.next(now)
    for change in found.changes:
        mark = "next" if change is following else "over" if change.at <= now else ""
        text = f"  {present.clock(change.at, '%d %b %H:%M')}  {clean(change.told)}  {mark}"
        out.line(
            out.paint(text.rstrip(), *(("bold",) if mark == "next" else ("dim",) if mark else ()))
        )
    if not found.changes:
        out.line("  the lamp stays dark: the sun does not set")
    out.line(out.paint(tonight.NOTE, "dim"))
    return OK


def _changes(node: str, found: tonight.Tonight, now: float) -> Iterator[dict[str, Any]]:
    for change in found.changes:
        yield {
            "node": node,
            "at": change.at,
            "level_percent": change.level,
            "over_s": change.over_s,
            "what": change.what,
            "over": change.at <= now,
            "source": found.source,
        }
