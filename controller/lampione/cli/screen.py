"""The screen, attached to a controller that runs."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from lampione.cli import entry
from lampione.cli.errors import OK, USAGE, CliError
from lampione.core.client import Client, NoCore
from lampione.desk.desk import Desk
from lampione.desk.feed import CoreFeed, Feed


def screen(options: argparse.Namespace) -> int:
    """`lampione` without a command."""
    if options.json or not sys.stdout.isatty():
        raise CliError("there is no terminal for the screen; see `lampione --help`", USAGE)
    if options.offline:
        from lampione.desk.last_known import LastKnown

        return show(options.state, feed=LastKnown(options.state), streets=options.streets)
    if options.ssh is None and not options.read_only and not _answers(options.state):
        from lampione.cli.first_run import first_run

        return first_run(options)
    with Client.open(options.state) as client:  # what is wrong is said before the screen opens
        pin = entry.enter(client, options)
    who = (options.operator, pin)
    return show(options.state, read_only=options.read_only, who=who, streets=options.streets)


def _answers(state: Path) -> bool:
    try:
        Client.open(state).close()
    except NoCore:
        return False
    return True


def show(
    state: Path,
    for_s: float | None = None,
    check: Callable[[], None] = lambda: None,
    *,
    read_only: bool = False,
    who: tuple[str | None, str | None] = (None, None),
    streets: Path | None = None,
    feed: Feed | None = None,
    first: str | None = None,
) -> int:
    """Show the screen of the controller in `state` until the user ends it, or for so long.

    What `check` raises, twice a second, ends the screen and is raised here. `who`: the operator
    and the PIN; without, whoever the system says. `feed`: instead of the controller's.
    `first`: the view to begin with.
    """
    from lampione.tui.app import LampioneApp

    desk = Desk(feed or CoreFeed(state, *who), state=state, streets=streets)
    begin = {} if first is None else {"first": (first, None)}
    app = LampioneApp(desk, read_only=read_only, ends_after_s=for_s, check=check, **begin)

    def end(_signal: int, _frame: FrameType | None) -> None:
        app.exit()

    before = {s: signal.signal(s, end) for s in (signal.SIGTERM, signal.SIGHUP)}
    try:
        app.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if app.failure is not None:
        raise app.failure
    return app.return_code or OK
