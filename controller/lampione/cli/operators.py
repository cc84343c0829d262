"""`operators`: who may look, operate and configure; with and without a controller that runs."""

import argparse
import contextlib
import getpass
import time
from typing import Any

from lampione.cli import entry
from lampione.cli.errors import FAILED, OK, CliError
from lampione.cli.fleet import core
from lampione.cli.output import Printer, printer
from lampione.core.client import NoCore
from lampione.core.folder import StateFolder
from lampione.room import operators as room
from lampione.room.audit import Deed
from lampione.room.who import CONFIGURE
from lampione.store.engine import open_engine

Rows = list[dict[str, Any]]


def show(options: argparse.Namespace) -> int:
    """`lampione operators`."""
    try:
        with core(options) as client:
            rows: Rows = client.call("operators")
    except NoCore:
        rows = _in_file(options)
    _print(printer(options), rows)
    return OK


def add(options: argparse.Namespace) -> int:
    """`lampione operators add NAME`, and `role`."""
    pin = _new_pin(options)
    if pin is None and options.role is None:
        raise CliError(f"what shall be of {options.name}: --role, --pin or --no-pin?", 2)
    _print(printer(options), _change(options, "set", options.role, pin))
    return OK


def remove(options: argparse.Namespace) -> int:
    """`lampione operators remove NAME`."""
    _print(printer(options), _change(options, "remove", None, None))
    return OK


def _new_pin(options: argparse.Namespace) -> str | None:
    """Return the PIN that is to be; "": none any more; None: as it is."""
    if options.no_pin:
        return ""
    if options.pin_file is not None:
        return entry.of_file(options.pin_file)
    if not options.pin:
        return None
    pin = entry.ask(f"new PIN of {options.name}: ")
    if entry.ask("the same again: ") != pin:
        raise CliError("those were two different PINs; nothing was changed")
    if not pin:
        raise CliError("an empty PIN is none: --no-pin takes it away")
    return pin


def _change(options: argparse.Namespace, do: str, role: Any, pin: str | None) -> Rows:
    """Have the controller do it, or do it where none runs."""
    try:
        with core(options) as client:
            found: Rows = client.call("operator", do=do, name=options.name, role=role, pin=pin)
            return found
    except NoCore:
        pass
    folder = StateFolder(options.state)
    try:
        with folder.owned():
            path = folder.path / room.FILE
            before = room.load(path)
            if do == "remove":
                after = room.without(before, options.name)
            else:
                after = room.changed(before, options.name, role, pin)
            room.save(path, after)
            _record(folder, options, do, role, pin)
    except room.OperatorsError as error:
        raise CliError(str(error), FAILED) from None
    return _in_file(options)


def _record(
    folder: StateFolder, options: argparse.Namespace, do: str, role: Any, pin: str | None
) -> None:
    """Write it into the audit, where no controller does."""
    where = folder.store
    if where == folder.database and not folder.database.exists():
        return
    detail = {"do": do, "name": options.name, "role": role, "pin": room.said(pin)}
    known = {name: value for name, value in detail.items() if value is not None}
    who = options.operator or getpass.getuser()
    deed = Deed(time.time(), who, CONFIGURE, entry.terminal(), "operator", None, known)
    with contextlib.closing(open_engine(where).writer()) as store:
        store.add_deeds([deed])
        store.commit()


def _in_file(options: argparse.Namespace) -> Rows:
    try:
        found = room.load(StateFolder(options.state).path / room.FILE) or {}
    except room.OperatorsError as error:
        raise CliError(str(error), FAILED) from None
    return [
        {"name": name, "role": one.role, "pin": one.hash is not None}
        for name, one in sorted(found.items())
    ]


def _print(out: Printer, rows: Rows) -> None:
    if out.as_json:
        for row in rows:
            out.json(row)
    elif rows:
        out.table(
            ["name", "role", "PIN"],
            ([row["name"], row["role"], "yes" if row["pin"] else "no"] for row in rows),
            right=frozenset(),
        )
    else:
        out.line("no operators: whoever reaches the controller may do everything")
