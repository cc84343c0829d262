"""The node's start: light first, then everything that can fail.

Little is imported here, so that little can keep the lamp from burning.
"""

import asyncio
import sys
import time

import machine
from micropython import const

_REPL_MS = const(3600000)  # a node that is forgotten at its REPL comes back after an hour
_PAUSE_S = const(60)  # before a start that failed is tried again


def _start() -> tuple:
    """Return (settings, faults, lamp), and forget the modules that are needed once: 6 kB."""
    from . import light, settings

    try:
        from . import config

        found, faults = config.start(settings)
    except Exception as error:  # whatever it is, it costs no light
        print("lampione: config", repr(error))
        found, faults = settings.load("/settings.json")
    lamp = light.light(found)
    package = sys.modules["lampione_node"]
    for name in ("config", "light", "settings"):
        sys.modules.pop("lampione_node." + name, None)
        if hasattr(package, name):
            delattr(package, name)
    return found, faults, lamp


def main() -> None:
    """Run the node until Ctrl-C, or until it cannot go on."""
    lamp = None
    try:
        settings, faults, lamp = _start()
        for line in faults:
            print("lampione:", line)
        from .node import run

        run(settings, faults, lamp)
        if lamp:  # a node that does not run has no orders
            lamp.set_fault(True)
    except KeyboardInterrupt:
        if lamp:
            lamp.set_fault(True)
        machine.WDT(timeout=_REPL_MS)
        asyncio.new_event_loop()  # what ran is not to go on at the REPL
        print("lampione: stopped; the lamp is at its design level")
    except Exception as error:
        if lamp:
            lamp.set_fault(True)
        sys.print_exception(error)
        print("lampione: starting again in", _PAUSE_S, "s; Ctrl-C for the REPL")
        machine.WDT(timeout=_PAUSE_S * 2000)  # or the one of the node ends the pause
        time.sleep(_PAUSE_S)
        machine.reset()
