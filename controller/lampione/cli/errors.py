"""Exit codes, and the errors that become one plain line."""

OK = 0
FAILED = 1  # it did not work, or not for all
USAGE = 2  # the command line is wrong (argparse's own code)
UNREACHABLE = 3  # no controller answers
UNKNOWN_NODE = 4
INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT
PIPE = 141  # 128 + SIGPIPE

EXIT_CODES = """\
exit codes:
  0    fine
  1    it failed, or not all of it worked
  2    the command line is wrong
  3    no controller answers: start one with `lampione serve` or `lampione demo`
  4    the fleet has no such node
  130  ended with Ctrl-C
  141  whoever read the output went away, as in `| head`
"""


class CliError(Exception):
    """A mistake or a failure that the user can do something about.

    Args:
        message: one line that says what to do.
        code: the exit code.
    """

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
