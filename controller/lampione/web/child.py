"""One browser's screen: `python -m lampione.web.child --state DIR`, started by the server."""

import argparse
import os
import sys
from pathlib import Path

from lampione.cli import entry
from lampione.cli.screen import show


def main() -> int:
    """Show the screen to whoever started us, in Textual's packets."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--operator")
    parser.add_argument("--read-only", action="store_true")
    options = parser.parse_args()
    path = os.environ.get(entry.PIN_FILE)
    pin = entry.of_file(Path(path)) if path and options.operator else None
    return show(options.state, read_only=options.read_only, who=(options.operator, pin))


if __name__ == "__main__":
    sys.exit(main())
