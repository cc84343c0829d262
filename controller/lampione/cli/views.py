"""`views`: filters, orders and columns of the fleet that are kept by name."""

import argparse

from lampione.cli.errors import OK, USAGE, CliError
from lampione.cli.output import printer
from lampione.desk import saved
from lampione.desk.columns import ColumnError, column, keys_of
from lampione.desk.fleet import FilterError, Fleet
from lampione.desk.saved import SavedError, SavedView


def views(options: argparse.Namespace) -> int:
    """`lampione views`, `views save NAME`, `views remove NAME`."""
    path = saved.place()
    try:
        if options.action == "save":
            saved.save(path, options.name, _made(options))
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
        ["view", "filter", "sorted by", "faults only", "columns"],
        (
            [name, view.words, view.sort + (" ▼" if view.descending else ""),
             "yes" if view.faults_only else "", " ".join(view.columns)]
            for name, view in found.items()
        ),
        right=frozenset(),
    )  # fmt: skip
    return OK


def _made(options: argparse.Namespace) -> SavedView:
    """Return the view that is said. Raises CliError."""
    columns = _columns(options.columns)
    try:
        column(options.sort)
    except ColumnError as error:
        raise CliError(f"--sort: {error}", USAGE) from None
    try:
        Fleet().arrange(words=options.filter)
    except FilterError as error:
        raise CliError(f"--filter: {error}", USAGE) from None
    return SavedView(options.filter, options.sort, options.descending, options.faults, columns)


def _columns(text: str) -> tuple[str, ...]:
    try:
        return keys_of(text)
    except ColumnError as error:
        raise CliError(f"--columns: {error}", USAGE) from None


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
    if options.columns is not None:
        view = view._replace(columns=_columns(options.columns))
    return view._replace(faults_only=view.faults_only or options.faults)
