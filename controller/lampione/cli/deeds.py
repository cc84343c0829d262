"""Deeds with boards in hand, told to the controller of the state folder, if one runs."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from lampione.cli import entry
from lampione.cli.errors import FAILED, CliError
from lampione.core.client import Client, CoreError, NoCore
from lampione.room.deeds import Tell, to_nobody
from lampione.room.who import NotAllowedError, Who, check


@contextlib.contextmanager
def telling(options: argparse.Namespace) -> Iterator[Tell]:
    """Yield what tells the controller, and says so where it could not be told.

    Raises CliError before anything is done, where whoever works here may not do it.
    """
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(Client.open(options.state))
        except NoCore:
            yield to_nobody
            return
        entry.enter(client, options)
        who = client.call("enter")
        try:
            check(Who(who["operator"], who["role"], why=who["why"]), "deed")
        except NotAllowedError as error:
            raise CliError(str(error), FAILED) from None

        def tell(action: str, node: str | None = None, **detail: Any) -> None:
            try:
                client.call("deed", action=action, node=node, detail=detail)
            except (CoreError, TimeoutError) as error:
                # In one piece: several threads tell.
                sys.stderr.write(f"lampione: the audit has no {action}: {error}\n")

        yield tell
