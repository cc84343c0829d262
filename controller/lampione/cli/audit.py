"""`audit`: who did what to which lamp, when, and what came of it."""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lampione.cli.audit_arguments import LIMIT, LIMIT_MAX
from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import printer
from lampione.core.client import Client
from lampione.desk import audit_file, present
from lampione.desk.audit_words import outcomes, what_was_done
from lampione.room.who import ITSELF

PAGE = 500


def audit(options: argparse.Namespace) -> int:
    """`lampione audit`."""
    asked = {"node": options.node, "operator": options.by}
    if options.since_s is not None:
        asked["since"] = time.time() - options.since_s
    if options.verify is not None or options.export is not None:
        if options.limit is not None or any(asked.values()):
            raise CliError("a chain is checked and exported whole, not by node or time", USAGE)
        return _verify(options) if options.verify is not None else _export(options)
    with core(options) as client:
        entries = list(newest(client, options.limit or LIMIT, asked))
        more = [] if options.by is None else list(_endings(client, entries))
    out = printer(options)
    if out.as_json:
        for entry in entries:
            out.json(entry)
        return OK
    if not entries:
        out.line("nothing of that kind was done")
        return OK
    came = outcomes((*entries, *more))
    out.table(
        ["when", "who", "what", "which", "outcome"],
        (
            [
                present.clock(entry["at"], "%Y-%m-%d %H:%M:%S"),
                entry["operator"],
                what_was_done(entry),
                entry["node"] or present.UNKNOWN,
                came[entry["seq"]].text,
            ]
            for entry in reversed(entries)  # the newest stands over the prompt
        ),
        right=frozenset(),
    )
    return OK


def newest(client: Client, limit: int, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield so many entries, newest first."""
    before: dict[str, Any] = {}
    while limit > 0:
        page = client.call("audit", limit=min(limit, PAGE), **asked, **before)
        yield from page
        if len(page) < min(limit, PAGE):
            return
        limit -= len(page)
        before = {"before": page[-1]["seq"]}


def _endings(client: Client, entries: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield what came of entries of one operator: the controller wrote it, not he."""
    if entries and entries[0]["operator"] != ITSELF:
        asked = {"operator": ITSELF, "since": entries[-1]["at"]}
        yield from newest(client, LIMIT_MAX, asked)


def _verify(options: argparse.Namespace) -> int:
    if options.verify:
        entries, head, fault = audit_file.read(Path(options.verify))
        found: dict[str, Any] = {
            "entries": entries,
            "head": head.hex(),
            "bad": None if fault is None else fault.seq,
            "why": None if fault is None else fault.why,
        }
    else:
        with core(options) as client:
            found = client.call("verify", timeout_s=None)
    out = printer(options)
    if out.as_json:
        out.json(found)
    elif found["bad"] is None:
        out.line(f"{found['entries']} entries, all as they were written; the last hash is")
        out.line(found["head"])
    else:
        out.line(out.paint(f"broken at entry {found['bad']}: {found['why']}", "red"))
    return OK if found["bad"] is None else FAILED


def _export(options: argparse.Namespace) -> int:
    path: Path = options.export
    with core(options) as client:
        try:
            entries, head, fault = audit_file.write(client.call, path)
        except audit_file.AuditFileError as error:
            raise CliError(str(error)) from None
    out = printer(options)
    if out.as_json:
        out.json({"file": str(path), "entries": entries, "bad": fault and fault.seq})
    elif fault is None:
        out.line(f"{path}: {entries} entries, the last hash is {head.hex()}")
    if fault is not None:
        raise CliError(f"{path}: the chain is broken at entry {fault.seq}: {fault.why}")
    return OK
