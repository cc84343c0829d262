"""The wire from the board to its supervisor: one packet a message, file descriptor 4.

A message is an operation byte and its body. Questions get one reply whose length both sides
know beforehand, because it comes through a pipe, file descriptor 14.
"""

import micropython

FLASH, WIRE, CONTROL, SOUND, DOPPLER, INTERRUPTS = 3, 4, 5, 6, 7, 9
UART0, REPLIES, I2S0 = 10, 14, 20
QUESTION = 512  # bytes of every question to a board's interrupts
GRANT = 24  # bytes of a grant of virtual time

_wire = open(WIRE, "r+b")
_replies = open(REPLIES, "rb")
native = {}  # the interpreter's own modules that a simulated one stands in front of
info = {}  # what the supervisor said of this boot


@micropython.native
def tell(message):
    """Send `message` and go on."""
    _wire.write(message)


@micropython.native
def ask(message, length, reply=None, size=-1):
    """Send `message`, or the first `size` bytes of it; return its reply of `length` bytes.

    The reply is put into the buffer `reply` where there is one: so nothing is allocated.
    """
    if reply is None:
        reply = bytearray(length)
    _wire.write(message, size)
    _replies.readinto(reply, length)
    return reply


@micropython.native
def hear(reply):
    """Wait for a reply of len(reply) bytes to something told before."""
    _replies.readinto(reply)


@micropython.viper
def copy(to: ptr8, at: int, source: ptr8, start: int, length: int):  # noqa: F821
    """Put source[start : start + length] at to[at]: slices would be the program's memory."""
    end = at + length
    while at < end:
        to[at] = source[start]
        at += 1
        start += 1


def die(message):
    """Tell the supervisor to end this board, and never come back."""
    _wire.write(message)
    nothing = bytearray(1)
    while True:  # no `except` of the program may swallow a reset
        try:
            _wire.readinto(nothing)
        except BaseException:
            pass
