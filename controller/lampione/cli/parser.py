"""The command line's grammar. Imports argparse and nothing heavy: `--help` must be instant."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from lampione.cli import (
    alarms_arguments,
    attach_arguments,
    audit_arguments,
    board_arguments,
    boards_arguments,
    broker_arguments,
    config_arguments,
    export_arguments,
    flash_arguments,
    fleet_arguments,
    hil_arguments,
    locks_arguments,
    map_arguments,
    nodes_arguments,
    notes_arguments,
    operators_arguments,
    program_arguments,
    provision_arguments,
    send_arguments,
    service_arguments,
    show_arguments,
    statistics_arguments,
    store_arguments,
    values,
    views_arguments,
    web_arguments,
    where_arguments,
)
from lampione.cli.errors import EXIT_CODES, USAGE

HANDLER = "handler"  # "module:function", imported when the command runs

EPILOG = f"""\
without a command: the screen, attached to a controller that runs

examples:
  lampione demo                            eleven virtual lampposts of Milan, live
  lampione serve                           the controller
  lampione --ssh crew@controller.example   the screen of a controller elsewhere
  lampione nodes                           the fleet, one line a node
  lampione send bligny-1 level 40 --ramp 5s --for 10m
  lampione history bligny-1 --since 2h --json
  lampione statistics bligny-1 --noise it  day, evening and night of a week
  lampione program show                    the light of every night of a year

{EXIT_CODES}
LAMPIONE_DEBUG=1 shows the traceback behind an error; NO_COLOR=1 prints without colour.
"""


def state_folder() -> Path:
    """Return where the controller keeps its state: LAMPIONE_STATE, or XDG_STATE_HOME/lampione."""
    chosen = os.environ.get("LAMPIONE_STATE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "lampione"


def _common() -> argparse.ArgumentParser:
    """Options of every command, before its name or after it."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--state",
        metavar="DIR",
        type=values.folder,
        help="the controller's folder (default: LAMPIONE_STATE, else XDG state)",
    )
    common.add_argument(
        "--ssh", metavar="HOST", help="the controller is there; ssh brings its socket here"
    )
    common.add_argument(
        "--offline",
        action="store_true",
        help="no controller runs: show what its store last knew, and do nothing",
    )
    common.add_argument("--json", action="store_true", help="print JSON, one object a line")
    common.add_argument(
        "--operator",
        metavar="NAME",
        help="who you are (default: LAMPIONE_OPERATOR, else your name here); the PIN is asked for, "
        "or read from the file LAMPIONE_PIN_FILE",
    )
    return common


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and where help is."""
        self.exit(USAGE, f"{self.prog.split(' NODE')[0]}: {message} (see --help)\n")


class _Commands:
    """Adds commands that all look alike."""

    def __init__(
        self, parser: argparse.ArgumentParser, dest: str, common: Any, *, required: bool = False
    ) -> None:
        self._sub = parser.add_subparsers(
            dest=dest, metavar="COMMAND", title="commands", required=required
        )
        self._common = common

    def add(
        self, name: str, handler: str, summary: str, examples: str = "", **defaults: object
    ) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = self._sub.add_parser(
            name,
            help=summary,
            description=summary[:1].upper() + summary[1:] + ".",
            epilog=f"examples:\n{examples}" if examples else None,
            parents=[self._common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(**{HANDLER: handler}, **defaults)
        return command


def build() -> argparse.ArgumentParser:
    """Return the parser of `lampione`."""
    common = _common()
    parser = _Parser(
        prog="lampione",
        description="Smart lampposts: a fleet's measurements, its lamps and their control.",
        epilog=EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    parser.add_argument("--read-only", action="store_true", help="the screen changes nothing")
    parser.add_argument(
        "--streets",
        type=Path,
        metavar="FILE",
        help="GeoJSON under the map (default: streets.geojson in the state folder)",
    )
    parser.set_defaults(**{HANDLER: "lampione.cli.screen:screen"})
    commands = _Commands(parser, "command", common)
    service_arguments.add(commands)
    broker_arguments.add(commands)
    config_arguments.add(commands, common, _Commands)
    nodes_arguments.add(commands)
    map_arguments.add(commands)
    show_arguments.add(commands)
    fleet_arguments.add(commands)
    statistics_arguments.add(commands)
    send_arguments.add(commands, common, _Commands)
    program_arguments.add(commands, common, _Commands)
    board_arguments.add(commands, common, _Commands)
    hil_arguments.add(commands, common, _Commands)
    flash_arguments.add(commands, common)
    boards_arguments.add(commands)
    provision_arguments.add(commands)
    provision_arguments.add_swap(commands)
    attach_arguments.add(commands)
    where_arguments.add(commands)
    web_arguments.add(commands)
    store_arguments.add(commands, common, _Commands)
    export_arguments.add(commands)
    locks_arguments.add(commands)
    alarms_arguments.add(commands, common, _Commands)
    audit_arguments.add(commands)
    notes_arguments.add(commands, common, _Commands)
    views_arguments.add(commands, common, _Commands)
    operators_arguments.add(commands, common, _Commands)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line; common options have their defaults. Exits with 2 on a mistake."""
    options = build().parse_args(arguments)
    options.json = getattr(options, "json", False)
    options.own_state = hasattr(options, "state")
    options.ssh = getattr(options, "ssh", None)
    options.offline = getattr(options, "offline", False)
    options.operator = getattr(options, "operator", None) or os.environ.get("LAMPIONE_OPERATOR")
    options.state = getattr(options, "state", None) or state_folder()
    return options
