"""The virtual clock: it moves only where the program waits, 2 µs a look otherwise.

The supervisor grants time up to a horizon; a board goes on by itself until it wants to wait past
that. The same program therefore always sees the same times.
"""

import struct

import micropython
from _wire import GRANT, ask, hear, info, tell

# now, horizon, watchdog bites at, the world's generation, when something comes to a socket (-1:
# nothing), grants so far
clock = [info["ticks_us"], info["ticks_us"], 0, 0, -1, 0]
# The byte that the data lines of microphone and Doppler radar are held at; 256: clipped; -1: not
held = [-1, -1]

handlers = {}  # pin: what an edge calls, which edges (1 rising, 2 falling), the Pin
edges = []  # that will come: when, pin, whether it rises


@micropython.native
def wait_until(until_us, once=False):
    """Let virtual time pass until `until_us`, or until the watchdog bites.

    once: return after a grant or an interrupt, as the world may be another since then.
    """
    times = clock
    while edges and edges[0][0] <= until_us:
        at_us, pin, rises = edges.pop(0)
        wait_until(at_us)
        found = handlers.get(pin)
        if found and found[1] & (1 if rises else 2):
            found[0](found[2])
            if once:
                return
    bites = times[2] and times[2] < until_us
    target_us = times[2] if bites else until_us
    while target_us > times[1]:
        if times[1] > times[0]:
            times[0] = times[1]
        _grant(target_us, once)
        if once:
            return
    if bites:
        bite()
    if until_us > times[0]:
        times[0] = until_us


def _grant(until_us, once):
    try:
        reply = ask(b"W%d,%d,%d" % (until_us, clock[0], once), GRANT)
    except KeyboardInterrupt:
        tell(b"w")
        hear(bytearray(GRANT))
        raise
    clock[1], clock[4], clock[3], held[0], held[1] = struct.unpack("<2qI2h", reply)
    clock[5] += 1


def bite():
    from _wire import die

    clock[0] = clock[2]
    die(b"R3,%d" % clock[0])


def watch(timeout_us):
    """Feed the watchdog: it bites `timeout_us` from now."""
    clock[2] = clock[0] + timeout_us


@micropython.native
def uptime_us():
    """Microseconds of the board's tick counter, not wrapped."""
    times = clock
    times[0] = now = times[0] + 2
    return now


@micropython.native
def look_us():
    """The same without the time that a look takes."""
    return clock[0]


@micropython.native
def ticks_ms():
    times = clock
    times[0] = now = times[0] + 2
    return now // 1000 & 0x3FFFFFFF


@micropython.native
def ticks_us():
    times = clock
    times[0] = now = times[0] + 2
    return now & 0x3FFFFFFF


@micropython.native
def sleep_us(us):
    if us > 0:
        wait_until(clock[0] + us)


@micropython.native
def sleep_ms(ms):
    sleep_us(ms * 1000)


@micropython.native
def sleep(seconds):
    sleep_us(int(seconds * 1000000))
