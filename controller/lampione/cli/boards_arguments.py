"""The grammar of `lampione boards`."""

from typing import Any

from lampione.cli import values


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "boards",
        "lampione.cli.boards:boards",
        "list the boards that are plugged in, whose they are and who has their port",
        "  lampione boards\n"
        "  lampione boards --json | jq -r 'select(.state==\"free\").board'\n\n"
        "Exit code 1: there is none. The screen shows them with `:commission`.\n",
    )
    command.add_argument(
        "--records",
        type=values.folder,
        metavar="DIR",
        help="where commissioning records are filed (default: records in the controller's folder)",
    )
