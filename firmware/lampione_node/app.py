"""The node's start: light first, then everything that can fail.

Little is imported here, so that little can keep the lamp from burning.
"""

import asyncio

from micropython import const

from .forget import forget

_MAINTENANCE = const(7)  # lampione_light.level's


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
    forget("lampione_node.config", "lampione_node.light", "lampione_node.settings")
    return found, faults, lamp


def main() -> None:
    """Run the node until Ctrl-C. Raises whatever ends it otherwise, with the lamp lit."""
    lamp = None
    locked = False
    try:
        settings, faults, lamp = _start()
        for line in faults:
            print("lampione:", line)
        from .node import run

        run(settings, faults, lamp)
    except KeyboardInterrupt:
        asyncio.new_event_loop()  # what ran is not to go on at the REPL
        locked = lamp and lamp.reason == _MAINTENANCE  # whoever works on it may have stopped it
        print("lampione: stopped; the lamp is", "locked" if locked else "at its design level")
    finally:
        if lamp and not locked:  # a node that does not run has no orders
            lamp.set_fault(True)
