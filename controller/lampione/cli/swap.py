"""`lampione swap`: another board in a node's place."""

import argparse
import getpass

from lampione import seeds
from lampione.cli.attach import caller
from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.output import Printer, printer
from lampione.cli.provision import single, work
from lampione.cli.service import fleet_file
from lampione.core.client import Client
from lampione.desk import street
from lampione.provision import boards, record, session
from lampione.provision.queue import Queue
from lampione.room.who import CONFIGURE, Who


def swap(options: argparse.Namespace) -> int:
    """`lampione swap NODE`."""
    out = printer(options)
    if options.retire:
        return _retire(out, options)
    seed = seeds.load(fleet_file(options))
    before = record.board_of(options.records or options.state / session.RECORDS, options.node)
    row = single(options, seed)
    if row.board is not None and row.board == before:
        raise CliError(
            f"board {before} is {options.node} already: plug in the new one; "
            f"`lampione provision {options.node}` does the same board again",
            USAGE,
        )
    if not options.keep_key:
        # The controller takes the new key at once, and refuses the old board's frames from then on.
        Client.open(options.state).close()
    code = work(out, options, seed, Queue([row]), new_key=not options.keep_key)
    if code == OK and not out.as_json:
        old = "the old board" if before is None else f"the old board, {before},"
        if options.keep_key:
            out.line(f"{old} has the same key: see that it gets no power, or both would fight")
        else:
            out.line(f"{old} is believed no more; take its power, so that it leaves the broker")
    return code


def _retire(out: Printer, options: argparse.Namespace) -> int:
    place = boards.choose(options.board)
    found = street.retire(
        place.port,
        options.state,
        options.node,
        caller(options),
        lambda: None,
        lambda *_: None,
        Who(getpass.getuser(), CONFIGURE, "cable"),
    )
    if out.as_json:
        out.json(found)
    else:
        out.line(
            f"{options.node}: {found['frames']} frames handed over, {found.get('stored', 0)} new; "
            "the board has forgotten who it was"
        )
    return OK
