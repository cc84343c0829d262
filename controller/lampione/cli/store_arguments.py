"""The grammar of `lampione store`."""

import argparse
from pathlib import Path
from typing import Any

from lampione.cli import store_move_arguments, values

_HANDLERS = "lampione.cli.store:"
EVER = "ever"
# Those of `store.retention`, which loads what a grammar must not.
CLASSES = (
    "reports",
    "health",
    "hours",
    "raw",
    "events",
    "others",
    "rollups-5min",
    "rollups-hour",
    "rollups-day",
    "commands",
    "alarms",
)


def add(commands: Any, common: argparse.ArgumentParser, group: Any) -> None:
    """Add `store` to the commands; `group` makes those inside it. See `parser`."""
    store = commands.add(
        "store",
        _HANDLERS + "space",
        "look after the database: space, retention, backup, check",
        "  lampione store space\n"
        "  lampione store retain --reports 400d --raw 90d\n"
        "  lampione store backup /backups/lampione.db\n"
        "  lampione store check --full\n"
        "  lampione store move lampione.db postgresql://db.example/lampione\n",
    )
    actions = group(store, "action", common, required=True)

    space = actions.add("space", _HANDLERS + "space", "say what takes how much space")
    retain = actions.add(
        "retain",
        _HANDLERS + "retain",
        "say how long each class of data is kept, or change it and drop what is older",
        "  lampione store retain\n"
        "  lampione store retain --reports 400d --raw 90d --health ever\n\n"
        "`others` are results and logs. Losses, boots and configs are always kept.\n",
    )
    for name in CLASSES:
        retain.add_argument(f"--{name}", type=_age, metavar="T", default=argparse.SUPPRESS)
    vacuum = actions.add(
        "vacuum",
        _HANDLERS + "vacuum",
        "give free space back to the disk; the controller may run",
    )
    fold = actions.add(
        "fold", _HANDLERS + "fold", "fold now what has come, as happens every few minutes"
    )
    check = actions.add(
        "check",
        _HANDLERS + "check",
        "look whether the store is whole; exit 1 when it is not",
        "  lampione store check\n  lampione store check --full   every roll-up made again\n",
    )
    check.add_argument("--full", action="store_true", help="make every roll-up again")
    backup = actions.add(
        "backup",
        _HANDLERS + "backup",
        "copy the store to a file, while the controller runs",
        "  lampione store backup /backups/lampione-$(date +%F).db\n\n"
        "The copy is of one instant, whole and checked. Keys are not in it: see keys.json.\n",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = actions.add(
        "restore",
        _HANDLERS + "restore",
        "put a backup in the store's place; the controller must not run",
        "  lampione store restore /backups/lampione.db --replace\n\n"
        "Started again, the controller asks the nodes for what they hold and it has not.\n",
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument(
        "--replace", action="store_true", help="put a store that is there aside (.before)"
    )
    store_move_arguments.add(actions)
    for action in (space, retain, vacuum, fold, check, backup):
        action.add_argument(
            "--store", metavar="URL", help="the database (default: the controller's)"
        )


def _age(text: str) -> float | str:
    """Read an age, or `ever`."""
    return EVER if text == EVER else values.duration_s(text)
