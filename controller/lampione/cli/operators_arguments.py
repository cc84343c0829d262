"""The grammar of `lampione operators`."""

from pathlib import Path
from typing import Any

ROLES = ("view", "operate", "configure")
_EXAMPLES = """\
  lampione operators                                who may do what
  lampione operators add anna --role configure --pin
  lampione --operator anna operators add night --role view    from then on anna asks
  lampione --operator anna operators role night operate
  lampione --operator anna operators remove night

view looks; operate sends commands, locks, acknowledges and writes notes, too; configure may do
everything. Without any operator whoever reaches the controller may do everything, by the name
that the system knows him by; the first one to be added has to have the role configure.
A PIN is asked for, or read from a file of mode 0600; it is never an argument.
"""


def add(commands: Any, common: Any, group: Any) -> None:
    """Add `operators` to the commands. See `parser`."""
    operators = commands.add(
        "operators",
        "lampione.cli.operators:show",
        "who may look, operate and configure",
        _EXAMPLES,
    )
    actions = group(operators, "action", common)
    actions.add(
        "list",
        "lampione.cli.operators:show",
        "list the operators and their roles",
        "  lampione operators list --json\n",
    )
    new = actions.add(
        "add",
        "lampione.cli.operators:add",
        "add an operator, or change the role or the PIN of one",
        "  lampione operators add anna --role configure --pin\n"
        "  lampione operators add anna --pin-file pin\n"
        "  lampione operators add anna --no-pin\n",
    )
    new.add_argument("name", metavar="NAME")
    new.add_argument("--role", choices=ROLES, help="what he may do; a new one needs it")
    pin = new.add_mutually_exclusive_group()
    pin.add_argument("--pin", action="store_true", help="ask for a new PIN, twice")
    pin.add_argument("--pin-file", type=Path, metavar="FILE", help="its first line is the PIN")
    pin.add_argument("--no-pin", action="store_true", help="he needs none any more")
    remove = actions.add(
        "remove",
        "lampione.cli.operators:remove",
        "remove an operator",
        "  lampione operators remove anna\n",
    )
    remove.add_argument("name", metavar="NAME")
    role = actions.add(
        "role",
        "lampione.cli.operators:add",
        "change what an operator may do",
        "  lampione operators role anna operate\n",
        pin=False,
        pin_file=None,
        no_pin=False,
    )
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", choices=ROLES)
