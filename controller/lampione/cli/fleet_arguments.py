"""The grammar of `watch`, `history`, `gaps` and `refused`."""

from typing import Any

from lampione.cli import values


def add(commands: Any) -> None:
    """Add the commands. See `parser`."""
    watch = commands.add(
        "watch",
        "lampione.cli.fleet:watch",
        "print reports as they come, until Ctrl-C",
        "  lampione watch\n  lampione watch bligny-1 --for 1m --json\n",
    )
    watch.add_argument("nodes", nargs="*", metavar="NODE", help="these only")
    watch.add_argument(
        "--for", dest="for_s", type=values.duration_s, metavar="T", help="end after T"
    )

    history = commands.add(
        "history",
        "lampione.cli.fleet:history",
        "print what a node reported",
        "  lampione history bligny-1 --since 2h\n"
        "  lampione history bligny-1 --since 1d --fields laeq,la90 --json\n"
        "  lampione history bligny-1 --message health\n",
    )
    history.add_argument("node", metavar="NODE")
    history.add_argument(
        "--since",
        dest="since_s",
        type=values.duration_s,
        default=3600.0,
        metavar="T",
        help="how far back (default: 1h)",
    )
    history.add_argument(
        "--until",
        dest="until_s",
        type=values.duration_s,
        default=0.0,
        metavar="T",
        help="and until how long ago (default: now)",
    )
    history.add_argument(
        "--message", choices=("report", "health", "hour", "raw", "event", "log", "result"),
        default="report", help="of this kind (default: report)",
    )  # fmt: skip
    history.add_argument("--fields", metavar="A,B", help="these fields only (default: all)")

    gaps = commands.add(
        "gaps",
        "lampione.cli.fleet:gaps",
        "list the sequence numbers that are missing or lost",
        "  lampione gaps\n  lampione gaps bligny-1 --json\n",
    )
    gaps.add_argument("node", nargs="?", metavar="NODE")

    commands.add(
        "refused",
        "lampione.cli.fleet:refused",
        "count the frames that were not accepted, those of no known node too",
        "  lampione refused\n  lampione refused --json\n",
    )
