"""`notes`: what one shift leaves to the next."""

import argparse
import sys
import time
from typing import Any

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.desk import present
from lampione.desk.text import clean


def notes(options: argparse.Namespace) -> int:
    """`lampione notes`: the newest last, so that it stands over the prompt."""
    asked: dict[str, Any] = {"limit": options.limit}
    if options.since_s is not None:
        asked["since"] = time.time() - options.since_s
    with core(options) as client:
        found = client.call("notes", **asked)
    out = printer(options)
    if not found and not out.as_json:
        out.line("nobody left a note: `lampione notes add TEXT`")
    for note in reversed(found):
        _print(out, note)
    return OK


def add(options: argparse.Namespace) -> int:
    """`lampione notes add TEXT`."""
    text = sys.stdin.read() if options.text == "-" else options.text
    if not text.strip():
        raise CliError("there is no text to note", USAGE)
    with core(options) as client:
        note = client.call("note", text=text.strip())
    _print(printer(options), note)
    return OK


def _print(out: Printer, note: dict[str, Any]) -> None:
    if out.as_json:
        out.json(note)
        return
    when = present.clock(note["at"], "%Y-%m-%d %H:%M")
    head = f"{when}  {clean(note['operator'])}"
    out.line(f"{out.paint(head, 'bold')}  {out.paint('audit ' + note['head'][:16], 'dim')}")
    for line in note["text"].splitlines():
        out.line(f"  {clean(line)}")
