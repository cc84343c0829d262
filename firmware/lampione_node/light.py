"""The light at the start: the design level, whatever the settings are. Needed once a boot."""

import json
import os
import time

import machine

from .lamp import Lamp, open_pwm

_LAMP_FILE = "/state/lamp"


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
