"""The grammar of `lampione config`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

_HANDLERS = "lampione.cli.config:"


def add(commands: Any) -> None:
    """Add its commands to `commands`, see `parser`."""
    diff = commands.add(
        "diff",
        _HANDLERS + "compare",
        "say key by key what a push would change, and what needs a restart",
        "  lampione config diff bligny-1\n"
        "  lampione config diff --all\n"
        "  lampione config diff --site umbria --json\n",
    )
    _select(diff)

    push = commands.add(
        "push",
        _HANDLERS + "push",
        "give nodes what the fleet's file wants: on trial, and back unless it is confirmed",
        "  lampione config push --all --dry-run\n"
        "  lampione config push bligny-1 toscana-1 --trial 10m\n"
        "  lampione config push --profile street --fleet new.toml\n"
        "  lampione config push --retry               those that failed, once more\n",
    )
    _select(push)
    push.add_argument("--dry-run", action="store_true", help="say what would change, send nothing")
    push.add_argument("--retry", action="store_true", help="only nodes whose last push failed")
    _trial(push)
    _wait(push)

    status = commands.add(
        "status",
        _HANDLERS + "status",
        "list what nodes run and what became of the last push",
        "  lampione config status\n  lampione config status bligny-1 --json\n",
    )
    status.add_argument("nodes", nargs="*", metavar="NODE", help="these only")

    show = commands.add(
        "show",
        _HANDLERS + "show",
        "print a node's config; secrets are never shown",
        "  lampione config show bligny-1\n"
        "  lampione config show bligny-1 --wanted     as the fleet's file has it\n",
    )
    show.add_argument("node", metavar="NODE")
    show.add_argument(
        "--wanted", action="store_true", help="what the fleet's file wants, not what runs"
    )
    _fleet(show)

    revert = commands.add(
        "revert",
        _HANDLERS + "revert",
        "stop a push that is under way, else go back to the config before",
        "  lampione config revert bligny-1\n",
    )
    revert.add_argument("nodes", nargs="+", metavar="NODE")
    _trial(revert)
    _wait(revert)

    commands.add(
        "schema",
        _HANDLERS + "schema",
        "print the JSON schema of a config",
        "  lampione config schema > config.schema.json\n",
    )


def _fleet(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--fleet",
        type=Path,
        metavar="FILE",
        help="the fleet's file (default: fleet.toml in the folder, else Milan's)",
    )


def _select(command: argparse.ArgumentParser) -> None:
    command.add_argument("nodes", nargs="*", metavar="NODE", help="these only")
    command.add_argument("--all", action="store_true", help="every node that is not planned")
    command.add_argument("--site", metavar="S", help="those of a site, by its id")
    command.add_argument("--profile", metavar="P", help="those of a profile")
    _fleet(command)


def _trial(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--trial",
        dest="trial_s",
        type=values.duration_s,
        default=300.0,
        metavar="T",
        help="a node goes back by itself unless the controller confirms within T (default: 5m)",
    )


def _wait(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wait",
        dest="wait_s",
        type=values.duration_s,
        default=600.0,
        metavar="T",
        help="follow it for T (default: 10m); the controller goes on with what is left",
    )
