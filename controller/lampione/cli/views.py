"""`views`: filters and orders of the fleet that are kept by name."""

import argparse

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.output import printer
from lampione.desk import saved
from lampione.desk.fleet import FilterError, Fleet
from lampione.desk.present import COLUMNS
from lampione.desk.saved import SavedError, SavedView


def views(options: argparse.Namespace) -> int:
    """`lampione views`, `views save NAME`, `views remove NAME`."""
    path = saved.place()
    try:
        if options.action == "save":
            _check(options)
            view = SavedView(options.filter, options.sort, options.descending, options.faults)
            saved.save(path, options.name, view)
        elif options.action == "remove":
            saved.remove(path, options.name)
        found = saved.load(path)
    except SavedError as error:
        raise CliError(str(error)) from None
    out = printer(options)
    if out.as_json:
        for name, view in found.items():
            out.json({"name": name, **view._asdict()})
        return OK
    if not found:
        out.line("no view is kept: `lampione views save NAME --filter ...`, or V on the screen")
        return OK
    out.table(
        ["view", "filter", "sorted by", "faults only"],
        (
            [name, view.words, view.sort + (" ▼" if view.descending else ""),
             "yes" if view.faults_only else ""]
            for name, view in found.items()
        ),
        right=frozenset(),
    )  # fmt: skip
    return OK


def _check(options: argparse.Namespace) -> None:
    keys = [column.key for column in COLUMNS]
    if options.sort not in keys:
        raise CliError(f"--sort: one of {', '.join(keys)}", USAGE)
    try:
        Fleet().arrange(words=options.filter)
    except FilterError as error:
        raise CliError(f"--filter: {error}", USAGE) from None


def of(options: argparse.Namespace) -> SavedView:
    """Return what `nodes` is to show: a view that is kept, and what is said beside it."""
    view = SavedView()
    if options.view is not None:
        try:
            kept = saved.load(saved.place())
        except SavedError as error:
            raise CliError(str(error)) from None
        if options.view not in kept:
            names = ", ".join(kept) or "none is kept"
            raise CliError(f"there is no view {options.view!r}: {names}", USAGE)
        view = kept[options.view]
    if options.filter is not None:
        view = view._replace(words=options.filter)
    return view._replace(faults_only=view.faults_only or options.faults)
