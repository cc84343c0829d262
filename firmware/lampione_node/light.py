"""The light at the start: the design level, whatever the settings are. Needed once a boot."""

import json
import os
import time

import machine

from .lamp import Lamp

_LAMP_FILE = "/state/lamp"


def _remembered() -> "list | None":
    """Return [part, lamp's settings] of an earlier boot, or None."""
    try:
        with open(_LAMP_FILE) as file:
            part, lamp = json.load(file)
        lamp["design_percent"] = max(1, min(100, lamp["design_percent"]))
        return [part, lamp]
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


def _output(part: dict, lamp: dict):  # type: ignore[no-untyped-def]
    percent = lamp["design_percent"]
    if part.get("kind") == "dali":
        from .drivers.dali_output import open_dali

        return open_dali(machine, part, percent)
    from .drivers.dimmer import Dimmer

    return Dimmer(machine, part, lamp, percent * 100)


def light(settings: dict) -> "Lamp | None":
    """Bring the lamp to its design level, by the settings or, should they be damaged, by memory."""
    part = settings["parts"].get("lamp")
    lamp = settings["lamp"]
    known = _remembered()
    tries = [[part, lamp]]
    if known:
        tries.append([known[0], known[1] if part is None else lamp])
    for part, lamp in tries:
        if part is not None:
            try:
                lit = Lamp(_output(part, lamp), time.ticks_ms, lamp["design_percent"])
                lit.rated_w = lamp["rated_w"]
            except Exception as error:
                print("lampione: lamp:", repr(error))
                continue
            if known != [part, lamp]:
                _remember([part, lamp])
            return lit
    return None
