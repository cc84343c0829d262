"""`micropython`: the interpreter's own, but that the serial line learns of `kbd_intr` too."""

from _wire import tell as _tell
from micropython import *  # noqa: F403
from micropython import kbd_intr as _kbd_intr


def kbd_intr(key):
    """3: Ctrl-C interrupts; -1: it is a byte as any other, and what is printed is bytes."""
    _tell(b"h%d" % key)
    _kbd_intr(key)
