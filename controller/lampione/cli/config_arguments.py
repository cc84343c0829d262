"""The grammar of `lampione config`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

_HANDLERS = "lampione.cli.config:"


def add(commands: Any, common: argparse.ArgumentParser, kind: Any) -> None:
    """Add the command. See `parser`."""
    config = commands.add(
        "config",
        _HANDLERS + "status",
        "compare, push and follow what nodes are set to",
        "  lampione config diff --all\n"
        "  lampione config push bligny-1 --trial 5m\n"
        "  lampione config status\n",
    )
    commands = kind(config, "action", common, required=True)
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
        "  lampione config push --retry               those that failed, once more\n"
        "  lampione config push --all --canary 2 --waves 10%,50%,100% --soak 10m --stop-at 5%\n"
        "  lampione config push --site umbria --canary umbria-1 --soak 1h\n",
    )
    _select(push)
    push.add_argument("--dry-run", action="store_true", help="say what would change, send nothing")
    push.add_argument("--retry", action="store_true", help="only nodes whose last push failed")
    _trial(push)
    _wait(push)
    _stages(push)

    rollouts = commands.add(
        "rollouts",
        "lampione.cli.config_staged:rollouts",
        "list pushes in stages; one whole; pause, resume, abort, retry or revert it",
        "  lampione config rollouts\n"
        "  lampione config rollouts 7                 each of its nodes\n"
        "  lampione config rollouts 7 pause           no other node for now\n"
        "  lampione config rollouts 7 resume          in spite of what failed\n"
        "  lampione config rollouts 7 retry --follow  those that failed or were skipped\n"
        "  lampione config rollouts 7 revert          take it back from all that have it\n"
        "  lampione config rollouts --json\n",
    )
    rollouts.add_argument(
        "rollout", nargs="?", type=lambda text: values.whole(text, 1, 2**31), metavar="ID",
        help="its number",
    )  # fmt: skip
    rollouts.add_argument(
        "do", nargs="?", choices=("pause", "resume", "abort", "retry", "revert"), metavar="DO",
        help="pause, resume, abort, retry or revert",
    )  # fmt: skip
    rollouts.add_argument("--follow", action="store_true", help="tell how it goes on")
    rollouts.add_argument(
        "--limit", type=_number, default=20, metavar="N", help="the newest N (default: 20)"
    )
    _wait(rollouts)

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


def _stages(command: argparse.ArgumentParser) -> None:
    stages = command.add_argument_group(
        "in stages",
        "a few nodes first, then waves; with any of these the controller drives it to its end",
    )
    stages.add_argument(
        "--canary",
        type=_canary,
        metavar="N|A,B",
        help="so many nodes first, or these",
    )
    stages.add_argument(
        "--waves",
        type=_waves,
        metavar="W,W",
        help="then these: 25 nodes, or 10%% until a tenth of all had its turn; the others last",
    )
    stages.add_argument(
        "--soak",
        dest="soak_s",
        type=values.duration_s,
        metavar="T",
        help="wait so long behind each wave, and look whether its nodes are well (default: 0s)",
    )
    stages.add_argument(
        "--stop-at",
        dest="stop_percent",
        type=values.percent,
        metavar="P",
        help="stop when more of a wave than this failed (default: 0%%, one is enough)",
    )
    stages.add_argument(
        "--at-once", type=_number, metavar="N", help="no more under way than N (default: a wave)"
    )


def _number(text: str) -> int:
    return values.whole(text, 1, 1000)


def _waves(text: str) -> list[str]:
    """Read waves. Raises argparse.ArgumentTypeError."""
    found = text.replace(" ", "").split(",")
    for wave in found:
        values.whole(wave.removesuffix("%"), 1, 100 if wave.endswith("%") else 100_000)
    return found


def _canary(text: str) -> tuple[int, list[str]]:
    """Read how many, or which."""
    if text.isascii() and text.isdigit():
        return _number(text), []
    return 0, [name for name in text.split(",") if name]
