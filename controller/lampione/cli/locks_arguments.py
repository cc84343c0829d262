"""The grammar of `lampione lock`, `unlock` and `locks`."""

from typing import Any


def add(commands: Any) -> None:
    """Add `lock`, `unlock` and `locks` to the commands. See `parser`."""
    lock = commands.add(
        "lock",
        "lampione.cli.locks:lock",
        "lock a lamp off while somebody works on it: dark, whatever anybody or any program says",
        "  lampione lock bligny-1 --reason 'new driver, Anna on the ladder'\n"
        "  lampione lock bligny-1 --reason 'new driver' --confirm bligny-1    in a script\n\n"
        "It asks for the node's name once more. The lock stays until it is taken off (`lampione\n"
        "unlock`), after restarts of the node and of the controller too.\n",
    )
    lock.add_argument("node", metavar="NODE")
    lock.add_argument("--reason", required=True, metavar="TEXT", help="why, for everybody to read")
    lock.add_argument("--confirm", metavar="NODE", help="the node's name again, instead of asking")
    unlock = commands.add(
        "unlock",
        "lampione.cli.locks:unlock",
        "take a lamp's lock off: it follows its program again",
        "  lampione unlock bligny-1\n"
        "  lampione unlock bligny-1 --reason 'Anna is back at the depot, called her'\n\n"
        "Whoever locked it takes it off; anybody else gives a reason, which the audit keeps.\n",
    )
    unlock.add_argument("node", metavar="NODE")
    unlock.add_argument("--reason", metavar="TEXT", help="needed for somebody else's lock")
    commands.add(
        "locks",
        "lampione.cli.locks:locks",
        "list the lamps that are locked, by whom, since when and why",
        "  lampione locks\n  lampione locks --json | jq -r .node\n",
    )
