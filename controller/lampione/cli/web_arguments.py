"""The grammar of `lampione web`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import values

PORT = 8765
_EXAMPLES = """\
  lampione web                           prints an address; open it in a browser of this computer
  lampione web --read-only               whoever comes only looks
  lampione web --token-file web.token    the same token every time, from a file of mode 0600
  ssh -L 8765:127.0.0.1:8765 HOST        from elsewhere: then open the address as it is

docs/web.md says who can see what.
"""


def add(commands: Any) -> None:
    """Add the command to `commands`, see `parser`."""
    command: argparse.ArgumentParser = commands.add(
        "web", "lampione.cli.web:web", "the screens in a browser, of this computer alone", _EXAMPLES
    )
    command.add_argument("--port", type=_port, default=PORT, help=f"(default: {PORT}; 0: any)")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on")
    command.add_argument(
        "--in-the-clear",
        action="store_true",
        help="with --host: others reach it, and whoever is on the way reads the token and "
        "everything typed",
    )
    command.add_argument(
        "--token-file", type=Path, metavar="FILE", help="the token; made where it is missing"
    )
    command.add_argument(
        "--read-only", action="store_true", default=argparse.SUPPRESS, help="nothing is changed"
    )


def _port(text: str) -> int:
    return values.whole(text, 0, 65535)
