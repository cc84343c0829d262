"""The grammar of `lampione notes`."""

from typing import Any

from lampione.cli import values


def add(commands: Any, common: Any, group: Any) -> None:
    """Add `notes` to the commands. See `parser`."""
    notes = commands.add(
        "notes",
        "lampione.cli.notes:notes",
        "what one shift leaves to the next",
        "  lampione notes\n"
        "  lampione notes --since 2d --json\n"
        "  lampione notes add 'feeder 3 tripped twice, the contractor comes at 8'\n\n"
        "Each note holds the hash of the last entry of the audit: print them, and nobody can\n"
        "write the audit anew.\n",
    )
    notes.add_argument(
        "--since", dest="since_s", type=values.duration_s, metavar="T", help="how far back"
    )
    notes.add_argument(
        "--limit",
        type=lambda text: values.whole(text, 1, 10_000),
        default=20,
        metavar="N",
        help="so many at most, the newest (default: 20)",
    )
    actions = group(notes, "action", common)
    new = actions.add(
        "add",
        "lampione.cli.notes:add",
        "leave a note",
        "  lampione notes add 'feeder 3 tripped twice'\n  lampione notes add - < handover.txt\n",
    )
    new.add_argument("text", metavar="TEXT", help="`-` reads it from the standard input")
