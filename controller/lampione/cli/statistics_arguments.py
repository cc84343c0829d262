"""The grammar of `lampione statistics`."""

from typing import Any

from lampione.cli import values

BY = ("5min", "hour", "day", "month", "year")
_EXAMPLES = """\
  lampione statistics bligny-1 --since 7d                     every measure, by hour
  lampione statistics bligny-1 --measure laeq,pm10 --by day
  lampione statistics --all --together --since 1d             the whole city, by hour
  lampione statistics bligny-1 --noise eu --since 30d         Lden and its parts, by day
  lampione statistics bligny-1 --noise it --class IV          beside the Italian limits
  lampione statistics bligny-1 --air                          the European index, by hour
  lampione statistics --all --limits                          this year beside the limits of 2030
  lampione statistics bligny-1 --traffic --by day             counts and V85
  lampione statistics --all --together --energy --by month

Figures are of whole hours, or days, months and years by the clocks of the zone; what came in the
last minutes may not be in them yet. docs/indices.md says how each is made, and what is not claimed.
"""


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "statistics",
        "lampione.cli.statistics:statistics",
        "print means, noise levels, air indices, traffic and energy of hours to years",
        _EXAMPLES,
    )
    command.add_argument("nodes", nargs="*", metavar="NODE", help="of these, each by itself")
    command.add_argument("--all", action="store_true", help="of every node")
    command.add_argument("--together", action="store_true", help="as if the nodes were one")
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--measure", metavar="A,B", help="means, sums and extremes of these (default: all)"
    )
    what.add_argument("--noise", choices=("eu", "it"), help="sound levels, by periods of the day")
    what.add_argument("--air", action="store_true", help="the European Air Quality Index")
    what.add_argument(
        "--limits", action="store_true", help="air against the limits of 2030, by year"
    )
    what.add_argument("--traffic", action="store_true", help="vehicles and V85")
    what.add_argument("--energy", action="store_true", help="energy used and hours burnt")
    command.add_argument(
        "--class",
        dest="immission_class",
        choices=("I", "II", "III", "IV", "V", "VI"),
        help="with --noise it: by how much over the limits of this class of DPCM 14/11/1997",
    )
    command.add_argument(
        "--by", choices=BY, help="(default: as suits: hour, noise and traffic day, energy month)"
    )
    command.add_argument(
        "--since",
        type=values.moment,
        metavar="T",
        help="how long ago, as 7d, or a day, as 2026-06-01 (default: as suits --by)",
    )
    command.add_argument(
        "--until", type=values.moment, metavar="T", help="until then (default: now)"
    )
    command.add_argument(
        "--zone", metavar="NAME", help="whose days these are (default: the fleet's)"
    )
