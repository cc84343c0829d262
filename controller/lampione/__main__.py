"""`python -m lampione`, and the command `lampione`."""

import sys


def main() -> int:
    """Run the command line; return the exit code."""
    from lampione.cli.run import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
