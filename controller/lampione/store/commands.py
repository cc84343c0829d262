"""A row of the table `commands` as the API has it, the same of every engine."""

import json
from typing import Any

from lampione.api import CommandState

COMMAND_COLUMNS = (
    'c.id, n.name, c."order", c.state, c.final, c.counter, c.reason, c.level, c.value, '
    "c.created, c.expires, c.changed"
)


def command_of(row: tuple[Any, ...]) -> CommandState:
    """Return the command of a row of `COMMAND_COLUMNS`."""
    return {
        "command": row[0],
        "node": row[1],
        "order": json.loads(row[2]),
        "state": row[3],
        "final": bool(row[4]),
        "counter": row[5],
        "reason": row[6],
        "level": row[7],
        "value": row[8],
        "created": row[9],
        "expires": row[10],
        "changed": row[11],
    }
