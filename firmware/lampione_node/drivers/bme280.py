"""Bosch BME280: temperature and humidity over I2C (datasheet BST-BME280-DS002).

One forced measurement of each quantity a call, 9.3 ms at most; the pressure is converted and not
used. Compensation in integers as in section 4.2.3; the sums are Bosch's, of 32 bits.

The part has no checksum: its settings stand in the same block as the values, and are looked at.
Where they are lost (brown-out, another part plugged in) calibration and settings are gone through
again. A fault shows with the first value that is older than 35 s; the same raw values 60 times,
ten minutes at one every 10 s, are stuck. Outside -40 to 85 °C is implausible.
"""

import asyncio

from micropython import const

from . import health
from .watch import Watch

_ADDRESS = const(0x76)
_ID = const(0xD0)
_CHIP = const(0x60)
_CTRL_HUM = const(0xF2)
_CTRL_MEAS = const(0xF4)
_ONCE = const(0x25)  # all quantities once, then sleep
_WAIT_MS = const(12)

_FRESH_MS = const(35000)
_SAME = const(60)


def _signed(value: int, sign: int) -> int:
    return (value ^ sign) - sign


def coefficients(t, h1: int, h) -> tuple:
    """Return (T1, T2, T3, H1 to H6) of the registers 88 to 8D, A1, and E1 to E7."""
    return (
        t[0] | t[1] << 8,
        _signed(t[2] | t[3] << 8, 0x8000),
        _signed(t[4] | t[5] << 8, 0x8000),
        h1,
        _signed(h[0] | h[1] << 8, 0x8000),
        h[2],
        _signed(h[3] << 4 | h[4] & 15, 0x800),
        _signed(h[5] << 4 | h[4] >> 4, 0x800),
        _signed(h[6], 0x80),
    )


def compensated(c, raw_t: int, raw_h: int) -> tuple:
    """Return (temperature in 0.01 °C, humidity in 1/1024 %) of coefficients and raw values."""
    t = (((raw_t >> 3) - (c[0] << 1)) * c[1] >> 11) + (
        (((raw_t >> 4) - c[0]) * ((raw_t >> 4) - c[0]) >> 12) * c[2] >> 14
    )
    v = t - 76800
    v = ((raw_h << 14) - (c[6] << 20) - c[7] * v + 16384 >> 15) * (
        (((v * c[8] >> 10) * ((v * c[5] >> 11) + 32768) >> 10) + 2097152) * c[4] + 8192 >> 14
    )
    v -= ((v >> 15) * (v >> 15) >> 7) * c[3] >> 4
    return t * 5 + 128 >> 8, min(419430400, max(0, v)) >> 12


class Bme280:
    """The sensor on a ready-made bus."""

    def __init__(self, i2c, address=_ADDRESS):
        self._i2c = i2c
        self._address = address
        self._buf = bytearray(13)
        self._c = None
        self.watch = Watch(_FRESH_MS, _SAME)

    async def measure(self):
        """Return (temperature in 0.1 °C, humidity in %, 0 to 100), or None."""
        buf = self._buf
        try:
            if not self._c:
                self._calibrate()
            if self._c:
                self._i2c.writeto_mem(self._address, _CTRL_MEAS, bytes((_ONCE,)))
                await asyncio.sleep_ms(_WAIT_MS)
                self._i2c.readfrom_mem_into(self._address, _CTRL_HUM, buf)
        except OSError:
            self._c = None  # it may be another when it comes back
            self.watch.lost()
            return None
        # F2 humidity once, F3 idle, F4 asleep again, F5 no filter
        if not self._c or buf[0] != 1 or buf[1] & 9 or buf[2] != _ONCE - 1 or buf[3]:
            self._c = None
            self.watch.lost(health.STALE)
            return None
        raw_t = buf[8] << 12 | buf[9] << 4 | buf[10] >> 4
        raw_h = buf[11] << 8 | buf[12]
        t, h = compensated(self._c, raw_t, raw_h)
        if self.watch.seen((raw_t, raw_h), -4000 <= t <= 8500):
            return (t + 5) // 10, (h + 512) >> 10
        return None

    def _calibrate(self) -> None:
        """Read the calibration twice; unequal, or of another part, it is not taken."""
        bus = self._i2c
        address = self._address
        if bus.readfrom_mem(address, _ID, 1)[0] != _CHIP:
            return
        blocks = [bus.readfrom_mem(address, a, n) for a, n in ((0x88, 6), (0xA1, 1), (0xE1, 7)) * 2]
        if blocks[:3] == blocks[3:]:
            bus.writeto_mem(address, _CTRL_HUM, b"\x01")
            self._c = coefficients(blocks[0], blocks[1][0], blocks[2])
