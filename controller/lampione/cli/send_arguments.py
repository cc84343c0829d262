"""The grammar of `send`."""

import argparse
from typing import Any

from lampione.cli import values

YES = "many nodes: do not ask"


def add(commands: Any, common: argparse.ArgumentParser, kind: Any) -> None:
    """Add the command. See `parser`."""
    send = commands.add(
        "send",
        "lampione.cli.send:send",
        "send a command to a node, or to many, and wait for what became of it",
        "  lampione send bligny-1 level 40 --ramp 5s --for 10m\n"
        "  lampione send bligny-1 resume\n"
        "  lampione send bligny-1 identify --for 30s\n"
        "  lampione send bligny-1 maintenance --for 30m    dark, and nobody can light it\n"
        "  lampione send bligny-1 maintenance --end\n"
        "  lampione send bligny-1,lazio-1 level 30 --for 30m --yes\n"
        "  lampione send 'site=\"Viale Lazio\"' resume\n\n"
        "NODE is a name, several with commas between them, or a question as of `nodes --where`.\n"
        "To many it asks first, unless --yes is said.\n",
    )
    send.add_argument("node", metavar="NODE")
    send.add_argument("--yes", action="store_true", help=YES)
    orders = kind(send, "order", common, required=True)
    handler = "lampione.cli.send:send"

    def order(name: str, summary: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = orders.add(name, handler, summary)
        command.add_argument(
            "--wait",
            dest="wait_s",
            type=values.duration_s,
            default=30.0,
            metavar="T",
            help="give up after T (default: 30s)",
        )
        # Before the order or behind it: whoever writes a line thinks of it last.
        command.add_argument("--yes", action="store_true", default=argparse.SUPPRESS, help=YES)
        return command

    level = order("level", "set the lamp's level for a time, after which it resumes")
    level.add_argument("level", type=values.percent, metavar="PERCENT", help="0 to 100")
    level.add_argument(
        "--ramp",
        dest="ramp_s",
        type=values.duration_s,
        metavar="T",
        help="take T to get there, 409s at most",
    )
    level.add_argument(
        "--for",
        dest="for_s",
        type=values.duration_s,
        default=3600.0,
        metavar="T",
        help="hold it for T, then resume (default: 1h)",
    )
    identify = order("identify", "blink, so that someone in the street sees which one it is")
    identify.add_argument(
        "--for",
        dest="for_s",
        type=values.duration_s,
        metavar="T",
        help="for T, 10m at most (default: 5s)",
    )
    order("resume", "end an override or an emergency: back to the program")
    emergency = order("emergency", "as much light as the post allows, whatever the program says")
    maintenance = order("maintenance", "dark and locked, while somebody works on the lamp")
    locking = maintenance.add_mutually_exclusive_group()
    for command in (emergency, locking):
        command.add_argument(
            "--for",
            dest="for_s",
            type=values.duration_s,
            default=3600.0,
            metavar="T",
            help="for T (default: 1h); then the program goes on",
        )
    locking.add_argument("--end", action="store_true", help="the work is done: light it again")
    order("read", "read the lamp's level")
    order("reboot", "start the node anew")
    order("clean", "blow the particulate sensor's dust out, ten seconds")
    order("time", "set the node's clock to the controller's")
    order("hello", "ask the node to introduce itself")
