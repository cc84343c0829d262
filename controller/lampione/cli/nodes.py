"""`nodes`: the fleet, or those nodes of it that a question is about."""

import argparse
import time
from typing import Any

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.fleet import core, print_nodes
from lampione.cli.output import Printer, printer
from lampione.cli.views import of
from lampione.core.client import every_node
from lampione.desk import present
from lampione.desk.columns import ColumnError
from lampione.desk.fleet import FilterError, Fleet
from lampione.desk.saved import SavedView
from lampione.desk.text import age
from lampione.live.places import names

_OWN = ("node", "site", "state", "age")


def nodes(options: argparse.Namespace) -> int:
    """`lampione nodes`."""
    asked = {
        "where": options.where,
        "sort": options.sort,
        "top": options.top,
        "fields": None if options.fields is None else options.fields.split(","),
    }
    if options.summary or any(value is not None for value in asked.values()):
        return _select(options, {**asked, "ascending": options.ascending})
    out = printer(options)
    with core(options) as client:
        rows = list(every_node(client))
        sites = names(client.call("places"))
        troubled = present.troubled(client.call("alarms"), client.call("tags"))
    view = of(options)
    rows = _chosen(view, rows, sites, troubled)
    if out.as_json:
        for row in rows:
            out.json(present.flat(row))
    elif rows:
        print_nodes(out, rows, time.time(), view.columns)
    elif options.filter or options.faults or options.view:
        out.line("no node is like that")
    else:
        out.line("no node is known yet: make keys with `lampione keys new`")
    return OK


def _chosen(
    view: SavedView, rows: list[Any], sites: dict[str, str], troubled: set[str]
) -> list[Any]:
    """Return the rows of a view, in its order, with their sites."""
    fleet = Fleet(sites)
    fleet.faults_only, fleet.troubled = view.faults_only, troubled
    fleet.update(rows)
    try:
        fleet.arrange(words=view.words, sort=view.sort, descending=view.descending)
    except (FilterError, ColumnError) as error:
        raise CliError(f"--filter: {error}", USAGE) from None
    return [fleet.at(number) for number in range(len(fleet))]


def _select(options: argparse.Namespace, asked: dict[str, Any]) -> int:
    out = printer(options)
    if options.summary:
        asked["top"] = 0
    with core(options) as client:
        found = client.call("select", **asked)
    if out.as_json:
        if options.summary:
            out.json({name: found[name] for name in ("nodes", "matched", "summary")})
        for row in found["rows"]:
            out.json(row)
        return OK
    if found["rows"]:
        _table(out, found)
    _summary(out, found)
    return OK


def _table(out: Printer, found: dict[str, Any]) -> None:
    shown = [
        (name, unit)
        for name, unit in zip(found["fields"], found["units"], strict=True)
        if name not in _OWN
    ]
    heads = [f"{name} {unit}".strip() for name, unit in shown]
    out.table(
        [*_OWN, *heads],
        (
            [
                row["node"],
                row["site"] or present.UNKNOWN,
                " ".join((present.STATES[row["state"]][0], row["state"])),
                age(row["age"]),
                *(_cell(name, row[name]) for name, _ in shown),
            ]
            for row in found["rows"]
        ),
        right=frozenset(["age", *heads]),
    )


def _summary(out: Printer, found: dict[str, Any]) -> None:
    out.line(f"{found['matched']} of {found['nodes']} nodes")
    for name, unit in zip(found["fields"], found["units"], strict=True):
        summary = found["summary"].get(name)
        if summary is None or not summary["known"]:
            continue
        mean, least, greatest = (
            _cell(name, summary[part]) for part in ("mean", "least", "greatest")
        )
        out.line(f"{name}: mean {mean}, {least} to {greatest} {unit}".rstrip())


def _cell(name: str, found: Any) -> str:
    message, _, field = name.rpartition(".")
    if message not in present.FIELDS:
        message = "report" if field in present.FIELDS["report"] else "health"
    return present.value(message, field, found)
