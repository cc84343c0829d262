"""The grammar of `lampione audit`."""

from pathlib import Path
from typing import Any

from lampione.cli import values

LIMIT, LIMIT_MAX = 50, 1_000_000
_EXAMPLES = """\
  lampione audit                               the last fifty things that were done
  lampione audit --node bligny-1 --since 7d
  lampione audit --by anna --json | jq -r .action
  lampione audit --verify                      is the whole chain as it was written?
  lampione audit --export audit.jsonl          all of it, with its hashes
  lampione audit --verify audit.jsonl          checks an export; needs no controller

Every entry's hash is SHA-256 over the hash before it and the entry: nobody can change, drop, add
or reorder entries without the rest showing it. The end can be cut off unseen, unless its hash was
kept elsewhere: each hand-over note holds the one of its time (see `lampione notes`).
"""


def add(commands: Any) -> None:
    """Add `audit` to the commands. See `parser`."""
    audit = commands.add(
        "audit",
        "lampione.cli.audit:audit",
        "say who did what to which lamp, when, and what came of it",
        _EXAMPLES,
    )
    audit.add_argument("--node", metavar="NODE", help="what was done to this one")
    audit.add_argument("--by", metavar="NAME", help="what this operator did")
    audit.add_argument(
        "--since",
        dest="since_s",
        type=values.duration_s,
        metavar="T",
        help="how far back (default: as far as it goes)",
    )
    audit.add_argument(
        "--limit",
        type=lambda text: values.whole(text, 1, LIMIT_MAX),
        metavar="N",
        help=f"so many entries at most, the newest (default: {LIMIT})",
    )
    instead = audit.add_mutually_exclusive_group()
    instead.add_argument(
        "--verify",
        nargs="?",
        const="",
        metavar="FILE",
        help="check the chain of the controller, or of an exported FILE; exit code 1 if broken",
    )
    instead.add_argument(
        "--export", type=Path, metavar="FILE", help="write all entries as JSON Lines to a new FILE"
    )
