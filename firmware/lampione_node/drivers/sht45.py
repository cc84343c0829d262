"""Sensirion SHT45: temperature and humidity over I2C (datasheet of the SHT4x)."""

import asyncio

from micropython import const

from . import health

_ADDRESS = const(0x44)
_MEASURE = b"\xfd"  # high repeatability, 8.3 ms at most
_MEASURE_MS = const(10)
_EIO = const(5)


def crc8(buf, start, end):
    """Return Sensirion's checksum of buf[start:end]: polynomial 0x31, first value 0xFF."""
    crc = 0xFF
    for i in range(start, end):
        crc ^= buf[i]
        for _ in range(8):
            crc = (crc << 1) ^ 0x131 if crc & 0x80 else crc << 1
    return crc


def values(buf):
    """Return (temperature in 0.1 °C, humidity in %, clamped to 0..100) of the six bytes.

    Raises OSError(EIO) when a checksum is wrong.
    """
    if crc8(buf, 0, 2) != buf[2] or crc8(buf, 3, 5) != buf[5]:
        raise OSError(_EIO)
    temperature = ((buf[0] << 8 | buf[1]) * 1750 + 32767) // 65535 - 450
    humidity = ((buf[3] << 8 | buf[4]) * 125 + 32767) // 65535 - 6
    return temperature, min(100, max(0, humidity))


class Sht45:
    """The sensor on a ready-made bus.

    Attributes:
        state: one of drivers.health, as the last measure() left it.
    """

    def __init__(self, i2c, address=_ADDRESS):
        self._i2c = i2c
        self._address = address
        self._buf = bytearray(6)
        self.state = health.ABSENT

    async def measure(self):
        """Return (temperature in 0.1 °C, humidity in %).

        Raises OSError when the sensor does not answer, its bytes are damaged, or it gives less
        than -40 or more than 85 °C, which no post outdoors has. The next call tries again from
        the start, so a sensor that is plugged back in recovers by itself.
        """
        try:
            self._i2c.writeto(self._address, _MEASURE)
            await asyncio.sleep_ms(_MEASURE_MS)
            self._i2c.readfrom_into(self._address, self._buf)
            found = values(self._buf)
        except OSError:
            if self.state != health.ABSENT:
                self.state = health.SILENT
            raise
        if not -400 <= found[0] <= 850:
            self.state = health.IMPLAUSIBLE
            raise OSError(_EIO)
        self.state = health.OK
        return found
