"""The grammar of `lampione alarms`."""

from pathlib import Path
from typing import Any

from lampione.cli import values


def add(commands: Any, common: Any, group: Any) -> None:
    """Add `alarms` to the commands; `group` makes those inside it. See `parser`."""
    alarms = commands.add(
        "alarms",
        "lampione.cli.alarms:alarms",
        "what is broken: where, since when, why; acknowledge, assign, note, shelve",
        "  lampione alarms\n"
        "  lampione alarms --node bligny-1 --all\n"
        "  lampione alarms --json | jq -r 'select(.severity==\"critical\").subject'\n"
        "  lampione alarms ack 17 18\n\n"
        "Without --all or --cleared: those that are active or that nobody has acknowledged. What\n"
        "is judged: `lampione alarms rules`.\n",
    )
    which = alarms.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="history too")
    which.add_argument("--cleared", action="store_true", help="only those that are over")
    alarms.add_argument("--node", metavar="NODE", help="of this one, its causes too")
    alarms.add_argument(
        "--since", dest="since_s", type=values.duration_s, metavar="T", help="changed since"
    )
    alarms.add_argument(
        "--limit",
        type=lambda text: values.whole(text, 1, 10_000),
        default=1000,
        metavar="N",
        help="so many at most, the newest (default: 1000)",
    )
    actions = group(alarms, "action", common)
    ids = {"type": lambda text: values.whole(text, 1, 2**31), "metavar": "ID"}
    for name, summary, example in (
        ("ack", "acknowledge: somebody has seen them", "  lampione alarms ack 17 18\n"),
        ("unack", "take that back", "  lampione alarms unack 17\n"),
    ):
        action = actions.add(name, f"lampione.cli.alarms:{name}", summary, example)
        action.add_argument("alarm", nargs="+", **ids)
    assign = actions.add(
        "assign",
        "lampione.cli.alarms:assign",
        "say who takes one on",
        "  lampione alarms assign 17 anna\n  lampione alarms assign 17 ''    nobody\n",
    )
    assign.add_argument("alarm", **ids)
    assign.add_argument("text", metavar="NAME")
    note = actions.add(
        "note",
        "lampione.cli.alarms:note",
        "note something beside one",
        "  lampione alarms note 17 'driver ordered'\n",
    )
    note.add_argument("alarm", **ids)
    note.add_argument("text", metavar="TEXT")
    shelve = actions.add(
        "shelve",
        "lampione.cli.alarms:shelve",
        "put some aside for a time",
        "  lampione alarms shelve 17 18 --for 8h\n  lampione alarms shelve 17 --for 0s    now\n",
    )
    shelve.add_argument("alarm", nargs="+", **ids)
    shelve.add_argument(
        "--for", dest="for_s", type=values.duration_s, required=True, metavar="T",
        help="30d at most; 0s: not any more",
    )  # fmt: skip
    rules = actions.add(
        "rules",
        "lampione.cli.alarms:rules",
        "list what is judged, and which file says so",
        "  lampione alarms rules\n"
        "  lampione alarms rules --check new.toml    whether a file can be used\n"
        "  lampione alarms rules --json | jq -r .name\n",
    )
    rules.add_argument("--check", type=Path, metavar="FILE", help="these, instead of the folder's")
