"""Why a request is not carried out: what a Refused says."""

from micropython import const

# As lampione_protocol.bench.REASONS numbers them
UNKNOWN = const(0)
MALFORMED = const(1)
RANGE = const(2)
NOT_WIRED = const(3)
NOT_HERE = const(4)
NOT_OPEN = const(5)
FULL = const(6)
TIMEOUT = const(7)
NO_SIGNAL = const(8)
FAILED = const(9)


class Refusal(Exception):
    """args = (reason, text)."""


def need(value, name):  # type: ignore[no-untyped-def]
    """Return a value that must be given."""
    if value is None:
        raise Refusal(RANGE, name + ": not given")
    return value


def one_of(parts, number, name):  # type: ignore[no-untyped-def]
    """Return part `number` of a list."""
    if number >= len(parts):
        raise Refusal(RANGE, "%s %d of %d" % (name, number, len(parts)))
    return parts[number]
