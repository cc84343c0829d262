"""`esp32`, as far as a virtual board has it: the chip's temperature, and pulses sent (RMT)."""

import struct
import time

from _pins import number
from _wire import ask, info, tell

if info["virtual"]:
    from _vtime import edges

_EDGES = 96  # that a line's answer holds at most


def mcu_temperature():
    """Whole degrees Celsius of the chip."""
    return ask(b"k", 1)[0] - 100


def raw_temperature():
    """Fahrenheit, as the plain ESP32 gives it."""
    return mcu_temperature() * 9 // 5 + 32


class RMT:
    """Pulses at a pin, by list of durations only. What the line makes of them comes back as edges.

    An earlier transmission that is not over blocks, as on the chip.
    """

    PULSE_MAX = 32767

    def __init__(
        self, id=-1, *, pin, clock_div=8, resolution_hz=0, idle_level=False, tx_carrier=None
    ):
        if not 1 <= clock_div <= 255:
            raise ValueError("clock_div must be between 1 and 255")
        self._pin = number(pin)
        self._hz = resolution_hz or 80000000 // clock_div
        self._idle = bool(idle_level)
        self._until_us = 0
        tell(b"p%d,%d,%d" % (self._pin, self._idle, time.uptime_us()))

    def wait_done(self, *, timeout=0):
        return time.uptime_us() >= self._until_us

    def write_pulses(self, duration, data=True):
        if not isinstance(duration, (list, tuple)) or isinstance(data, (list, tuple)):
            raise NotImplementedError("the virtual board's RMT: a list of durations")
        time.sleep_us(max(0, self._until_us - time.uptime_us()))
        level = self._idle
        now = bool(data)
        at = 0
        changes = []
        for ticks in duration:
            if not 1 <= ticks <= 32767:
                raise ValueError("duration must be between 1 and 32767")
            if now != level:
                changes.append(at * 1000000 // self._hz)
            level = now
            now = not now
            at += ticks
        if level != self._idle:
            changes.append(at * 1000000 // self._hz)
        us = time.uptime_us()
        self._until_us = us + at * 1000000 // self._hz
        head = struct.pack("<2BQ", 108, self._pin, us)
        reply = ask(head + struct.pack("<%dI" % len(changes), *changes), 4 + 4 * _EDGES)
        if info["virtual"]:
            rx, rises, count = struct.unpack_from("<2BH", reply)
            for offset in struct.unpack_from("<%dI" % count, reply, 4):
                edges.append((us + offset, rx, rises))
                rises = not rises
            edges.sort()
