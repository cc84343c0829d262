"""The grammar of `lampione where`."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command: argparse.ArgumentParser = commands.add(
        "where",
        "lampione.cli.where:where",
        "say where a node stands, for the app that leads there",
        "  lampione where bligny-1\n"
        "  lampione where bligny-1 --qr       a code for a phone's camera\n"
        "  lampione where bligny-1 --json | jq -r .uri\n\n"
        "Needs no controller: the fleet's file says it.\n",
    )
    command.add_argument("node", metavar="NODE")
    command.add_argument("--qr", action="store_true", help="its geo: URI as a QR code, too")
    command.add_argument(
        "--light",
        action="store_true",
        help="with --qr, NO_COLOR and a light terminal: the code the other way round",
    )
