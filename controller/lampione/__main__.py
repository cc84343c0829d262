"""`python -m lampione`, and the command `lampione`."""

import sys


def main() -> int:
    """Run the command line; return the exit code."""
    try:
        from lampione.cli.run import run  # takes a moment, in which Ctrl-C may come, too

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
