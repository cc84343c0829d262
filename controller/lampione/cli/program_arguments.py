"""The grammar of `program`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values


def add(commands: Any, common: argparse.ArgumentParser, kind: Any) -> None:
    """Add the command. See `parser`."""
    program = commands.add(
        "program",
        "lampione.cli.program:check",
        "look at the lighting programs of the fleet's file; needs no controller",
        "  lampione program check\n  lampione program show --year 2028 --site 'Viale Bligny'\n",
    )
    actions = kind(program, "action", common, required=True)

    def action(name: str, summary: str, examples: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = actions.add(
            name, f"lampione.cli.program:{name}", summary, examples
        )
        command.add_argument(
            "--year",
            type=values.year,
            metavar="YEAR",
            help="whose nights, 2020 to 2098 (default: this year)",
        )
        command.add_argument(
            "--fleet",
            type=Path,
            metavar="FILE",
            help="the fleet's file (default: fleet.toml in the folder, else Milan's)",
        )
        return command

    check = action(
        "check",
        "say what of a program does not do what it seems to; exit code 1 on errors",
        "  lampione program check\n"
        "  lampione program check evening --fleet street.toml\n"
        "  lampione program check --json | jq -r 'select(.severity==\"error\").says'\n",
    )
    check.add_argument("programs", nargs="*", metavar="PROGRAM", help="these only (default: all)")
    show = action(
        "show",
        "draw the level of every night of a year, with hours, kWh and what is saved",
        "  lampione program show\n"
        "  lampione program show --year 2026 --site 'Viale Bligny' --rows night | less\n"
        "  lampione program show --node bligny-1 --json | jq 'select(.kind==\"month\")'\n",
    )
    whose = show.add_mutually_exclusive_group()
    whose.add_argument("--site", metavar="NAME", help="name or id (default: the fleet's first)")
    whose.add_argument("--node", metavar="NODE", help="this node (default: the site's first)")
    show.add_argument(
        "--rows",
        choices=("week", "night"),
        default="week",
        help="a row for the nights of a week that have the same plan, or for each night",
    )
