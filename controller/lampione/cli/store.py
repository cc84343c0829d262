"""`store`: space, retention, vacuum, check, backup, restore."""

import argparse
from collections.abc import Mapping
from typing import Any

from lampione.cli.errors import FAILED, OK, CliError
from lampione.cli.fleet import core
from lampione.cli.output import printer
from lampione.cli.store_arguments import CLASSES, EVER
from lampione.cli.store_choice import chosen, is_controllers
from lampione.core.client import NoCore
from lampione.core.folder import StateFolder, make_private
from lampione.core.upkeep import Upkeep
from lampione.store import Keeper
from lampione.store.engine import path_of

_UNITS = ("B", "kB", "MB", "GB", "TB")


def _keeper(options: argparse.Namespace) -> Keeper:
    return chosen(options).keeper()


def _perform(
    options: argparse.Namespace, do: str, policy: Mapping[str, float | None]
) -> dict[str, int]:
    """Have the controller do it with its own store, or do it where none runs."""
    engine = chosen(options)
    if not is_controllers(options):
        return Upkeep(engine).perform(do, policy)
    try:
        with core(options) as client:
            found: dict[str, int] = client.call("store", do=do, policy=dict(policy), timeout_s=None)
            return found
    except NoCore:
        with StateFolder(options.state).owned():
            return Upkeep(engine).perform(do, policy, alone=True)


def size(count: float) -> str:
    """Write a number of bytes with three digits."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {_UNITS[unit]}"


def space(options: argparse.Namespace) -> int:
    """`lampione store space`."""
    out = printer(options)
    keeper = _keeper(options)
    found, policy = keeper.space(), keeper.policy()
    keeper.close()
    if out.as_json:
        for name, each in found.items():
            out.json({"class": name, **each._asdict(), "keep_s": policy.get(name)})
        return OK
    out.table(
        ["class", "rows", "size", "kept"],
        (
            [name, str(each.rows), size(each.bytes), _kept(policy[name]) if name in policy else ""]
            for name, each in found.items()
        ),
        right=frozenset({"rows", "size", "kept"}),
    )
    return OK


def _kept(keep_s: float | None) -> str:
    if keep_s is None:
        return "for ever"
    return f"{keep_s / 86400:g} d" if keep_s >= 86400 else f"{keep_s / 3600:g} h"


def retain(options: argparse.Namespace) -> int:
    """`lampione store retain`."""
    out = printer(options)
    given: dict[str, Any] = vars(options)
    policy = {
        name: None if given[key] == EVER else given[key]
        for name in CLASSES
        if (key := name.replace("-", "_")) in given
    }
    dropped = _perform(options, "retain", policy) if policy else {}
    keeper = _keeper(options)
    kept = keeper.policy()
    keeper.close()
    if out.as_json:
        for name, keep_s in kept.items():
            out.json({"class": name, "keep_s": keep_s, "dropped": dropped.get(name, 0)})
        return OK
    out.table(
        ["class", "kept", "dropped now"],
        ([name, _kept(keep_s), str(dropped.get(name, 0))] for name, keep_s in kept.items()),
        right=frozenset({"kept", "dropped now"}),
    )
    return OK


def vacuum(options: argparse.Namespace) -> int:
    """`lampione store vacuum`."""
    return _counted(options, "vacuum")


def fold(options: argparse.Namespace) -> int:
    """`lampione store fold`."""
    return _counted(options, "fold")


def _counted(options: argparse.Namespace, do: str) -> int:
    out = printer(options)
    found = _perform(options, do, {})
    if out.as_json:
        out.json(found)
    elif "bytes" in found:
        out.line(f"{size(found['bytes'])} given back")
    else:
        out.line(f"{found['frames']} frames folded into {found['chunks']} chunks")
    return OK


def check(options: argparse.Namespace) -> int:
    """`lampione store check`."""
    out = printer(options)
    keeper = _keeper(options)
    wrong = keeper.check(full=options.full)
    keeper.close()
    if out.as_json:
        out.json({"whole": not wrong, "wrong": wrong})
    else:
        for line in wrong or ["the store is whole"]:
            out.line(line)
    return FAILED if wrong else OK


def backup(options: argparse.Namespace) -> int:
    """`lampione store backup`."""
    from lampione.cli.progress import Progress

    out = printer(options)
    name = options.file.name
    keeper = _keeper(options)
    try:
        with Progress(out, [name], key="file") as progress:
            keeper.backup(options.file, progress=lambda part: progress.tell(name, "copied", part))
    finally:
        keeper.close()
    if out.as_json:
        out.json({"file": str(options.file), "bytes": options.file.stat().st_size})
    else:
        out.line(f"{options.file}: {size(options.file.stat().st_size)}, whole")
    return OK


def restore(options: argparse.Namespace) -> int:
    """`lampione store restore`."""
    from lampione.store.sqlite.restore import check_backup, restore

    out = printer(options)
    check_backup(options.file)
    make_private(options.state)
    folder = StateFolder(options.state)
    with folder.owned():
        path = path_of(folder.store)
        if path is None:
            raise CliError(
                f"the store is {folder.store}: pg_restore brings back what pg_dump saved", FAILED
            )
        aside = restore(options.file, path, replace=options.replace)
    if out.as_json:
        out.json({"restored": str(path), "aside": None if aside is None else str(aside)})
        return OK
    out.line(f"{path} is now what {options.file} holds")
    if aside is not None:
        out.line(f"the one before is {aside}")
    return OK
