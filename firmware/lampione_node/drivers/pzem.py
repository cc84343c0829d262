"""Peacefair PZEM-004T v3: voltage, current, power and energy of the mains (Modbus-RTU, 9600 8N1).

Asked every 5 s, a fault shows: no answer, or none that can be read, after 20 s; the same answer
36 times, three minutes, is stuck (the last 0.1 V of the mains is never still). Implausible is what
no European street has: less than 80 V (below, the part itself goes off) or more than 276 V, not
45 to 65 Hz; more than the part's 100 A or 23 kW.
"""

from time import ticks_diff, ticks_ms

from micropython import const

from . import health
from .line import drop, read_some
from .watch import Watch

_WAIT_MS = const(500)  # 25 bytes take 26 ms; the part thinks for less than 100
_FRAME = const(25)
_FRESH_MS = const(20000)
_SAME = const(36)


def crc16(buf, start, end):
    """Return the checksum of Modbus of buf[start:end]; 0 over data and its checksum."""
    crc = 0xFFFF
    for i in range(start, end):
        crc ^= buf[i]
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class Pzem:
    """The meter on a ready-made serial line."""

    def __init__(self, uart, address: int = 1):
        self._uart = uart
        self._request = request = bytearray((address, 4, 0, 0, 0, 10, 0, 0))
        crc = crc16(request, 0, 6)
        request[6] = crc & 255
        request[7] = crc >> 8
        self._buf = bytearray(64)
        self._view = memoryview(self._buf)
        self.watch = Watch(_FRESH_MS, _SAME)

    async def measure(self):
        """Return (0.1 V, mA, 0.1 W, Wh, 0.1 Hz, power factor in %, alarm), or None.

        At most 0.6 s. An echo of the request before the answer does no harm.
        """
        buf = self._buf
        drop(self._uart, buf)
        self._uart.write(self._request)
        began_ms = ticks_ms()
        count = 0
        while True:
            left_ms = _WAIT_MS - ticks_diff(ticks_ms(), began_ms)
            got = left_ms > 0 and await read_some(self._uart, self._view[count:], left_ms)
            if got:
                count += got
                at = self._find(count)
                if at is not None:
                    return self._judge(at)
                if count == len(buf):  # rubbish: keep what may be the beginning of a frame
                    buf[: _FRAME - 1] = buf[count - _FRAME + 1 :]
                    count = _FRAME - 1
            elif left_ms <= 0:
                talks = count and buf[:count] != self._request
                self.watch.lost(health.STALE if talks else health.SILENT)
                return None

    def _find(self, count):
        buf = self._buf
        for at in range(count - _FRAME + 1):
            if buf[at] == self._request[0] and buf[at + 1] == 4 and buf[at + 2] == 20:
                if not crc16(buf, at, at + _FRAME):
                    return at
        return None

    def _judge(self, at):
        raw = bytes(self._view[at + 3 : at + _FRAME - 2])
        words = [raw[i] << 8 | raw[i + 1] for i in range(0, 20, 2)]
        voltage, ma, ma_high, power, power_high, energy, energy_high, hz, factor, alarm = words
        plausible = (
            800 <= voltage <= 2760
            and 450 <= hz <= 650
            and factor <= 100
            and ma_high < 2  # 131 A
            and power_high < 4  # 26 kW
            and energy_high < 256
        )
        if not self.watch.seen(raw, plausible):
            return None
        ma += ma_high << 16
        power += power_high << 16
        return voltage, ma, power, energy + (energy_high << 16), hz, factor, alarm
