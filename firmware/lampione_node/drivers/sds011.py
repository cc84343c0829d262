"""Nova SDS011: PM2.5 and PM10 over a UART, 9600 baud (control protocol version 1.3).

It sends by itself each second. Values count from 30 s after the fan started, the time that the
maker gives it to work before a report. A silence of 3 s is taken for a new start, and answered
with one of three commands in turn, since settings outlast a power cut: work, report by yourself,
without pause. Its laser lasts 8000 h, eleven months.

A fault shows: silence (SILENT) and frames that are never whole (STALE) after 10 s; PM2.5 above
PM10 with its frame; the same values 100 times (every 3 s: five minutes) as STUCK. A new start that
took less than 3 s is not seen.
"""

from micropython import const

from . import health
from .stream import Stream
from .watch import Watch

_SIZE = const(10)
_COMMANDS = (b"\x06\x01\x01", b"\x02\x01\x00", b"\x08\x01\x00")
_TIMEOUT_MS = const(3000)
_FRESH_MS = const(10000)
_SAME = const(100)
_WARM_MS = const(30000)
_MOST = const(9999)


def fits(buf, start, end):
    """See stream.shift."""
    n = end - start
    if buf[start] != 0xAA or (n > 1 and buf[start + 1] != 0xC0):
        return False
    return n < _SIZE or (sum(buf[2:8]) & 0xFF == buf[8] and buf[9] == 0xAB)


class Sds011:
    """The sensor on a ready-made UART."""

    def __init__(self, bus):
        self.watch = Watch(_FRESH_MS, _SAME, _WARM_MS)
        self._stream = Stream(bus, self.watch, _SIZE, fits, _TIMEOUT_MS)
        self._turn = 0

    async def measure(self):
        """Return (None, PM2.5, PM10) in 0.1 µg/m³, or None. Waits for the next frame."""
        stream = self._stream
        lost = await stream.next()
        if lost:
            if lost == health.SILENT:
                self.watch.restart()
                data = _COMMANDS[self._turn] + bytes(10) + b"\xff\xff"  # to any of them
                self._turn = (self._turn + 1) % 3
                stream.uart.write(b"\xaa\xb4" + data + bytes([sum(data) & 0xFF, 0xAB]))
            return None
        buf = stream.buf
        pm2_5 = buf[3] << 8 | buf[2]
        pm10 = buf[5] << 8 | buf[4]
        if self.watch.seen(bytes(buf), pm2_5 <= pm10 <= _MOST):
            return None, pm2_5, pm10
        return None
