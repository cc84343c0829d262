"""Sensirion SHT45: temperature and humidity over I2C (datasheet of the SHT4x).

A fault shows with the first value that is older than 35 s (three measurements missed); the same
reading 60 times, ten minutes, is stuck (the last bit of 0.003 °C is never still in open air).
"""

import asyncio

from micropython import const

from . import health
from .crc8 import crc8
from .watch import Watch

_ADDRESS = const(0x44)
_MEASURE = b"\xfd"  # high repeatability, 8.3 ms at most
_MEASURE_MS = const(10)
_FRESH_MS = const(35000)
_SAME = const(60)


def values(buf):
    """Return (temperature in 0.1 °C, humidity in %, clamped to 0..100) of six bytes, or None.

    None when a checksum is wrong.
    """
    if crc8(buf, 0, 2) != buf[2] or crc8(buf, 3, 5) != buf[5]:
        return None
    temperature = ((buf[0] << 8 | buf[1]) * 1750 + 32767) // 65535 - 450
    humidity = ((buf[3] << 8 | buf[4]) * 125 + 32767) // 65535 - 6
    return temperature, min(100, max(0, humidity))


class Sht45:
    """The sensor on a ready-made bus."""

    def __init__(self, i2c, address=_ADDRESS):
        self._i2c = i2c
        self._address = address
        self._buf = bytearray(6)
        self.watch = Watch(_FRESH_MS, _SAME)

    async def measure(self):
        """Return (temperature in 0.1 °C, humidity in %), or None.

        Less than -40 or more than 85 °C is implausible: no post outdoors has it. Each call starts
        from the beginning, so a sensor that is plugged in again recovers by itself.
        """
        buf = self._buf
        try:
            self._i2c.writeto(self._address, _MEASURE)
            await asyncio.sleep_ms(_MEASURE_MS)
            self._i2c.readfrom_into(self._address, buf)
        except OSError:
            self.watch.lost()
            return None
        found = values(buf)
        if not found:
            self.watch.lost(health.STALE)
            return None
        if self.watch.seen(bytes(buf), -400 <= found[0] <= 850):
            return found
        return None
