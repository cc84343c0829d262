"""The grammar of `lampione nodes`."""

import argparse
from typing import Any

from lampione.cli import values, views_arguments
from lampione.live import words

TOP_MAX = 10_000
_EXAMPLES = """\
  lampione nodes
  lampione nodes --faults
  lampione nodes --filter 'viale !online'
  lampione nodes --json | jq -r 'select(.online|not).node'
  lampione nodes --where 'pm2_5>25' --sort pm2_5 --top 50
  lampione nodes --where 'laeq>65 and lamp_level=0' --json
  lampione nodes --where 'site="Viale Bligny*" and state=online' --fields laeq,la90 --summary
  lampione nodes --where 'age>10m or faults has lamp'

questions, the same everywhere: words (`viale off`: name, site, state or the lamp's reason hold
both), comparisons (field = != < <= > >= value, `has` for flags), `faults` (something is the
matter), joined by blanks, and, or and parentheses; `!` or not for the opposite. What has blanks or
signs stands in quotes. A field is one of a report, a health or a hello (`show NODE` lists
them), or node, site, state, missing, lost, refused, and, as times: age (of the report), health_age,
quiet (since anything was heard). A value that is not of now is unknown: neither more nor less than
anything, nor the opposite; only `field=unknown` finds it. Means of decibels are means of energy.
--filter and --view show the fleet's columns, --where those of the question.
"""


def _question(text: str) -> str:
    """Return a question that can be read. Raises argparse.ArgumentTypeError."""
    try:
        words.parse(text)
    except words.WordsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add(commands: Any) -> None:
    """Add `nodes` to the commands. See `parser`."""
    nodes = commands.add(
        "nodes",
        "lampione.cli.nodes:nodes",
        "list the fleet, one line a node",
        _EXAMPLES,
    )
    nodes.add_argument("--where", type=_question, metavar="QUESTION", help="these only, see below")
    nodes.add_argument("--sort", metavar="FIELD", help="greatest first (default: by name)")
    nodes.add_argument("--ascending", action="store_true", help="with --sort: least first")
    nodes.add_argument(
        "--top",
        type=lambda text: values.whole(text, 0, TOP_MAX),
        metavar="N",
        help="so many lines (default with a question: 10000)",
    )
    nodes.add_argument(
        "--fields", metavar="A,B", help="show these (default: those of the question)"
    )
    nodes.add_argument(
        "--summary",
        action="store_true",
        help="instead of the nodes: how many, and mean, least and greatest of the fields",
    )
    views_arguments.add_to_nodes(nodes)
