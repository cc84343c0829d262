"""`lampione hil`: what its commands print."""

import datetime
from pathlib import Path
from typing import Any

from lampione_hil.testing import engine

from lampione.cli.output import Printer

_WORDS = {"pass": "green", "fail": "red", "skip": "dim", "broken": "yellow"}


def run(options: Any) -> int:
    """Run suites; follow them, then report."""
    printer = Printer(as_json=options.json)
    folder = options.out or Path(
        f"hil-reports/{datetime.datetime.now().strftime('%Y-%m-%d-%H%M%S')}"
    )
    order = engine.Order(
        rig=options.rig,
        suites=tuple(options.suites),
        keyword=options.keyword,
        count=options.count,
        firmware=options.firmware,
        smoke=options.smoke,
        workers=options.workers,
    )
    going = engine.Run(order, folder)
    for line in going.follow():
        _show(printer, line)
    return going.code or 0


def _show(printer: Printer, line: dict[str, Any]) -> None:
    if printer.as_json:
        printer.json(line)
    elif line["kind"] == "test":
        word = printer.paint(f"{line['outcome']:6}", _WORDS[line["outcome"]])
        board = line["boards"][0][0] if line["boards"] else "–"
        why = f"  {line['why']}" if line["why"] else ""
        printer.line(f"{word} {line['seconds']:7.1f} s  {board:12} {line['test']}{why}")
