"""Which store a command is about: the one it names, else the controller's."""

import argparse

from lampione.cli.errors import FAILED, CliError
from lampione.core.folder import StateFolder
from lampione.store import Engine
from lampione.store.engine import open_engine, path_of


def chosen(options: argparse.Namespace) -> Engine:
    """Return the store of --store, else of the controller of --state, which is there.

    Raises CliError, StoreError.
    """
    where = options.store
    if where is None:
        where = StateFolder(options.state).store
    path = path_of(where)
    if path is not None and not path.exists():
        if options.store is not None:
            raise CliError(f"{path} is not there: --store names a store's file", FAILED)
        raise CliError(
            f"no store is in {options.state}, no controller has run there: "
            "--state or --store says where one is",
            FAILED,
        )
    return open_engine(where)


def is_controllers(options: argparse.Namespace) -> bool:
    """Say whether it is the one that the controller of --state uses."""
    store: str | None = options.store
    if store is None:
        return True
    own = StateFolder(options.state).store
    named = path_of(store)
    if named is None:
        return str(own) == store
    path = path_of(own)
    return path is not None and path.resolve() == named.resolve()
