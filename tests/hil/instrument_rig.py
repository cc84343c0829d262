"""An instrument board on a virtual bench, with its real firmware."""

import json
from typing import Any

from lampione_hil import instrument
from lampione_hil.virtual import VirtualBench, VirtualBoard, World

QUIET = World(street=None, air=None)
PWM_IN, PWM_SPARE, VOLTAGE, CURRENT, LEVEL, DRIVE, RESET, BOOT = 4, 7, 6, 5, 10, 11, 12, 13
DIVIDER = 4
SETTINGS: dict[str, Any] = {
    "uart": [{"uart": n, "tx": 17, "rx": 18} for n in range(3)],
    "i2c": {"i2c": 0, "scl": 9, "sda": 8},
    "pwm": [{"pin": PWM_IN}],
    "voltage": [{"pin": VOLTAGE, "per_mille": 1000 * DIVIDER}],
    "current": [{"pin": CURRENT, "mv_per_a": 1000, "zero_mv": 100}],
    "level": [{"pin": LEVEL}],
    "drive": [{"pin": DRIVE}],
    "reset": {"pin": RESET},
    "boot": {"pin": BOOT},
    "tone": {"i2s": 0, "sck": 1, "ws": 2, "sd": 3, "full_scale_db": 120},
    "doppler": {"i2s": 1, "sck": 14, "ws": 15, "sd": 16, "full_scale_mv": 1000},
    "check": {
        "pwm": {"pin": PWM_SPARE, "channel": 0},
        "voltage": {"pin": PWM_SPARE, "channel": 0, "full_mv": 10_000},
        "drive": {"drive": 0, "level": 0},
        "uart": {"line": 0},
    },
    "calibrated": {"pwm": "2026-05-01", "tone": "2028-02-29"},
}


def board(bench: VirtualBench, name: str, settings: Any = SETTINGS, **more: Any) -> VirtualBoard:
    """Make an instrument board, off."""
    text = settings if isinstance(settings, bytes) else json.dumps(settings).encode()
    files = instrument.tree() | {"/instrument.json": text}
    return bench.board(name, files, world=more.pop("world", QUIET), **more)
