"""`micropython`: the interpreter's own; the serial line is told what it does with Ctrl-C."""

from _wire import tell as _tell
from micropython import *  # noqa: F403
from micropython import kbd_intr as _kbd_intr


def kbd_intr(key):
    """3: Ctrl-C interrupts; -1: it is a byte as any other. Others are not known here."""
    _kbd_intr(key)
    _tell(b"h%d" % key)
