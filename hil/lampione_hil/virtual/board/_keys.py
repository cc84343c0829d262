"""`micropython`: the interpreter's own, but that the key which interrupts is the terminal's."""

from _wire import tell as _tell
from micropython import *  # noqa: F403


def kbd_intr(key):
    """3: Ctrl-C interrupts; -1: it is a byte as any other. Others are not known here."""
    _tell(b"h%d" % key)
