"""An alarm as a row, the same in every engine."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from lampione.alarms.book import Alarm

COLUMNS = tuple(field.name for field in fields(Alarm))
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
STANDING = "(active <> 0 OR acked IS NULL)"
WHICH = {
    "active": "active <> 0",
    "standing": STANDING,
    "cleared": "active = 0",
    "all": "1 = 1",
}
"""What can be asked for."""


def row_of(alarm: Alarm) -> tuple[Any, ...]:
    """Return an alarm's row."""
    row = {name: getattr(alarm, name) for name in COLUMNS}
    row |= {"active": int(alarm.active), "members": json.dumps(alarm.members)}
    return tuple(row.values())


def alarm_of(row: Sequence[Any]) -> Alarm:
    """Return the alarm of a row."""
    found = dict(zip(COLUMNS, row, strict=True))
    found |= {"active": bool(found["active"]), "members": tuple(json.loads(found["members"]))}
    return Alarm(**found)
