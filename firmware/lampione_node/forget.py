"""Lets go of modules that are needed for a moment: their memory is free at the next collection."""

import sys


def forget(*names: str) -> None:
    """Forget modules of ours by their full names; those that are not there, too."""
    for name in names:
        sys.modules.pop(name, None)
        package, last = name.rsplit(".", 1)
        holder = sys.modules.get(package)
        if hasattr(holder, last):
            delattr(holder, last)
