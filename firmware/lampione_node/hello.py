"""What a node says of itself, on the wire and on its console. Needed once a boot, and forgotten."""

import os
import sys

import machine
from lampione_protocol.codec import encode_into
from lampione_protocol.schema import HELLO_FIELDS, REVISION
from micropython import const

_RESETS = const(5)
_MOST = const(64)
_UNKNOWN = (None,) * 5


def _hardware() -> int:
    """Return the wire's number of what this runs on."""
    if sys.platform != "esp32":
        return 0
    about = os.uname().machine
    return 0 if "Virtual" in about else 2 if "S3" in about else 1


def facts(version: tuple, profile: int, config) -> tuple:  # type: ignore[no-untyped-def]
    """Return (firmware, hardware, profile, reset cause, config) of a Hello."""
    major, minor, patch = version
    cause = min(max(0, machine.reset_cause() - 1), _RESETS)
    return major << 12 | minor << 6 | patch, _hardware(), profile, cause, config


def say(name: str, known: tuple, start: tuple = _UNKNOWN, clock: int = 0) -> None:  # type: ignore[no-untyped-def]
    """Print the Hello, unsealed, with the slot and the name: the node has started.

    Args:
        name: empty without settings.
        known: the facts.
        start: (epoch, boot, first_seq, oldest_held, last_counter).
        clock: its quality.
    """
    firmware, hardware, profile, cause, config = known
    version = state = None
    if config:
        version, state = config["version"], config["state"]
    more = None, None, firmware, REVISION, hardware, profile, cause, version, clock, state
    buf = bytearray(_MOST)
    end = encode_into(HELLO_FIELDS, start + more, buf, 0)
    print("lampione hello", bytes(memoryview(buf)[:end]).hex(), sys.path[-1], name)
    machine.RTC().memory(b"")  # main.py's mark: this slot starts
