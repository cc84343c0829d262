"""`lampione boards`: what is plugged in."""

import argparse

from lampione.cli.errors import FAILED, OK
from lampione.cli.output import printer
from lampione.desk.boards import connected
from lampione.desk.text import clean
from lampione.provision.session import RECORDS


def boards(options: argparse.Namespace) -> int:
    """`lampione boards`."""
    out = printer(options)
    found = connected(options.records or options.state / RECORDS)
    if out.as_json:
        for board in found:
            out.json(board.as_json())
        return OK if found else FAILED
    if not found:
        from lampione_hil.real import ports

        out.line(ports.there_is(()))
        return FAILED
    out.table(
        ["board", "port", "what", "node", "state"],
        ([clean(b.shown), b.port, clean(b.what), b.node or "", b.state] for b in found),
        right=frozenset(),
    )
    for board in found:
        if board.why:
            out.line(f"{clean(board.shown)}: {board.why}")
    return OK
