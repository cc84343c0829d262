"""Plantower PMS5003: particulate matter over a UART, 9600 baud (data manual version 2.3).

It sends by itself every 2.3 s or faster, whole µg/m³ for the atmosphere. Values count from 30 s
after the fan started (manual): a silence of 4 s is taken for a new start, and answered with
wake-up and active mode, for a part that was put to sleep or into passive mode.

A fault shows: silence (SILENT) and frames that are never whole (STALE) after 10 s; a value beyond
1000 µg/m³, or PM1 above PM2.5 above PM10, with its frame; the same frame 40 times (every 3 s: two
minutes) as STUCK, since its counts of particles are never still. A new start that took less than
4 s is not seen.
"""

from micropython import const

from . import health
from .stream import Stream
from .watch import Watch

_HEADER = b"BM\x00\x1c"
_SIZE = const(32)
_WAKE = b"BM\xe4\x00\x01\x01\x74BM\xe1\x00\x01\x01\x71"
_TIMEOUT_MS = const(4000)
_FRESH_MS = const(10000)
_SAME = const(40)
_WARM_MS = const(30000)
_AIR = const(10)  # PM1, PM2.5, PM10 of the atmosphere
_MOST = const(10000)


def fits(buf, start, end):
    """See stream.shift."""
    n = end - start
    if buf[start] != 0x42 or buf[start : min(end, start + 4)] != _HEADER[:n]:
        return False
    return n < _SIZE or sum(buf[:30]) == buf[30] << 8 | buf[31]


class Pms5003:
    """The sensor on a ready-made UART."""

    def __init__(self, bus):
        self.watch = Watch(_FRESH_MS, _SAME, _WARM_MS)
        self._stream = Stream(bus, self.watch, _SIZE, fits, _TIMEOUT_MS)

    async def measure(self):
        """Return (PM1, PM2.5, PM10) in 0.1 µg/m³, or None. Waits for the next frame."""
        stream = self._stream
        lost = await stream.next()
        if lost:
            if lost == health.SILENT:
                self.watch.restart()
                stream.uart.write(_WAKE)
            return None
        buf = stream.buf
        found = tuple([(buf[i] << 8 | buf[i + 1]) * 10 for i in range(_AIR, _AIR + 6, 2)])
        good = found[0] <= found[1] <= found[2] <= _MOST
        return found if self.watch.seen(bytes(buf), good) else None
