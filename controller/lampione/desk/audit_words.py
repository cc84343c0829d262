"""What an entry of the audit says, for people. Works on the core's dictionaries."""

from collections.abc import Mapping
from typing import Any

from lampione.desk.text import clean

Entry = Mapping[str, Any]


def what_was_done(entry: Entry) -> str:
    """Return what was done."""
    return clean(entry["action"])


def what_came(entry: Entry) -> str:
    """Return what came of it."""
    return clean(", ".join(f"{name} {value}" for name, value in entry["detail"].items()))
