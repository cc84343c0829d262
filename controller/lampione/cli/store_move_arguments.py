"""The grammar of `lampione store move`."""

from typing import Any


def add(actions: Any) -> None:
    """Add `move` to the actions of `store`. See `parser`."""
    move = actions.add(
        "move",
        "lampione.cli.store_move:move",
        "carry a store into another, of another engine or of the same",
        "  lampione store move lampione.db postgresql://db.example/lampione --dry-run\n"
        "  lampione store move lampione.db postgresql://db.example/lampione\n"
        "  lampione store move postgresql://db.example/lampione /var/lib/lampione/lampione.db\n\n"
        "No controller may run on either. The source stays as it is; at the end every day of\n"
        "every node is compared. Interrupted, the same command goes on where it was. The password\n"
        "is taken from ~/.pgpass, or from a file that PGPASSFILE or ?passfile= names.\n",
    )
    move.add_argument("source", metavar="FROM", help="a file or postgresql://...")
    move.add_argument("target", metavar="TO", help="a file that is not there, or an empty database")
    move.add_argument("--dry-run", action="store_true", help="say what would be done")
