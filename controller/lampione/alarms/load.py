"""The rules of a state folder, without what reading a file costs where there is none."""

from pathlib import Path

from lampione.alarms import built_in
from lampione.alarms.rules import Rule

FILE = "alarms.toml"


class RulesError(ValueError):
    """The file cannot be used; the message names file, table and key."""


def rules_of(state: Path) -> list[Rule]:
    """Return the rules that are judged. Raises RulesError."""
    if not (state / FILE).exists():
        return built_in.every()
    from lampione.alarms import file  # pydantic takes a quarter of a second

    return file.load(state / FILE)
