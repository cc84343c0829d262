"""The grammar of `lampione map`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

BY = ("state", "level", "laeq", "air", "traffic", "power", "alarms")
_SIZES = (10, 500)
_EXAMPLES = """\
  lampione map                            the fleet by its states
  lampione map --by laeq --size 120x40
  lampione map --streets porta-romana.geojson
  lampione map --json | jq 'select(.latitude==null).node'
  lampione map --at bligny-1 --across 300

A letter is a node and says its band; the line below says what the letters mean. ×3 behind a letter:
so many nodes stand there, and the letter is that of the most urgent. Streets are lines and areas
of a GeoJSON file: of streets.geojson in the state folder, where there is one.
"""


def _size(text: str) -> tuple[int, int]:
    """Return columns and rows of `80x24`. Raises argparse.ArgumentTypeError."""
    columns, cross, rows = text.partition("x")
    if not cross:
        raise argparse.ArgumentTypeError("a size is as 80x24")
    return values.whole(columns, *_SIZES), values.whole(rows, *_SIZES)


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "map",
        "lampione.cli.map:show",
        "draw the district, a letter a node",
        _EXAMPLES,
    )
    command.add_argument(
        "--by", choices=BY, default="state", help="what the letters say (default: state)"
    )
    command.add_argument(
        "--size", type=_size, metavar="WxH", help="letters (default: the terminal's)"
    )
    command.add_argument(
        "--streets",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="GeoJSON (default: streets.geojson in the state folder)",
    )
    command.add_argument("--at", metavar="NODE", help="with this node in the middle")
    command.add_argument(
        "--across",
        type=lambda text: values.whole(text, 10, 1_000_000),
        metavar="M",
        help="so many metres from left to right (default: all nodes)",
    )
