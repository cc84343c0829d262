"""The options of `views`, and those of `nodes` that use them."""

import argparse
from typing import Any

HANDLER = "lampione.cli.views:views"
_FILTER = "these only, as on the screen: 'viale laeq>65 !online'"

_COLUMNS = "show these: columns of the screen, or fields of report, health or hello"


def add(commands: Any, common: argparse.ArgumentParser, kind: Any) -> None:
    """Add the command."""
    command = commands.add(
        "views",
        HANDLER,
        "list, keep and remove filters, orders and columns of the fleet by name",
        "  lampione views\n"
        "  lampione views save loud --filter 'laeq>65 !override' --sort laeq --columns laeq,rssi\n"
        "  lampione nodes --view loud\n"
        "  lampione views remove loud\n",
    )
    command.set_defaults(action="list")
    actions = kind(command, "action", common)
    actions.add("list", HANDLER, "list them", "")
    save = actions.add("save", HANDLER, "keep one", "")
    save.add_argument("name", metavar="NAME")
    save.add_argument("--filter", default="", metavar="QUESTION", help=_FILTER)
    save.add_argument("--sort", default="node", metavar="COLUMN", help="default: node")
    save.add_argument("--columns", default="", metavar="A,B", help=_COLUMNS)
    save.add_argument("--descending", action="store_true", help="the other way round")
    save.add_argument("--faults", action="store_true", help="only nodes with a fault")
    remove = actions.add("remove", HANDLER, "forget one", "")
    remove.add_argument("name", metavar="NAME")


def add_to_nodes(command: argparse.ArgumentParser) -> None:
    """Add what `nodes` has of them."""
    command.add_argument("--view", metavar="NAME", help="a view that is kept: `lampione views`")
    command.add_argument("--filter", metavar="QUESTION", help=_FILTER)
    command.add_argument("--columns", metavar="A,B", help=_COLUMNS)
    command.add_argument("--faults", action="store_true", help="only nodes with a fault")
