"""The virtual clock: it moves only where the program waits, 2 µs a look otherwise.

The supervisor grants time up to a horizon; a board goes on by itself until it wants to wait past
that. The same program therefore always sees the same times.
"""

import struct

from _wire import GRANT, ask, hear, info, tell

_now = [info["ticks_us"], info["ticks_us"], 0]  # now, horizon, watchdog bites at
held = [-1, -1]  # the byte that the data lines of microphone and Doppler radar are held at; -1: not


def wait_until(until_us, once=False):
    """Let virtual time pass until `until_us`, or until the watchdog bites.

    once: return after a grant, as the world may be another since then.
    """
    bites = _now[2] and _now[2] < until_us
    target_us = _now[2] if bites else until_us
    while target_us > _now[1]:
        _now[0] = max(_now[0], _now[1])
        try:
            reply = ask(b"W%d" % target_us, GRANT)
        except KeyboardInterrupt:
            tell(b"w")
            hear(bytearray(GRANT))
            raise
        _now[1], held[0], held[1] = struct.unpack("<q2h", reply)
        if once:
            return
    if bites:
        bite()
    if until_us > _now[0]:
        _now[0] = until_us


def bite():
    from _wire import die

    _now[0] = _now[2]
    die(b"R3,%d" % _now[0])


def watch(timeout_us):
    """Feed the watchdog: it bites `timeout_us` from now."""
    _now[2] = _now[0] + timeout_us


def uptime_us():
    """Microseconds of the board's tick counter, not wrapped."""
    _now[0] += 2
    return _now[0]


def look_us():
    """The same without the time that a look takes."""
    return _now[0]


def horizon_us():
    """How far the clock may go. What the world says holds until then at most."""
    return _now[1]


def sleep_us(us):
    if us > 0:
        wait_until(_now[0] + us)


def sleep_ms(ms):
    sleep_us(ms * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))
