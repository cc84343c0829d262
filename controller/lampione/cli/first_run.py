"""`lampione` alone, with no controller: a welcome, and then what was chosen in it."""

import argparse

from lampione.cli.errors import OK
from lampione.desk import first


def first_run(options: argparse.Namespace) -> int:
    """Show the welcome; do what was chosen."""
    from lampione.tui.welcome import WelcomeApp

    app = WelcomeApp(str(options.state), store=first.has_store(options.state))
    app.run()
    choice = app.choice
    if choice is None:
        return OK
    if choice.do == "demo":
        from lampione.cli.run import run

        return run(["demo"])
    from lampione.cli.screen import show

    if choice.do == "offline":
        from lampione.desk.last_known import LastKnown

        return show(options.state, feed=LastKnown(options.state))
    return _with_controller(options, choice)


def _with_controller(options: argparse.Namespace, choice: first.Choice) -> int:
    """Run a controller for as long as the screen is open."""
    from lampione.broker import LocalBroker
    from lampione.cli.screen import show
    from lampione.demo.processes import Core
    from lampione.tui.views import BY_NAME, FIRST

    first.prepare(options.state)
    broker = choice.broker
    if not broker:
        broker = f"mqtt://127.0.0.1:{LocalBroker(options.state / 'broker').start().port}"
    view = "commission" if choice.do == "commission" and "commission" in BY_NAME else FIRST
    core = Core(options.state, broker)
    try:
        core.wait()
        print(f"this controller ends with the screen; for one that stays: lampione serve "
              f"--broker {broker}")  # fmt: skip
        code = show(options.state, check=core.check, first=view)
    finally:
        core.close()
    print(f"the controller has ended; `lampione serve --broker {broker}` runs one that stays")
    return code
