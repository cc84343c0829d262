"""Methods that are called so rarely that they lie on flash meanwhile.

What ships has a file for each (see `lampione_hil.linking.apart`), in the slot that the node runs
from, which nobody writes to. Where its load fails for want of memory the caller hears MemoryError,
as of any other work: its task starts again, and that is counted.
"""

from .forget import forget


def rare(function):  # type: ignore[no-untyped-def]
    """Mark a method that runs a few times an hour at most."""
    return function


def call(name: str, *given):  # type: ignore[no-untyped-def]
    """Load a marked method, call it, and forget it again."""
    name = "lampione_node." + name
    try:
        return __import__(name, None, None, ("run",)).run(*given)
    finally:
        forget(name)
