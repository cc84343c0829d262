"""The light at the start: the design level, whatever the settings are. Needed once a boot."""

import json
import time

import machine
from lampione_light.level import MAINTENANCE
from micropython import const

from . import kept
from .lamp import Lamp
from .orders import FILE, ROW_BYTES, ROWS

_LAMP_FILE = "/state/lamp"
_MOST = const(512)


class _Locked:
    """The lamp's source until its orders are read: somebody worked on it when the power went."""

    wait_ms = 1000

    def level(self, _elapsed_ms: int) -> tuple:
        """See Lamp."""
        return 0, MAINTENANCE, 0


def _locked() -> bool:
    rows = kept.load(FILE, ROWS * ROW_BYTES)
    return MAINTENANCE in [rows[at] for at in range(0, len(rows), ROW_BYTES)]


def _remembered() -> "list | None":
    """Return [part, lamp's settings] of an earlier boot, or None."""
    try:
        part, lamp = json.loads(kept.load(_LAMP_FILE, _MOST))
        lamp["design_percent"] = max(1, min(100, lamp["design_percent"]))
        return [part, lamp]
    except Exception:
        return None


def _output(part: dict, lamp: dict, percent: int):  # type: ignore[no-untyped-def]
    if part.get("kind") == "dali":
        from .drivers.dali_output import open_dali

        return open_dali(machine, part, percent)
    from .drivers.dimmer import Dimmer

    return Dimmer(machine, part, lamp, percent * 100)


def light(settings: dict) -> "Lamp | None":
    """Bring the lamp to its design level, by the settings or, should they be damaged, by memory.

    One that is locked for maintenance stays dark until its orders are read.
    """
    source = _Locked() if _locked() else None
    part = settings["parts"].get("lamp")
    lamp = settings["lamp"]
    known = _remembered()
    tries = [[part, lamp]]
    if known:
        tries.append([known[0], known[1] if part is None else lamp])
    for part, lamp in tries:
        if part is not None:
            try:
                design = lamp["design_percent"]
                output = _output(part, lamp, 0 if source else design)
                lit = Lamp(output, time.ticks_ms, design, source)
                lit.rated_w = lamp["rated_w"]
            except Exception as error:
                print("lampione: lamp:", repr(error))
                continue
            if known != [part, lamp]:
                kept.save(_LAMP_FILE, json.dumps([part, lamp]).encode())
            return lit
    return None
