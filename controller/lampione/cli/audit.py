"""`audit`: who did what to which lamp, when, and what came of it."""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lampione.cli.audit_arguments import LIMIT
from lampione.cli.errors import FAILED, OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import printer
from lampione.core.client import Client
from lampione.desk import present
from lampione.desk.audit_words import what_came, what_was_done
from lampione.room import export

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
    out = printer(options)
    if out.as_json:
        for entry in entries:
            out.json(entry)
        return OK
    if not entries:
        out.line("nothing of that kind was done")
        return OK
    out.table(
        ["when", "who", "what", "which", "outcome"],
        (
            [
                present.clock(entry["at"], "%Y-%m-%d %H:%M:%S"),
                entry["operator"],
                what_was_done(entry),
                entry["node"] or present.UNKNOWN,
                what_came(entry),
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


def rising(client: Client) -> Iterator[dict[str, Any]]:
    """Yield all entries, oldest first."""
    after = 0
    while page := client.call("audit", after=after, limit=PAGE):
        yield from page
        after = page[-1]["seq"]


def _verify(options: argparse.Namespace) -> int:
    if options.verify:
        with Path(options.verify).open(encoding="utf-8", errors="replace") as lines:
            entries, head, fault = export.check(_limited(lines))
        found = {
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


def _limited(lines: Any) -> Iterator[str]:
    """Yield lines, none of which fills the memory."""
    while line := lines.readline(export.LINE_MAX + 1):
        yield line


def _export(options: argparse.Namespace) -> int:
    path: Path = options.export
    beside = path.with_name(path.name + ".part")
    if path.exists():
        raise CliError(f"{path} is there already; nothing was written")
    count = 0
    with core(options) as client:
        try:
            with beside.open("w", encoding="ascii") as file:
                for entry in rising(client):
                    file.write(export.line_of(entry) + "\n")
                    count += 1
                file.flush()
                os.fsync(file.fileno())
            with beside.open(encoding="ascii") as lines:
                checked = export.check(_limited(lines))
            beside.rename(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    out = printer(options)
    fault = checked.fault
    if out.as_json:
        out.json({"file": str(path), "entries": count, "bad": fault and fault.seq})
    elif fault is None:
        out.line(f"{path}: {count} entries, the last hash is {checked.head.hex()}")
    if fault is not None:
        raise CliError(f"{path}: {count} entries, but broken at {fault.seq}: {fault.why}")
    return OK
