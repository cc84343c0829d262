"""The grammar of `lampione attach`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

DOES = ("status", "values", "log", "lamp", "outbox", "wifi", "reset")
_EXAMPLES = """\
  lampione attach                    who the node on the cable is, and what it measured last
  lampione attach log --for 1m       what it prints, without stopping it
  lampione attach lamp               0, 50 and 100 %, its power at each, then the design level
  lampione attach outbox             its frames into the controller, or the store while none runs
  lampione attach wifi --ssid city   another network; the password is asked for
  lampione attach wifi --wifi FILE   or from a file of mode 0600, as with `lampione provision`
  lampione attach reset              start it anew

All but `log` stop the node's program for that time and start it again at the end, after Ctrl-C
too; its lamp burns at the design level meanwhile. docs/street.md says what to do when a cable is
pulled in the midst of it.
"""


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command = commands.add(
        "attach",
        "lampione.cli.attach:attach",
        "talk to the node on a USB cable, whatever its radio does",
        _EXAMPLES,
    )
    command.add_argument("do", nargs="?", choices=DOES, default="status", metavar="WHAT",
                         help=f"{', '.join(DOES)} (default: status)")  # fmt: skip
    which = command.add_mutually_exclusive_group()
    which.add_argument("--port", metavar="P", help="its port, or a URL of pyserial")
    which.add_argument(
        "--serial", metavar="S", help="its serial number or name, or the beginning of it"
    )
    command.add_argument(
        "--for", dest="for_s", type=values.duration_s, metavar="T", help="log: for T"
    )
    command.add_argument(
        "--all", action="store_true", help="outbox: what is acknowledged already, too"
    )
    command.add_argument("--ssid", metavar="NAME", help="wifi: the network")
    command.add_argument(
        "--wifi", type=Path, metavar="FILE", help="wifi: a file with the network and its password"
    )


def mistake(options: argparse.Namespace) -> str | None:
    """Return what does not go together."""
    if options.for_s is not None and options.do != "log":
        return "--for goes with log"
    if options.all and options.do != "outbox":
        return "--all goes with outbox"
    if (options.ssid or options.wifi) and options.do != "wifi":
        return "--ssid and --wifi go with wifi"
    if options.ssid and options.wifi:
        return "the file of --wifi names the network: leave --ssid away"
    return None
