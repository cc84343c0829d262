"""The grammar of `lampione show`."""

from typing import Any

from lampione.cli import values

_EXAMPLES = """\
  lampione show bligny-1
  lampione show bligny-1 --json | jq .report.laeq
  lampione show bligny-1 --plot laeq --since 1d    its noise of a day, drawn
  lampione show bligny-1 --tonight                 what its lamp will do, and when

A plot of up to three hours is of every report, of a longer time of the store's means: of 5 minutes,
of an hour, of a day. Where nothing is known nothing is drawn.
"""


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "show",
        "lampione.cli.show:show",
        "show everything known of one node",
        _EXAMPLES,
    )
    command.add_argument("node", metavar="NODE")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--plot", metavar="MEASURE", help="draw this, such as laeq or lamp_power")
    what.add_argument("--tonight", action="store_true", help="the changes of its lamp's level")
    command.add_argument(
        "--since",
        dest="since_s",
        type=values.duration_s,
        default=3600.0,
        metavar="T",
        help="with --plot: how far back (default: 1h)",
    )
