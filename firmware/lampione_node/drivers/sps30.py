"""Sensirion SPS30: particulate matter over I2C (datasheet version 2; firmware 2.2 or later).

Values count from 30 s after the start: the datasheet's longest start-up time (table 1), that of
clean air. The fan is cleaned for 10 s each week, by the part itself, and after each start, since
without power the part forgets when it did last. A value is due every second: where none has come
for 2 s the part is cleaning, or forgot that it should measure; after 12 s it is started again.

A fault shows: bus or checksum after 15 s; a blocked fan, a laser or values outside 0 to 1000 µg/m³
at the next call; fan speed likewise, as WARMING until 30 s after it is right; the same values 60
times (every 3 s: three minutes) are stuck; lost power as WARMING within two calls; a part that
stays without values as STALE after 40 s.
"""

import asyncio
from time import ticks_diff, ticks_ms

from micropython import const

from . import health
from .crc8 import crc8
from .watch import Watch

_ADDRESS = const(0x69)
_START = b"\x00\x10\x03\x00\xac"  # values as floats: integers are whole µg/m³
_READY = b"\x02\x02"
_VALUES = b"\x03\x00"
_STATUS = b"\xd2\x06"
_CLEAR = b"\xd2\x10"
_CLEAN = b"\x56\x07"
_INTERVAL = b"\x80\x04"
_WEEK = b"\x00\x09\x09\x3a\x80\xa7"  # 604800 s
_SPEED = const(0x20)  # in the second byte of the status register
_LASER_FAN = const(0x30)  # in its last
_WARM_MS = const(30000)
_FRESH_MS = const(15000)
_SAME = const(60)
_DUE_MS = const(2000)
_CLEANED_MS = const(12000)
_MOST = const(10000)


def mass(buf, at):
    """Return the float at buf[at] (a checksum after two bytes) in tenths, rounded.

    -1 for what is negative, no number, or 65536 and more.
    """
    exponent = (buf[at] & 0x7F) << 1 | buf[at + 1] >> 7
    if buf[at] & 0x80 or exponent > 142:
        return -1
    shift = 150 - exponent
    if shift > 28:
        return 0  # below 0.05
    bits = (buf[at + 1] | 0x80) << 16 | buf[at + 3] << 8 | buf[at + 4]
    return (bits * 10 + (1 << (shift - 1))) >> shift


class Sps30:
    """The sensor on a ready-made bus."""

    def __init__(self, bus):
        self._bus = bus
        self._buf = bytearray(24)  # PM1, 2.5, 4 and 10; what follows need not be read
        self._new_ms = None  # when the last new value came, or could have; None: does not run
        self._starts = 0  # since the last new value
        self.watch = Watch(_FRESH_MS, _SAME, _WARM_MS)

    def _send(self, command):
        self._bus.writeto(_ADDRESS, command)

    def _read(self, command, size):
        buf = self._buf
        if command:
            self._send(command)
        self._bus.readfrom_into(_ADDRESS, memoryview(buf)[:size])
        for i in range(0, size, 3):
            if crc8(buf, i, i + 2) != buf[i + 2]:
                raise ValueError

    async def _start(self):
        self._starts += 1
        self._send(_INTERVAL)
        await asyncio.sleep_ms(5)
        self._read(None, 6)
        if self._buf[:6] != _WEEK:
            self._send(_INTERVAL + _WEEK)
            await asyncio.sleep_ms(20)
        self._send(_START)
        self._new_ms = ticks_ms()
        await asyncio.sleep_ms(20)
        self._send(_CLEAN)

    async def clean(self):
        """Start a fan cleaning; return whether the part took the command."""
        try:
            self._send(_CLEAN)
            await asyncio.sleep_ms(5)
        except OSError:
            return False
        return True

    async def measure(self):
        """Return (PM1, PM2.5, PM10) in 0.1 µg/m³, or None."""
        try:
            return await self._measure()
        except OSError:
            self._new_ms = None
            self.watch.lost()
        except ValueError:
            self.watch.lost(health.STALE)
        return None

    async def _measure(self):
        buf = self._buf
        watch = self.watch
        self._read(_READY, 3)
        now = ticks_ms()
        if not buf[1]:
            idle = self._new_ms is None
            wait_ms = 0 if idle else ticks_diff(now, self._new_ms)
            if idle or wait_ms > _DUE_MS:
                watch.restart()
                if self._starts < 2:
                    watch.seen(None)  # it warms up
                else:
                    watch.lost(health.STALE)
            if idle or wait_ms > _CLEANED_MS:
                await self._start()
            return None
        self._read(_STATUS, 6)
        good = not buf[4] & _LASER_FAN
        if not good:
            self._send(_CLEAR)  # the fan's bit would stay for ever
            await asyncio.sleep_ms(5)
        if buf[1] & _SPEED:
            watch.restart()
        self._read(_VALUES, 24)
        self._new_ms = now
        self._starts = 0
        found = mass(buf, 0), mass(buf, 6), mass(buf, 18)
        good = good and 0 <= found[0] <= found[1] <= found[2] <= _MOST
        return found if watch.seen(bytes(buf), good) else None
