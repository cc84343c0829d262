"""The node's start: light first, then everything that can fail.

Little is imported here, so that little can keep the lamp from burning.
"""

import asyncio
import json
import os
import sys
import time

import machine
from micropython import const

from .lamp import Lamp, open_pwm

_LAMP_FILE = "/state/lamp"
_REPL_MS = const(3600000)  # a node that is forgotten at its REPL comes back after an hour
_PAUSE_S = const(60)  # before a start that failed is tried again


def _remembered() -> "list | None":
    """Return [pin, design percent] of an earlier boot, or None."""
    try:
        with open(_LAMP_FILE) as file:
            pin, percent = json.load(file)
        return [pin, min(percent, 100)]
    except Exception:
        return None


def _remember(known: list) -> None:
    for _ in range(2):
        try:
            with open(_LAMP_FILE, "w") as file:
                json.dump(known, file)
            return
        except OSError:
            try:
                os.mkdir("/state")
            except OSError:
                pass


def light(settings: dict) -> "Lamp | None":
    """Bring the lamp to its design level, by the settings or, should they be damaged, by memory."""
    given = settings["parts"].get("lamp")
    percent = settings["lamp"]["design_percent"]
    known = _remembered()
    tries = [(given, percent)]
    if known:
        tries.append(({"pin": known[0]}, known[1] if given is None else percent))
    for part, percent in tries:
        if part is not None:
            try:
                lamp = Lamp(open_pwm(machine, part, percent), time.ticks_ms, percent)
            except Exception as error:
                print("lampione: lamp:", repr(error))
                continue
            if known != [part["pin"], percent]:
                _remember([part["pin"], percent])
            return lamp
    return None


def _settings() -> tuple:
    """Return (settings, faults); then forget that module, which is needed once and takes 2 kB."""
    from . import settings

    found = settings.load("/settings.json")
    del sys.modules["lampione_node.settings"]
    delattr(sys.modules["lampione_node"], "settings")
    return found


def main() -> None:
    """Run the node until Ctrl-C, or until it cannot go on."""
    lamp = None
    try:
        settings, faults = _settings()
        lamp = light(settings)
        for line in faults:
            print("lampione:", line)
        from .node import run

        run(settings, faults, lamp)
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
