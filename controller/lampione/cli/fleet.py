"""`nodes`, `watch`, `history`, `gaps`, `refused`: what the fleet is doing and has done."""

import argparse
import contextlib
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

from lampione.cli import entry
from lampione.cli.errors import OK, CliError
from lampione.cli.output import Printer, printer
from lampione.core.client import Client, NoCore
from lampione.core.lookup import Lookup
from lampione.desk import present
from lampione.desk.columns import COLUMNS, Column, column
from lampione.desk.text import age
from lampione.live.places import names


@contextlib.contextmanager
def core(options: argparse.Namespace) -> Iterator[Client]:
    """Connect to the controller of the options' state folder, and say who works here.

    With --offline: what its store last knew, which a line on the standard error says.
    """
    if options.offline:
        with Lookup(options.state) as found:
            old = "nothing was ever heard" if found.age_s is None else f"{age(found.age_s)} old"
            print(f"lampione: no controller: last known state, {old}", file=sys.stderr)
            yield cast("Client", found)  # it answers what can be looked at as one does
        return
    with Client.open(options.state) as client:
        entry.enter(client, options)
        yield client


def print_nodes(
    out: Printer, rows: list[dict[str, Any]], now: float, keys: Sequence[str] = ()
) -> None:
    """Print the fleet's table, with these columns or all that come by themselves."""
    shown = [column(key) for key in keys] or COLUMNS
    out.table(
        [c.head for c in shown],
        ([c.cell(row, now) for c in shown] for row in rows),
        right=frozenset(c.head for c in shown if c.right),
    )


def watch(options: argparse.Namespace) -> int:
    """`lampione watch`: a line for each new report."""
    out = printer(options)
    heads = [c for c in COLUMNS if c.key not in ("age", "site")]
    seen: dict[str, float | None] = {}
    with core(options) as client:
        sites = names(client.call("places"))
        for name in options.nodes:  # a wrong name is said at once, not waited for
            client.call("show", node=name)
        ends = math.inf
        if options.for_s is not None:
            ends = time.monotonic() + options.for_s
            timer = threading.Timer(options.for_s, client.close)
            timer.daemon = True
            timer.start()
        if not out.as_json:
            out.line(
                out.paint("time            " + _columns(heads, [c.head for c in heads]), "bold")
            )
        parameters = {"nodes": options.nodes} if options.nodes else {}
        try:
            for item in client.stream("watch", **parameters):
                for row in item.get("nodes", ()):
                    if seen.get(row["node"]) == row["report_at"]:
                        continue
                    seen[row["node"]] = row["report_at"]
                    if item["kind"] == "snapshot" and not out.as_json:
                        continue
                    row["site"] = sites.get(row["node"])
                    if out.as_json:
                        out.json(present.flat(row))
                        continue
                    cells = [c.cell(row, time.time()) for c in heads]
                    at = present.clock(row["report_at"], "%m-%d %H:%M:%S")
                    out.line(f"{at}  {_columns(heads, cells)}")
        except NoCore:
            if time.monotonic() < ends:
                raise  # not our timer: the controller has gone
    return OK


def _columns(heads: list[Column], cells: list[str]) -> str:
    return "  ".join(
        t.rjust(c.width) if c.right else t.ljust(c.width) for c, t in zip(heads, cells, strict=True)
    ).rstrip()


def history(options: argparse.Namespace) -> int:
    """`lampione history NODE`."""
    out = printer(options)
    now = time.time()
    wanted: dict[str, Any] = {
        "node": options.node,
        "message": options.message,
        "since": now - options.since_s,
        "until": now - options.until_s,
    }
    if options.fields:
        wanted["fields"] = options.fields.split(",")
        known = present.FIELDS[options.message]
        for name in wanted["fields"]:
            if name not in known:
                raise CliError(
                    f"a {options.message} has no field {name!r}: it has {', '.join(known)}", 2
                )
    with core(options) as client:
        for page in _pages(client, wanted):
            if out.as_json:
                for row in page["rows"]:
                    out.json(dict(zip(page["fields"], row, strict=True)))
                continue
            if not page["rows"]:
                out.line(f"{options.node} reported nothing in that time")
                continue
            shown = [n for n, f in enumerate(page["fields"]) if f == "at" or _useful(page, n)]
            heads = [_head(page, n) for n in shown]
            out.table(
                heads,
                ([_cell(options.message, page["fields"][n], row[n]) for n in shown]
                 for row in page["rows"]),
                right=frozenset(heads[1:]),
            )  # fmt: skip
    return OK


def _pages(client: Client, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    while True:
        page = client.call("history", **wanted)
        yield page
        if not page["more"] or not page["rows"]:
            return
        wanted["since"] = page["rows"][-1][0] + 0.001


def _useful(page: dict[str, Any], n: int) -> bool:
    """Say whether a column holds anything: absent parts would fill the screen with dashes."""
    return any(row[n] not in (None, []) for row in page["rows"])


def _head(page: dict[str, Any], n: int) -> str:
    name = page["fields"][n]
    unit = page["units"][n] if name not in present.TIMES and name != "at" else ""
    return f"{name} {unit}".strip()


def _cell(message: str, field: str, found: Any) -> str:
    if field == "at":
        return present.clock(found, "%Y-%m-%d %H:%M:%S")
    return present.value(message, field, found)


def gaps(options: argparse.Namespace) -> int:
    """`lampione gaps`."""
    out = printer(options)
    with core(options) as client:
        found = client.call("gaps", **({"node": options.node} if options.node else {}))
    if out.as_json:
        for gap in found:
            out.json(gap)
        return OK
    rows = []
    for gap in found:
        rows += [[gap["node"], "missing", _span(*span), ""] for span in gap["missing"]]
        rows += [
            [gap["node"], "lost", _span(lost["first"], lost["last"]),
             f"{present.clock(lost['at'], '%Y-%m-%d %H:%M:%S')} {lost['why']}"]
            for lost in gap["lost"]
        ]  # fmt: skip
    if rows:
        out.table(["node", "what", "numbers", "known since"], rows, right=frozenset())
    else:
        out.line("nothing is missing and nothing is lost")
    return OK


def refused(options: argparse.Namespace) -> int:
    """`lampione refused`."""
    out = printer(options)
    with core(options) as client:
        found = client.call("refused")
    if out.as_json:
        for row in found:
            out.json(row)
        return OK
    if not found:
        out.line("nothing was refused")
        return OK
    out.table(
        ["node", "reason", "frames", "last"],
        (
            [row["node"] or present.UNKNOWN, row["reason"], str(row["count"]),
             present.clock(row["last"], "%Y-%m-%d %H:%M:%S")]
            for row in found
        ),
        right=frozenset({"frames"}),
    )  # fmt: skip
    return OK


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
