"""The grammar of `lampione provision`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

JOBS = 4
INTERVAL_S = 3
_EXAMPLES = """\
  lampione provision bligny-1 --wifi city.wifi     the board that is plugged in
  lampione provision bligny-1 --board a4cf12fe0001 --labels labels
  lampione provision --list fifty.toml --jobs 8    what is left of a list
  lampione provision status --list fifty.toml      what is done, what failed and why, who is next
  lampione provision broker mqtt.example           a certificate for the broker

A Wi-Fi file has two lines, ssid = "..." and password = "...", and mode 0600. docs/provisioning.md
has lists, the sign-off's limits, and what to do when a board fails.
"""

_SWAPS = """\
  lampione swap bligny-1 --retire               the old board is on the cable and still answers
  lampione swap bligny-1 --wifi city.wifi       the new one is: it becomes bligny-1

The new board gets a new key, so that the old one, wherever it still burns, is believed no more.
Both are written into the commissioning record and the audit. docs/street.md has the whole way.
"""


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "provision",
        "lampione.cli.provision:provision",
        "make nodes of boards: identity, firmware, settings, sign-off, record, label",
        _EXAMPLES,
    )
    command.add_argument(
        "node",
        nargs="?",
        metavar="NODE",
        help="of the fleet's file; or `status`, or `broker HOST`",
    )
    command.add_argument("host", nargs="?", metavar="HOST", help=argparse.SUPPRESS)
    which = command.add_argument_group("which boards")
    which.add_argument(
        "--board",
        metavar="SERIAL",
        help="the board with this serial number, or a virtual board's name (default: the only one)",
    )
    which.add_argument(
        "--list", dest="list_file", type=Path, metavar="FILE", help="many, from a .toml or .csv"
    )
    which.add_argument(
        "--jobs",
        type=_jobs,
        default=JOBS,
        metavar="N",
        help=f"so many boards at a time (default: {JOBS})",
    )
    which.add_argument(
        "--wait",
        dest="wait_s",
        type=values.duration_s,
        default=0.0,
        metavar="T",
        help="wait so long for boards that are not plugged in yet (default: 0s)",
    )
    which.add_argument(
        "--replace",
        action="store_true",
        help="make boards that are another node into this one; what they held is lost",
    )
    _how(command)


def add_swap(commands: Any) -> None:
    """Add `lampione swap`."""
    command = commands.add(
        "swap",
        "lampione.cli.swap:swap",
        "put a new board in a node's place: its site, history and config stay",
        _SWAPS,
        list_file=None,
        host=None,
        jobs=1,
        replace=True,
    )
    command.add_argument("node", metavar="NODE")
    command.add_argument(
        "--board", metavar="SERIAL", help="the new board (default: the only one plugged in)"
    )
    command.add_argument(
        "--wait",
        dest="wait_s",
        type=values.duration_s,
        default=0.0,
        metavar="T",
        help="wait so long for the new board to be plugged in (default: 0s)",
    )
    command.add_argument(
        "--keep-key",
        action="store_true",
        help="the new board gets the node's key; only where the old one is surely dead",
    )
    command.add_argument(
        "--retire",
        action="store_true",
        help="the OLD board is on the cable: take what it holds, then have it forget who it was",
    )
    _how(command)


def _how(command: argparse.ArgumentParser) -> None:
    network = command.add_argument_group("how nodes reach the controller")
    network.add_argument(
        "--wifi", type=Path, metavar="FILE", help="the network's name and password (else asked for)"
    )
    network.add_argument(
        "--no-wifi", action="store_true", help="nodes have a network without Wi-Fi"
    )
    network.add_argument(
        "--broker",
        metavar="URL",
        help="the broker as nodes reach it (default: the running controller's); "
        "?ca=FILE: whom nodes believe to be it",
    )
    command.add_argument(
        "--no-sign-off", action="store_true", help="neither test nor need a controller that runs"
    )
    command.add_argument(
        "--interval",
        type=values.interval_s,
        default=INTERVAL_S,
        metavar="S",
        help=f"a report every S seconds during the sign-off (default: {INTERVAL_S})",
    )
    files = command.add_argument_group("files")
    files.add_argument("--fleet", type=Path, metavar="FILE", help="the fleet's file")
    files.add_argument(
        "--ca",
        type=values.folder,
        metavar="DIR",
        help="the fleet's authority (default: LAMPIONE_CA, else XDG data)",
    )
    files.add_argument(
        "--records",
        type=values.folder,
        metavar="DIR",
        help="where commissioning records are filed (default: records in the controller's folder)",
    )
    files.add_argument(
        "--labels", type=values.folder, metavar="DIR", help="write a label for each node, as SVG"
    )


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise argparse.ArgumentTypeError(f"{text!r}: from 1 to 64 boards at a time are possible")
    return int(text)
