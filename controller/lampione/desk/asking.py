"""What people type to see some of the nodes: words, comparisons, and their opposites.

viale off        the name, site, state or lamp's reason hold both
laeq>65 site=*Lodi*    a value of the report, the health or the node itself
!online !lamp_level=0  the opposite of either
faults           nodes that something is the matter with
"""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from lampione.desk import present
from lampione.desk.present import Row

_COMPARE = re.compile(r"([a-z_][a-z0-9_.]*)(<=|>=|!=|=|<|>)(.*)")
FAULTS = "faults"
_OWN = ("node", "site", "state", "missing", "lost", "refused")

Test = Callable[[Row], bool]


class AskingError(ValueError):
    """Not a filter; the text says what is wrong with it."""


def filters(text: str, faulty: Test) -> list[Test]:
    """Return what a row has to pass, one test a word. Raises AskingError."""
    return [_test(word, faulty) for word in text.lower().split()]


def _test(word: str, faulty: Test) -> Test:
    if word.startswith("!") and len(word) > 1:
        wanted = _test(word[1:], faulty)
        return lambda row: not wanted(row)
    if word == FAULTS:
        return faulty
    found = _COMPARE.fullmatch(word)
    if found is None:
        return lambda row: word in _text(row)
    field, operator, value = found.groups()
    return _comparison(field, operator, value)


def _text(row: Row) -> str:
    reason = row["report"].get("lamp_reason") or ""
    return f"{row['node']} {row['site']} {row['state']} {reason}".lower()


def _value(field: str) -> Callable[[Row], Any]:
    """Return what reads a field of a row. Raises AskingError."""
    if field in _OWN:
        return lambda row: row[field]
    message, _, name = field.rpartition(".")
    for of in ("report", "health", "hello"):
        if message in ("", of) and name in present.FIELDS[of]:
            if of == "report":
                return lambda row: present.reported(row, name)
            return lambda row, of=of: row[of].get(name)  # type: ignore[misc]
    raise AskingError(f"there is no field {field!r}")


def _comparison(field: str, operator: str, value: str) -> Test:
    read = _value(field)
    if not value:
        raise AskingError(f"{field}{operator} what?")
    try:
        number = float(value)
    except ValueError:
        number = None
    if operator not in ("=", "!="):
        if number is None:
            raise AskingError(f"{field}{operator} goes with a number, {value!r} is none")
        return _ordered(read, operator, number)

    def equal(row: Row) -> bool:
        found = read(row)
        if found is None:
            return value == "unknown"
        if isinstance(found, list | tuple):
            return value in map(str, found)
        if number is not None and isinstance(found, int | float):
            return float(found) == number
        return fnmatchcase(str(found).lower(), value)

    return equal if operator == "=" else lambda row: not equal(row)


def _ordered(read: Callable[[Row], Any], operator: str, limit: float) -> Test:
    def holds(row: Row) -> bool:
        found = read(row)
        if not isinstance(found, int | float):
            return False  # nothing is known of it
        if operator == "<":
            return found < limit
        if operator == "<=":
            return found <= limit
        return found > limit if operator == ">" else found >= limit

    return holds
