"""A disk with no room left, for as long as a test wants."""

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def full_disk(left: int = 0) -> Iterator[None]:
    """Let no file of this process grow beyond `left` bytes meanwhile; Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
