"""The grammar of `lampione board`."""

import argparse
import re
from typing import Any

from lampione.cli import values

_HANDLERS = "lampione.cli.board:"
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_BLOCK = 4096
MOST = 300


def add(commands: Any, common: argparse.ArgumentParser, make: Any) -> None:
    """Add the command to `commands`; `make` makes the commands below it, see `parser`."""
    board = commands.add(
        "board",
        _HANDLERS + "listing",
        "offer virtual boards to any tool, and play with their power and cables",
        "  lampione board start --count 3\n"
        "  mpremote connect $(lampione board list --json | jq -r .port | head -1) fs ls\n"
        "  lampione board reset virtual-1\n",
    )
    actions = make(board, "action", common, required=True)
    _start(actions)
    actions.add(
        "list",
        _HANDLERS + "listing",
        "list the virtual boards that run, and how tools reach them",
        "  lampione board list\n  lampione board list --json | jq -r .rfc2217\n",
    )
    stop = actions.add(
        "stop",
        _HANDLERS + "stop",
        "end virtual boards; their flash is gone",
        "  lampione board stop             all of them\n  lampione board stop virtual-2\n",
    )
    stop.add_argument("names", nargs="*", metavar="NAME", help="these only")
    power = _one(
        actions, "power", "switch a board's power", "  lampione board power virtual-1 off\n"
    )
    power.add_argument("power", choices=("on", "off"))
    _one(actions, "reset", "press a board's reset", "  lampione board reset virtual-1\n")
    _one(
        actions,
        "unplug",
        "pull a board's cable: power and port are gone",
        "  lampione board unplug virtual-1; lampione board plug virtual-1\n",
    )
    _one(
        actions,
        "plug",
        "put a board's cable in again: it has power, and a new port",
        "  lampione board plug virtual-1\n",
    )
    cut = _one(
        actions,
        "cut",
        "cut a board's power in the middle of a write to its flash",
        "  lampione board cut virtual-1 --write 5     in the fifth from now\n"
        "  lampione board cut virtual-1 --write 0     not at all\n"
        "  lampione board power virtual-1 on          when it has happened\n",
    )
    cut.add_argument("--write", type=_number, required=True, metavar="N", help="the N-th from now")


def _start(actions: Any) -> None:
    start = actions.add(
        "start",
        _HANDLERS + "start",
        "run virtual boards until Ctrl-C, each with the ports of a real one",
        "  lampione board start                          one, with the firmware on it\n"
        "  lampione board start --count 3 --detach       three, and the shell is free\n"
        "  lampione board start --blank --name new       MicroPython alone: new-1\n"
        "  lampione board start --bare                   a chip as it comes from the factory\n"
        "  lampione board start --world none             nothing is connected to it\n",
    )
    start.add_argument(
        "--count", type=_count, default=1, metavar="N", help=f"1 to {MOST} (default: 1)"
    )
    start.add_argument(
        "--name",
        type=_prefix,
        default="virtual",
        metavar="PREFIX",
        help="boards are PREFIX-1, PREFIX-2, ... (default: virtual)",
    )
    start.add_argument(
        "--flash-bytes",
        type=_flash,
        default=2 << 20,
        metavar="N",
        help="size of the file system (default: 2097152)",
    )
    inside = start.add_mutually_exclusive_group()
    inside.add_argument("--blank", action="store_true", help="without the firmware")
    inside.add_argument(
        "--bare",
        action="store_true",
        help="without MicroPython too, until esptool has written one over rfc2217",
    )
    start.add_argument(
        "--rom",
        action="store_true",
        help="with a partition that code runs from; of a --bare chip its table says that",
    )
    start.add_argument(
        "--world",
        choices=("lamppost", "none"),
        default="lamppost",
        help="what is connected: every part that the firmware knows, or nothing",
    )
    start.add_argument("--detach", action="store_true", help="run on after this command has ended")


def _one(actions: Any, name: str, summary: str, examples: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = actions.add(
        name, _HANDLERS + "act", summary, examples, op=name
    )
    command.add_argument("name", metavar="NAME", help="its name or serial number")
    return command


def _number(text: str) -> int:
    return values.whole(text, 0, 1_000_000_000)


def _count(text: str) -> int:
    return values.whole(text, 1, MOST)


def _flash(text: str) -> int:
    size = values.whole(text, 8 * _BLOCK, 64 << 20)
    if size % _BLOCK:
        raise argparse.ArgumentTypeError(f"{size} is not a multiple of {_BLOCK}")
    return size


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: use letters, digits and '-', 40 at most")
    return text
