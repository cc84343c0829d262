"""`lampione where`: where a node stands."""

import argparse
import os
import sys

from lampione.api import Placed
from lampione.cli.errors import OK, UNKNOWN_NODE, CliError
from lampione.cli.output import colours, printer
from lampione.core.client import Client, CoreError
from lampione.desk.where import NowhereError, code, drawn, find
from lampione.live import places

_BLACK_ON_WHITE = "38;5;16;48;5;231"  # of 256 colours: whatever the theme makes of black and white


def where(options: argparse.Namespace) -> int:
    """`lampione where NODE`."""
    out = printer(options)
    try:
        found = find(_places(options), options.node)
    except KeyError:
        raise CliError(
            f"the fleet's file has no node {options.node!r}: `lampione nodes`", UNKNOWN_NODE
        ) from None
    except NowhereError as error:
        raise CliError(str(error)) from None
    if out.as_json:
        out.json(found._asdict())
        return OK
    for line in found.words():
        out.line(line)
    if found.approximate:
        out.line("the fleet's file says that this position is approximate: look around there")
    if options.qr:
        painted = colours(sys.stdout)
        light = options.light or os.environ.get("LAMPIONE_THEME") == "light"
        out.line()
        for line in drawn(code(found.uri), ink_dark=painted or light):
            out.line(f"\x1b[{_BLACK_ON_WHITE}m{line}\x1b[0m" if painted else line)
    return OK


def _places(options: argparse.Namespace) -> dict[str, Placed]:
    try:
        with Client.open(options.state) as client:
            found: dict[str, Placed] = client.call("places")
            return found
    except CoreError:  # none runs, or an older one: the file says the same
        return places.read(options.state)
